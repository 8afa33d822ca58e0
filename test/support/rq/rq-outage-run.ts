import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { MemoryBackupStore, ResilientQueue } from '../../../src/index.js';
import { type RqSerializer, RqTransport } from '../../../src/transport/rq.js';
import type { ClientKind } from '../clients.js';
import { FaultProxy } from '../fault-proxy.js';
import { Ledger } from '../ledger.js';
import { runLoad, settleWithin } from '../load.js';
import type { Fault } from '../outage-run.js';
import { RedisServer } from '../redis-server.js';
import { waitFor } from '../wait-for.js';
import { RqSite } from './rq-site.js';

const QUEUE = 'outage';
const PER_SECOND = 150;
const BEFORE_MS = 400;
const AFTER_MS = 500;

/**
 * Offers jobs through a fault, has a real worker run them, and counts each run. `isWorkerThroughout`: the worker works meanwhile,
 * on a connection of its own; else from then on, since RQ itself loses a job that it was just taking from a server that dies.
 */
export async function surviveWithWorker(
  kind: ClientKind,
  fault: Fault,
  serializer: RqSerializer,
  isWorkerThroughout: boolean,
): Promise<void> {
  await using server = await RedisServer.start({
    args: ['--enable-debug-command', 'yes', '--busy-reply-threshold', '200'],
  });
  await using site = await RqSite.open(server, serializer);
  await using proxy = await FaultProxy.start({ port: server.port });
  await fault.prepare?.({ server, proxy });
  const work = () => site.start(QUEUE, { isSimple: true });
  await using early = isWorkerThroughout ? await work() : undefined;
  const { client, end } = kind.make({ port: proxy.port, ...fault.credentials });
  const transport = new RqTransport({ serializer });
  const queue = new ResilientQueue(QUEUE, { redis: client, backup: new MemoryBackupStore(), transport });
  queue.on('error', () => {});
  try {
    const ledger = new Ledger();
    const ended = new AbortController();
    // A third under callers' ids, each of those twice; a third with options.
    const idOf = (n: number) => (n % 3 === 0 ? `mine-${n - (n % 6)}` : undefined);
    const load = runLoad({
      perSecond: PER_SECOND,
      enqueue: (n) =>
        queue.enqueue('jobs.note', [n], {
          id: idOf(n),
          ...(n % 3 === 1 && { transport: { ttlSeconds: 600, atFront: n % 2 === 0 } }),
        }),
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
      timeoutMs: 20_000,
    });

    await using late = isWorkerThroughout ? undefined : await work();
    const { accepted } = ledger.summary();
    const log = () => (early ?? late)?.log().slice(-2000);
    await waitFor(() => new Set(site.ran()).size >= accepted, {
      what: `each of ${accepted} jobs to be run`,
      timeoutMs: 60_000,
    }).catch((error: Error) => {
      throw new Error(`${error.message}: ${new Set(site.ran()).size} were run. ${log()}`);
    });
    await waitFor(async () => (await server.command('LLEN', `rq:queue:${QUEUE}`)) === 0, {
      what: 'the line to be empty',
    });
    await sleep(200); // for a second run of the last one
    ledger.delivered(site.ran());
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
    end();
  }
}
