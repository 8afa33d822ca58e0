import type { Clock } from '../clock/clock.js';

/** A store's promise with a deadline of ours. Rejects when it is over; the call may still take effect. */
export function boundedCall<T>(clock: Clock, deadlineMs: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimeout(
      () => reject(new Error(`The backup store did not answer within ${deadlineMs} ms.`)),
      deadlineMs,
      true,
    );
    work.then(
      (value) => {
        clock.clearTimeout(timer);
        resolve(value);
      },
      (error: unknown) => {
        clock.clearTimeout(timer);
        reject(error);
      },
    );
  });
}
