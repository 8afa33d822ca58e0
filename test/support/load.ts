import type { Ledger, SettledJob } from './ledger.js';
import { waitFor } from './wait-for.js';

export interface LoadOptions {
  readonly perSecond: number;
  readonly enqueue: (n: number) => Promise<SettledJob>;
  readonly ledger: Ledger;
  /** The id the n-th job is given; without one it is taken from the receipt. */
  readonly idOf?: (n: number) => string | undefined;
  /** Ends the offering. */
  readonly signal?: AbortSignal;
  /** Ends the offering after `perSecond × durationMs / 1000` jobs. */
  readonly durationMs?: number;
}

const EVERY_MS = 5;

/**
 * Offers jobs at a steady rate whether or not earlier calls have settled, as independent callers would: a slow or hung
 * `enqueue` never slows the offering. Resolves when the offering ends, without waiting for calls in flight.
 */
export function runLoad(options: LoadOptions): Promise<{ offered: number }> {
  const { perSecond, enqueue, ledger, idOf, signal, durationMs = Number.POSITIVE_INFINITY } = options;
  if (!signal && durationMs === Number.POSITIVE_INFINITY) {
    throw new TypeError('runLoad() needs a durationMs or a signal, else it never ends');
  }
  const startedAt = performance.now();
  let offered = 0;

  const offerWhatIsDue = () => {
    const elapsedMs = Math.min(performance.now() - startedAt, durationMs);
    const due = Math.round((elapsedMs * perSecond) / 1000);
    while (offered < due && !signal?.aborted) {
      const n = offered++;
      // An async function turns what a call throws into a rejection.
      void ledger.track(idOf?.(n), (async () => enqueue(n))());
    }
    return elapsedMs >= durationMs;
  };

  return new Promise((resolve) => {
    const end = () => {
      clearInterval(timer);
      signal?.removeEventListener('abort', end);
      resolve({ offered });
    };
    const timer = setInterval(() => {
      if (offerWhatIsDue()) end();
    }, EVERY_MS);
    signal?.addEventListener('abort', end);
    if (signal?.aborted) end();
  });
}

/** Resolves with true once no call is in flight, and with false when time is up before. */
export function settleWithin(ledger: Ledger, ms: number): Promise<boolean> {
  return waitFor(() => ledger.unsettled === 0, { what: 'calls to settle', timeoutMs: ms, everyMs: 5 }).then(
    () => true,
    () => ledger.unsettled === 0,
  );
}
