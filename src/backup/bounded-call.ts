import type { Clock } from '../clock/clock.js';

/** The store may still do what it was asked for. */
export class SilentStoreError extends Error {
  override readonly name = 'SilentStoreError';

  constructor(deadlineMs: number) {
    super(`The backup store did not answer within ${deadlineMs} ms.`);
  }
}

/** Waits for a store's promise, with a deadline. */
export type StoreCall = <T>(work: Promise<T>) => Promise<T>;

/** A store's promise with a deadline of ours. Rejects with {@link SilentStoreError} when it is over; the call may still take effect. */
export function boundedCall<T>(clock: Clock, deadlineMs: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimeout(() => reject(new SilentStoreError(deadlineMs)), deadlineMs, true);
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
