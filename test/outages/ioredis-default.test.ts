import { describe, it } from 'vitest';
import { ioredisDefault } from '../support/clients.js';
import { surviveOutage } from '../support/outage-run.js';
import { faults } from './faults.js';

describe(`an outage under ${ioredisDefault.name}`, () => {
  for (const fault of faults) {
    it(`loses and doubles nothing: ${fault.name}`, () => surviveOutage(ioredisDefault, fault));
  }
});
