import { describe, it } from 'vitest';
import type { ClientKind } from '../support/clients.js';
import type { Fault } from '../support/outage-run.js';
import { surviveOutage } from '../support/stream-outage-run.js';

/** One test a fault. A file for a client and a lot of faults: workers take whole files, and these are about equally long. */
export function surviveEach(kind: ClientKind, faults: readonly Fault[]): void {
  describe(`an outage under ${kind.name}`, () => {
    for (const fault of faults) {
      it(`loses and doubles nothing: ${fault.name}`, () => surviveOutage(kind, fault));
    }
  });
}
