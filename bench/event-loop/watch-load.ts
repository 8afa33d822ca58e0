import { setTimeout as sleep } from 'node:timers/promises';
import { Ledger, type SettledJob } from '../../test/support/ledger.js';
import { runLoad, settleWithin } from '../../test/support/load.js';
import { type LoopDelay, watchLoop } from '../measure/loop-delay.js';

export const PER_SECOND = 10_000;

/** What was seen of the event loop, ms. */
export interface Watched extends LoopDelay {
  /** 99 of 100 calls were faster. */
  readonly p99Call: number;
  readonly watchedMs: number;
}

/** Offers jobs for so many ms, or until a promise resolves, and watches. Rejects when one was rejected. */
export async function watchLoad(
  until: number | Promise<unknown>,
  enqueue: (n: number) => Promise<SettledJob>,
): Promise<Watched> {
  const ledger = new Ledger();
  const over = new AbortController();
  const startedAt = performance.now();
  const delay = await watchLoop(async () => {
    const load = runLoad({ perSecond: PER_SECOND, signal: over.signal, ledger, enqueue });
    await (typeof until === 'number' ? sleep(until) : until);
    over.abort();
    await load;
  });
  const watchedMs = performance.now() - startedAt;
  await settleWithin(ledger, 10_000);
  const { p99Ms, errors } = ledger.summary();
  if (Object.keys(errors).length > 0) throw new Error(`Jobs were rejected: ${JSON.stringify(errors)}`);
  return { ...delay, p99Call: p99Ms, watchedMs };
}
