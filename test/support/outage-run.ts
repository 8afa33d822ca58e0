import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { ResilientQueue } from '../../src/index.js';
import { FaultProxy } from './fault-proxy.js';
import { Ledger, type LedgerSummary } from './ledger.js';
import { type LoadOptions, runLoad, settleWithin } from './load.js';
import { RedisServer } from './redis-server.js';
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

/** What goes through an outage. */
type Queue = Pick<ResilientQueue, 'health'>;

export interface Offer extends Pick<LoadOptions, 'perSecond' | 'enqueue' | 'idOf'> {
  /** How long the queue may take to be up again. @default 20_000 */
  readonly upWithinMs?: number;
}

export interface Offered {
  readonly ledger: Ledger;
  /** How many calls there were. */
  readonly offered: number;
  /** Totals that did not balance. */
  readonly unbalanced: readonly string[];
}

const BEFORE_MS = 600;
const AFTER_MS = 800;

/** A third of the jobs have callers' ids, each of them twice. */
export function idOfEachThird(n: number): string | undefined {
  return n % 3 === 0 ? `mine-${n - (n % 6)}` : undefined;
}

/** Starts a server and a proxy before it, prepared for `fault`, and runs what goes through the outage. */
export async function withOutage(fault: Fault, run: (outage: Outage) => Promise<void>): Promise<void> {
  await using server = await RedisServer.start({
    args: ['--enable-debug-command', 'yes', '--busy-reply-threshold', '200'],
  });
  await using proxy = await FaultProxy.start({ port: server.port });
  const outage = { server, proxy };
  await fault.prepare?.(outage);
  await run(outage);
}

/** Offers jobs before, during and after a fault; resolves when all calls have settled and `queue` is up again by itself. */
export async function offerThrough(
  fault: Fault,
  outage: Outage,
  queue: Queue,
  { upWithinMs = 20_000, ...jobs }: Offer,
): Promise<Offered> {
  const unbalanced: string[] = [];
  const audit = setInterval(() => {
    const { totals } = queue.health();
    const { accepted, inherited, delivered, pending, parked, dropped } = totals;
    if (accepted + inherited === delivered + pending + parked + dropped) return;
    unbalanced.push(JSON.stringify(totals));
  }, 20);
  try {
    const ledger = new Ledger();
    const ended = new AbortController();
    const load = runLoad({ ...jobs, ledger, signal: ended.signal });
    await sleep(BEFORE_MS);
    const heal = await fault.begin(outage);
    await sleep(fault.lastsMs);
    await heal();
    await sleep(AFTER_MS);
    ended.abort();
    const { offered } = await load;
    await settleWithin(ledger, 10_000);
    await waitFor(() => queue.health().status === 'up', {
      what: 'the queue to be up again by itself',
      timeoutMs: upWithinMs,
    }).catch((error: Error) => {
      throw new Error(`${error.message}: ${JSON.stringify(queue.health())}`);
    });
    return { ledger, offered, unbalanced };
  } finally {
    clearInterval(audit);
  }
}

/**
 * Holds the ids that `arrived`, each as often as it did, against what callers were told: all that was accepted is there, once.
 * `under`: what a failure says of the run besides.
 */
export function expectEachOnce(
  fault: Fault,
  queue: Queue,
  { ledger, unbalanced }: Offered,
  arrived: Iterable<string>,
  under: string,
): { summary: LedgerSummary; told: string } {
  ledger.delivered(arrived);
  const summary = ledger.summary();
  const told = `${fault.name}, under ${under}\n${ledger}`;
  expect(summary, told).toMatchObject({
    ...{ delivered: summary.accepted, lost: 0, doubled: 0, ghosts: 0, rejected: 0, unsettled: 0, errors: {} },
  });
  if (fault.expectsBackup ?? true) expect(summary.backedUp, told).toBeGreaterThan(0);
  expect(unbalanced, told).toEqual([]);
  expect(queue.health(), told).toMatchObject({
    totals: { pending: 0, parked: 0, dropped: 0 },
    backup: { pending: 0, parked: 0, unknown: 0 },
  });
  return { summary, told };
}
