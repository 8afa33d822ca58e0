import { describe, it } from 'vitest';
import { ioredisDefault } from '../support/clients.js';
import { surviveOutage } from '../support/outage-run.js';
import { faults } from './faults.js';

describe("ordering: 'queue'", () => {
  for (const fault of faults) {
    it(`keeps the order of the calls: ${fault.name}`, () =>
      surviveOutage(ioredisDefault, fault, { ordering: 'queue' }));
  }
});
