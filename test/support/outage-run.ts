import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import {
  type BackupStore,
  MemoryBackupStore,
  type QueueOptions,
  ResilientQueue,
  streamKey,
} from '../../src/index.js';
import type { ClientKind } from './clients.js';
import { FaultProxy } from './fault-proxy.js';
import { Ledger } from './ledger.js';
import { runLoad, settleWithin } from './load.js';
import { RedisServer } from './redis-server.js';
import { readStream, type StreamEntry } from './stream.js';
import { waitFor } from './wait-for.js';

/** What a fault is made with. */
export interface Outage {
  readonly server: RedisServer;
  readonly proxy: FaultProxy;
}

/** A fault, and how it ends. */
export interface Fault {
  readonly name: string;
  /** Before the client connects. */
  readonly prepare?: (outage: Outage) => Promise<unknown> | undefined;
  /** Begins the fault; what it returns ends it. */
  readonly begin: (outage: Outage) => Promise<() => unknown>;
  readonly lastsMs: number;
  readonly credentials?: { readonly username: string; readonly password: string };
  /** Whether jobs must have gone to the backup: most faults last longer than the deadline. @default true */
  readonly expectsBackup?: boolean;
  /** Redis refuses or is silent from begin to end, so it is one outage: a probe that lies would make more of it. */
  readonly isOneOutage?: boolean;
  /** Attempts stay without an answer, so some jobs must go to the backup marked as unknown. */
  readonly leavesUnknown?: boolean;
}

const PER_SECOND = 1000;
const BEFORE_MS = 600;
const AFTER_MS = 800;
/** The most by which a busy machine may delay a timer of ours. */
const TIMER_SLACK_MS = 400;
const DEADLINE_MS = 1000;

/** Offers jobs through a fault and holds the result against every promise at once. */
export async function surviveOutage(
  kind: ClientKind,
  fault: Fault,
  options: Partial<QueueOptions> = {},
  store: BackupStore = new MemoryBackupStore(),
): Promise<void> {
  await using server = await RedisServer.start({
    args: ['--enable-debug-command', 'yes', '--busy-reply-threshold', '200'],
  });
  await using proxy = await FaultProxy.start({ port: server.port });
  await fault.prepare?.({ server, proxy });
  const { client, end } = kind.make({ port: proxy.port, ...fault.credentials });
  const queue = new ResilientQueue('outage', {
    redis: client,
    backup: store,
    deadlineMs: DEADLINE_MS,
    ...options,
  });
  const outages: string[] = [];
  let unknown = 0;
  queue.on('outage', ({ phase, kind: what }) => outages.push(`${phase} ${what}`));
  queue.on('backed-up', (event) => {
    unknown += event.unknown;
  });
  queue.on('error', () => {});

  const unbalanced: string[] = [];
  const audit = setInterval(() => {
    const { accepted, inherited, delivered, pending, parked, dropped } = queue.health().totals;
    if (accepted + inherited === delivered + pending + parked + dropped) return;
    unbalanced.push(JSON.stringify(queue.health().totals));
  }, 20);
  try {
    const ledger = new Ledger();
    const ended = new AbortController();
    const load = runLoad({
      perSecond: PER_SECOND,
      enqueue: (n) => queue.enqueue('outage.job', { n }, n % 3 === 0 ? { id: `mine-${n}` } : {}),
      ledger,
      signal: ended.signal,
    });
    await sleep(BEFORE_MS);
    const heal = await fault.begin({ server, proxy });
    await sleep(fault.lastsMs);
    await heal();
    await sleep(AFTER_MS);
    ended.abort();
    const { offered } = await load;
    await settleWithin(ledger, 10_000);
    await waitFor(() => queue.health().status === 'up', {
      what: 'the queue to be up again by itself',
      timeoutMs: 20_000,
    }).catch((error: Error) => {
      throw new Error(`${error.message}: ${JSON.stringify(queue.health())}`);
    });

    const entries = await readStream(server, streamKey('outage'));
    ledger.delivered(entries.map((entry) => entry.fields.id as string));
    const summary = ledger.summary();
    const told = `${kind.name}, ${fault.name}\n${ledger}\n${outages.join(', ')}`;
    expect(summary, told).toMatchObject({
      accepted: offered,
      delivered: offered,
      lost: 0,
      doubled: 0,
      ghosts: 0,
      rejected: 0,
      unsettled: 0,
      errors: {},
    });
    expect(summary.worstMs, told).toBeLessThan(DEADLINE_MS + TIMER_SLACK_MS);
    if (fault.expectsBackup ?? true) expect(summary.backedUp, told).toBeGreaterThan(0);
    if (fault.isOneOutage)
      expect(
        outages.map((text) => text.split(' ')[0]),
        told,
      ).toEqual(['started', 'ended']);
    if (fault.leavesUnknown) expect(unknown, told).toBeGreaterThan(0);
    expect(unbalanced, told).toEqual([]);
    if (options.ordering === 'queue') expect(inversions(entries), told).toEqual([]);
    const { totals, backup } = queue.health();
    expect(totals, told).toMatchObject({
      accepted: offered,
      delivered: offered,
      pending: 0,
      parked: 0,
      dropped: 0,
    });
    expect(backup, told).toMatchObject({ pending: 0, parked: 0, unknown: 0 });
    expect(await store.stats('outage')).toMatchObject({ pending: 0, leased: 0, parked: 0 });
    expect(await queue.close()).toEqual({ pending: 0 });
  } finally {
    clearInterval(audit);
    await queue.close({ timeoutMs: 100 });
    end();
  }
}

/** Where a job stands behind one that was enqueued after it. */
function inversions(entries: readonly StreamEntry[]): string[] {
  const order = entries.map((entry) => (JSON.parse(entry.fields.payload as string) as { n: number }).n);
  const found: string[] = [];
  for (let i = 1; i < order.length; i++) {
    if ((order[i] as number) < (order[i - 1] as number)) found.push(`${order[i]} after ${order[i - 1]}`);
  }
  return found;
}
