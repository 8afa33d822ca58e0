/** A timer that {@link Clock.setTimeout} made. Opaque: only handed back to {@link Clock.clearTimeout}. */
export type Timer = unknown;

/** Where the library takes its time from. Give your own to test without waiting. */
export interface Clock {
  /** The present instant, epoch ms. */
  now(): number;
  /** Milliseconds of a clock that never jumps; only differences mean anything. */
  monotonicMs(): number;
  /**
   * Calls `callback` once after `delayMs`. A `background` timer does not keep the process alive; the others bound a promise
   * that a caller waits for, and live no longer than that.
   */
  setTimeout(callback: () => void, delayMs: number, background: boolean): Timer;
  clearTimeout(timer: Timer): void;
}

/** The machine's clock. */
export const systemClock: Clock = Object.freeze({
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimeout(callback: () => void, delayMs: number, background: boolean): Timer {
    const timer = setTimeout(callback, delayMs);
    if (background) timer.unref();
    return timer;
  },
  clearTimeout(timer: Timer) {
    clearTimeout(timer as NodeJS.Timeout);
  },
});

/** Resolves after `delayMs`, or at once when `signal` is aborted; never rejects. */
export function pause(
  clock: Clock,
  delayMs: number,
  options: { readonly background: boolean; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const { signal } = options;
  return new Promise((resolve) => {
    if (signal?.aborted) {
      resolve();
      return;
    }
    const end = () => {
      clock.clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = clock.setTimeout(end, delayMs, options.background);
    signal?.addEventListener('abort', end);
  });
}
