import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { MemoryBackupStore, ResilientQueue } from '../../../src/index.js';
import { BullMqTransport } from '../../../src/transport/bullmq.js';
import { expectEachOnce, type Fault, idOfEachThird, offerThrough, withOutage } from '../outage-run.js';
import { waitFor } from '../wait-for.js';
import type { BullMqKind } from './kinds.js';

const QUEUE = 'outage';
const PER_SECOND = 200;

/**
 * Offers jobs through a fault, has a real worker run them and remove each as soon as it has run, and counts each run.
 * `isWorkerThroughout`: the worker works meanwhile, on a connection of its own; else from then on.
 */
export function surviveWithWorker(
  kind: BullMqKind,
  fault: Fault,
  isWorkerThroughout: boolean,
): Promise<void> {
  return withOutage(fault, async (outage) => {
    const { server, proxy } = outage;
    const ran: string[] = [];
    const work = () => kind.work(QUEUE, server.port, ({ id }) => void ran.push(id ?? ''));
    let worker = isWorkerThroughout ? work() : undefined;
    await worker?.waitUntilReady();
    const settings = { defaultJobOptions: { removeOnComplete: true } };
    const { queue: bullMq, end } = kind.make(QUEUE, proxy.port, settings, fault.credentials);
    const transport = new BullMqTransport(bullMq);
    const queue = new ResilientQueue(QUEUE, { backup: new MemoryBackupStore(), transport });
    queue.on('error', () => {});
    try {
      const done = await offerThrough(fault, outage, queue, {
        perSecond: PER_SECOND,
        enqueue: (n) => queue.enqueue('note', { n }, { id: idOfEachThird(n) }),
        idOf: idOfEachThird,
        upWithinMs: 40_000,
      });

      worker ??= work();
      const { accepted } = done.ledger.summary();
      await waitFor(() => new Set(ran).size >= accepted, {
        what: `each of ${accepted} jobs to be run`,
        timeoutMs: 40_000,
      }).catch((error: Error) => {
        throw new Error(`${error.message}: ${new Set(ran).size} were run`);
      });
      await sleep(300); // for a second run of the last one
      const { summary, told } = expectEachOnce(fault, queue, done, ran, kind.name);
      expect(summary.duplicates, told).toBeGreaterThan(0);
      expect(await queue.close()).toEqual({ pending: 0 });
    } finally {
      await queue.close({ timeoutMs: 100 });
      await worker?.close(true);
      await end();
    }
  });
}
