import type { Clock, Timer } from '../clock/clock.js';

/** A limit that somebody waits for. */
export interface Timeout {
  readonly dueAt: number;
  readonly onTimeout: () => void;
}

/**
 * Time limits that share one timer. Nearly all of them end long before they are due, and to set and clear a timer for each
 * costs a lone `enqueue()` more than all else that is done for its time limit. So the timer stays when its limit has ended,
 * and is set anew only for what is due when it fires.
 */
export class Timeouts {
  readonly #clock: Clock;
  readonly #active = new Set<Timeout>();
  #timer: Timer | undefined;
  #firesAt = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `onTimeout` in `timeoutMs`, counted from `now`, unless `end()` comes before. */
  start(now: number, timeoutMs: number, onTimeout: () => void): Timeout {
    const timeout = { dueAt: now + timeoutMs, onTimeout };
    this.#active.add(timeout);
    if (timeout.dueAt < this.#firesAt) this.#arm(timeout.dueAt, timeoutMs);
    return timeout;
  }

  /** Returns false when it was too late. */
  end(timeout: Timeout): boolean {
    return this.#active.delete(timeout);
  }

  /** Ends the timer; limits that are still active are not kept any more. */
  stop(): void {
    this.#clear();
  }

  #arm(firesAt: number, delayMs: number): void {
    this.#clear();
    this.#firesAt = firesAt;
    this.#timer = this.#clock.setTimeout(this.#fire, Math.max(1, delayMs), false);
  }

  #clear(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#firesAt = Number.POSITIVE_INFINITY;
  }

  readonly #fire = (): void => {
    this.#timer = undefined;
    this.#firesAt = Number.POSITIVE_INFINITY;
    // Timers may fire a little early.
    const now = this.#clock.monotonicMs() + 1;
    let next = Number.POSITIVE_INFINITY;
    for (const timeout of this.#active) {
      if (timeout.dueAt > now) next = Math.min(next, timeout.dueAt);
      // An event loop that was blocked runs its timers before it reads its sockets: the answer may be there already.
      else setImmediate(() => this.end(timeout) && timeout.onTimeout());
    }
    if (next < Number.POSITIVE_INFINITY) this.#arm(next, next - now + 1);
  };
}
