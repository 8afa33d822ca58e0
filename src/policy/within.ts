import type { Clock } from '../clock/clock.js';
import { RedisFailure } from './outage.js';

/**
 * `work` with a deadline of our own: clients have been seen to settle never. Rejects with a timeout of unknown fate after
 * `timeoutMs`; what comes later is told to `onLate` and nobody else.
 */
export function within<T>(
  clock: Clock,
  timeoutMs: number,
  work: Promise<T>,
  onLate?: (value: T) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let isSettled = false;
    let isLate = false;
    // An event loop that was blocked runs its timers before it reads its sockets: the answer may be there already.
    const timer = clock.setTimeout(() => setImmediate(giveUp), timeoutMs, false);
    const giveUp = () => {
      if (isSettled) return;
      isLate = true;
      reject(noAnswerWithin(timeoutMs));
    };
    work.then(
      (value) => {
        if (isLate) return onLate?.(value);
        isSettled = true;
        clock.clearTimeout(timer);
        resolve(value);
      },
      (error: unknown) => {
        if (isLate) return;
        isSettled = true;
        clock.clearTimeout(timer);
        reject(error);
      },
    );
  });
}

/** The failure of an attempt that was given up: it may still be executed. */
export function noAnswerWithin(timeoutMs: number): RedisFailure {
  const row = { kind: 'timeout', treatment: 'outage', fate: 'unknown' } as const;
  return new RedisFailure(row, `No answer from Redis within ${Math.round(timeoutMs)} ms.`);
}
