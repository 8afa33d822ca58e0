import { describe, it } from 'vitest';
import type { RqSerializer } from '../../../../src/transport/rq.js';
import { otherNetworkFaults, tellingFaults } from '../../../outages/faults.js';
import type { ClientKind } from '../../../support/clients.js';
import type { Fault } from '../../../support/outage-run.js';
import { surviveWithWorker } from '../../../support/rq/rq-outage-run.js';

/** Those on the way from the queue, which a worker with a connection of its own does not notice. */
const isOnTheWay = (fault: Fault) =>
  otherNetworkFaults.includes(fault) ||
  (tellingFaults.includes(fault) && /^(replies|never up|garbage)/.test(fault.name));

/** One test a fault. A file for a client and a lot of faults, as with streams. */
export function eachRunOnce(kind: ClientKind, serializer: RqSerializer, faults: readonly Fault[]): void {
  describe(`an outage before RQ's worker, under ${kind.name}, in ${serializer}`, () => {
    for (const fault of faults) {
      it(`has each job run once: ${fault.name}`, () =>
        surviveWithWorker(kind, fault, serializer, isOnTheWay(fault)));
    }
  });
}
