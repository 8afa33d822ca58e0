import { describe, it } from 'vitest';
import { nodeRedisDefault } from '../support/clients.js';
import { surviveOutage } from '../support/outage-run.js';
import { faults } from './faults.js';

describe(`an outage under ${nodeRedisDefault.name}`, () => {
  for (const fault of faults) {
    it(`loses and doubles nothing: ${fault.name}`, () => surviveOutage(nodeRedisDefault, fault));
  }
});
