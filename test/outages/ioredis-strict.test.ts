import { describe, it } from 'vitest';
import { ioredisStrict } from '../support/clients.js';
import { surviveOutage } from '../support/outage-run.js';
import { faults } from './faults.js';

describe(`an outage under ${ioredisStrict.name}`, () => {
  for (const fault of faults) {
    it(`loses and doubles nothing: ${fault.name}`, () => surviveOutage(ioredisStrict, fault));
  }
});
