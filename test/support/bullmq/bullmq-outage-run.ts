import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { MemoryBackupStore, ResilientQueue } from '../../../src/index.js';
import { BullMqTransport } from '../../../src/transport/bullmq.js';
import { FaultProxy } from '../fault-proxy.js';
import { Ledger } from '../ledger.js';
import { runLoad, settleWithin } from '../load.js';
import type { Fault } from '../outage-run.js';
import { RedisServer } from '../redis-server.js';
import { waitFor } from '../wait-for.js';
import type { BullMqKind } from './kinds.js';

const QUEUE = 'outage';
const PER_SECOND = 200;
const BEFORE_MS = 600;
const AFTER_MS = 800;

/**
 * Offers jobs through a fault, has a real worker run them and remove each as soon as it has run, and counts each run.
 * `isWorkerThroughout`: the worker works meanwhile, on a connection of its own; else from then on.
 */
export async function surviveWithWorker(
  kind: BullMqKind,
  fault: Fault,
  isWorkerThroughout: boolean,
): Promise<void> {
  await using server = await RedisServer.start({
    args: ['--enable-debug-command', 'yes', '--busy-reply-threshold', '200'],
  });
  await using proxy = await FaultProxy.start({ port: server.port });
  await fault.prepare?.({ server, proxy });
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
    const ledger = new Ledger();
    const ended = new AbortController();
    // A third under callers' ids, each of those twice.
    const idOf = (n: number) => (n % 3 === 0 ? `mine-${n - (n % 6)}` : undefined);
    const load = runLoad({
      perSecond: PER_SECOND,
      enqueue: (n) => queue.enqueue('note', { n }, { id: idOf(n) }),
      ledger,
      idOf,
      signal: ended.signal,
    });
    await sleep(BEFORE_MS);
    const heal = await fault.begin({ server, proxy });
    await sleep(fault.lastsMs);
    await heal();
    await sleep(AFTER_MS);
    ended.abort();
    await load;
    await settleWithin(ledger, 10_000);
    await waitFor(() => queue.health().status === 'up', {
      what: 'the queue to be up again by itself',
      timeoutMs: 40_000,
    });

    worker ??= work();
    const { accepted } = ledger.summary();
    await waitFor(() => new Set(ran).size >= accepted, {
      what: `each of ${accepted} jobs to be run`,
      timeoutMs: 40_000,
    }).catch((error: Error) => {
      throw new Error(`${error.message}: ${new Set(ran).size} were run`);
    });
    await sleep(300); // for a second run of the last one
    ledger.delivered(ran);
    const summary = ledger.summary();
    const told = `${kind.name}, ${fault.name}\n${ledger}`;
    expect(summary, told).toMatchObject({
      ...{ delivered: accepted, lost: 0, doubled: 0, ghosts: 0, rejected: 0, unsettled: 0, errors: {} },
    });
    expect(summary.duplicates, told).toBeGreaterThan(0);
    if (fault.expectsBackup ?? true) expect(summary.backedUp, told).toBeGreaterThan(0);
    expect(queue.health(), told).toMatchObject({ totals: { pending: 0, parked: 0, dropped: 0 } });
    expect(await queue.close()).toEqual({ pending: 0 });
  } finally {
    await queue.close({ timeoutMs: 100 });
    await worker?.close(true);
    await end();
  }
}
