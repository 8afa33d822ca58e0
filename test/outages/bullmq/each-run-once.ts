import { describe, it } from 'vitest';
import { surviveWithWorker } from '../../support/bullmq/bullmq-outage-run.js';
import type { BullMqKind } from '../../support/bullmq/kinds.js';
import type { Fault } from '../../support/outage-run.js';
import { faults } from '../faults.js';

/** Those that differ for a worker that runs jobs meanwhile: executed late, replies lost, refused, away. */
const isTelling = ({ name }: Fault) =>
  /^(kill -9|SIGSTOP|READONLY|OOM|replies cut|replies swallowed|CLIENT KILL|never up)/.test(name);

export const tellingForWorkers: readonly Fault[] = faults.filter(isTelling);
const others = faults.filter((fault) => !isTelling(fault));
/** In two lots, so that two test files can share them. */
export const otherFaults: readonly (readonly Fault[])[] = [others.slice(0, 7), others.slice(7)];

/**
 * They cut the worker's connection, too: BullMQ loses sight of a job that a worker was just taking then, for half a minute and more.
 */
const hitsWorkers = /^(kill -9|CLIENT KILL|LOADING|NOAUTH|maxclients)/;

/** One test a fault. */
export function runEachOnce(kind: BullMqKind, some: readonly Fault[]): void {
  describe(`an outage under ${kind.name}, with a real worker`, () => {
    for (const fault of some) {
      it(`loses nothing and runs nothing twice: ${fault.name}`, () =>
        surviveWithWorker(kind, fault, !hitsWorkers.test(fault.name)));
    }
  });
}
