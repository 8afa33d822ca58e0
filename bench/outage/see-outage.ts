import { setTimeout as sleep } from 'node:timers/promises';
import { type BackupStore, ResilientQueue, streamKey } from '@morningai/resilient-queue';
import type { ClientKind } from '../../test/support/clients.js';
import { Ledger } from '../../test/support/ledger.js';
import { runLoad, settleWithin } from '../../test/support/load.js';
import { RedisServer } from '../../test/support/redis-server.js';
import { readStream } from '../../test/support/stream.js';
import { waitFor } from '../../test/support/wait-for.js';
import { JOB_NAME, payloadOf } from '../contestants/job.js';
import { breakRedis, type Fault, mendRedis } from './fault.js';
import { TimedStore } from './timed-store.js';

const QUEUE = 'outage';
export const PER_SECOND = 1000;

/** How long jobs are offered before the fault, how long it lasts, and how long they are offered after the replay, ms. */
export interface Phases {
  readonly before: number;
  readonly outage: number;
  readonly after: number;
}

/** What callers saw of an outage, ms. */
export interface OutageSeen {
  /** From the fault to the first receipt that says `backed-up`. */
  readonly firstBackedUp: number;
  /** The slowest call of all. */
  readonly worst: number;
  /** 99 of 100 calls made during the outage were faster. */
  readonly p99: number;
  /** From Redis taking writes again to the client having a connection; NaN where it never lost it. */
  readonly reconnected: number;
  /** From Redis taking writes again to the first job replayed, and to the last. */
  readonly firstReplayed: number;
  readonly lastReplayed: number;
  /** How many jobs. */
  readonly backedUp: number;
}

interface Call {
  readonly begunAt: number;
  readonly tookMs: number;
  readonly isBackedUp: boolean;
}

/** Offers jobs through an outage and counts every one. Rejects when one was lost or doubled. */
export async function seeOutage(
  fault: Fault,
  kind: ClientKind,
  inner: BackupStore,
  phases: Phases,
): Promise<OutageSeen> {
  await using server = await RedisServer.start();
  const { client, end } = kind.make({ port: server.port });
  const store = new TimedStore(inner);
  const queue = new ResilientQueue(QUEUE, { redis: client, backup: store });
  await waitFor(async () => (await queue.check()).redis.writable, { what: 'Redis to take a write' });
  const connectedAt: number[] = [];
  (client as { on(event: 'ready', listener: () => void): unknown }).on('ready', () =>
    connectedAt.push(performance.now()),
  );

  const ledger = new Ledger();
  const calls: Call[] = [];
  const over = new AbortController();
  const load = runLoad({
    perSecond: PER_SECOND,
    signal: over.signal,
    ledger,
    async enqueue(n) {
      const begunAt = performance.now();
      const receipt = await queue.enqueue(JOB_NAME, payloadOf(n));
      const isBackedUp = receipt.outcome === 'backed-up';
      calls.push({ begunAt, tookMs: performance.now() - begunAt, isBackedUp });
      return receipt;
    },
  });
  await sleep(phases.before);
  const brokenAt = performance.now();
  await breakRedis(server, fault);
  await sleep(phases.outage);
  const writableAt = await mendRedis(server, fault);
  await waitFor(() => queue.health().status === 'up', { what: 'the queue to be up', timeoutMs: 30_000 });
  await sleep(phases.after);
  over.abort();
  const { offered } = await load;
  await settleWithin(ledger, 10_000);

  const entries = await readStream(server, streamKey(QUEUE));
  ledger.delivered(entries.map(({ fields }) => fields.id as string));
  const { accepted, lost, doubled } = ledger.summary();
  if (accepted !== offered || lost + doubled > 0)
    throw new Error(`Of ${offered} jobs not each was delivered once:\n${ledger}`);
  await queue.close();
  end();

  const during = calls.filter(({ begunAt }) => begunAt >= brokenAt && begunAt < writableAt);
  const backedUp = calls.filter(({ isBackedUp }) => isBackedUp);
  return {
    firstBackedUp: Math.min(...backedUp.map(({ begunAt, tookMs }) => begunAt + tookMs)) - brokenAt,
    worst: Math.max(...calls.map(({ tookMs }) => tookMs)),
    p99: percentile(
      during.map(({ tookMs }) => tookMs),
      0.99,
    ),
    reconnected: since(writableAt, connectedAt[0] ?? Number.NaN),
    firstReplayed: since(writableAt, store.firstReplayedAt),
    lastReplayed: since(writableAt, store.lastReplayedAt),
    backedUp: backedUp.length,
  };
}

/** The queue may notice before the benchmark's own connection does. */
const since = (startedAt: number, at: number) => Math.max(0, at - startedAt);

function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * part) - 1] ?? Number.NaN;
}
