import { describe, it } from 'vitest';
import { ioredisDefault } from '../../support/clients.js';
import { surviveOutage } from '../../support/stream-outage-run.js';
import { otherNetworkFaults, otherServerFaults } from '../faults.js';

describe("ordering: 'queue'", () => {
  for (const fault of [...otherServerFaults, ...otherNetworkFaults]) {
    it(`keeps the order of the calls: ${fault.name}`, () =>
      surviveOutage(ioredisDefault, fault, { ordering: 'queue' }));
  }
});
