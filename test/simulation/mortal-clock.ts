import type { Clock, Timer } from '../../src/index.js';

/** The clock of a process that can be killed: its timers die with it. */
export class MortalClock implements Clock {
  readonly #clock: Clock;
  readonly #timers = new Set<Timer>();
  #isDead = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs();
  }

  setTimeout(callback: () => void, delayMs: number, background: boolean): Timer {
    if (this.#isDead) return undefined;
    const timer = this.#clock.setTimeout(
      () => {
        this.#timers.delete(timer);
        callback();
      },
      delayMs,
      background,
    );
    this.#timers.add(timer);
    return timer;
  }

  clearTimeout(timer: Timer): void {
    this.#timers.delete(timer);
    this.#clock.clearTimeout(timer);
  }

  kill(): void {
    this.#isDead = true;
    for (const timer of this.#timers) this.#clock.clearTimeout(timer);
    this.#timers.clear();
  }
}
