import type { Clock, Timer } from '../../src/index.js';

/** The instant that every simulation begins at. */
export const START_MS = 1_700_000_000_000;

interface Due {
  readonly at: number;
  readonly number: number;
  readonly callback: () => void;
}

/** A clock that stands still until it is advanced; then it runs what is due, one timer after the other. */
export class VirtualClock implements Clock {
  #now = START_MS;
  #timers = 0;
  /** By time, then in the order they were set; the next one last. */
  #due: Due[] = [];
  readonly #onStep: () => void;

  /** `onStep` is called whenever everything waits for a timer. */
  constructor(onStep: () => void = () => {}) {
    this.#onStep = onStep;
  }

  now(): number {
    return this.#now;
  }

  monotonicMs(): number {
    return this.#now - START_MS;
  }

  setTimeout(callback: () => void, delayMs: number): Timer {
    this.#timers += 1;
    const due: Due = {
      // As Node does: a timer never fires in the turn that set it.
      at: this.#now + Math.max(1, Math.ceil(delayMs)),
      number: this.#timers,
      callback,
    };
    let place = this.#due.length;
    while (place > 0 && (this.#due[place - 1] as Due).at <= due.at) place -= 1;
    this.#due.splice(place, 0, due);
    return due;
  }

  clearTimeout(timer: Timer): void {
    const place = this.#due.indexOf(timer as Due);
    if (place !== -1) this.#due.splice(place, 1);
  }

  /** Lets `ms` pass. All that one timer sets going ends, or waits for another timer, before the next one is run. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await this.#settle();
    for (;;) {
      const next = this.#due.at(-1);
      if (next === undefined || next.at > end) break;
      this.#due.pop();
      this.#now = next.at;
      next.callback();
      await this.#settle();
    }
    this.#now = end;
  }

  /** Lets every callback run that waits for no timer: microtasks, ticks, and immediates, which may set off more of them. */
  async #settle(): Promise<void> {
    for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
    this.#onStep();
  }
}
