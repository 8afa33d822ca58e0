import type { Clock, Timer } from '../clock/clock.js';
import type { LossWindow } from '../recognition/loss-window.js';

const LEAST_MS = 1000;

/**
 * Sees to it that a loss is found also without traffic: while jobs are remembered, a canary asks for them three times in a
 * window.
 */
export class LossWatch {
  readonly #window: LossWindow;
  readonly #clock: Clock;
  readonly #everyMs: number;
  readonly #probe: () => Promise<void>;
  #timer: Timer | undefined;

  constructor(window: LossWindow, windowMs: number, clock: Clock, probe: () => Promise<void>) {
    this.#window = window;
    this.#clock = clock;
    this.#everyMs = Math.max(LEAST_MS, windowMs / 3);
    this.#probe = probe;
  }

  /** From now on. */
  start(): void {
    this.#timer = this.#clock.setTimeout(
      () => {
        void this.look();
        this.start();
      },
      this.#everyMs,
      true,
    );
  }

  /** Asks now: the connection is new, say, and the server behind it may be another one. Resolves when that has ended. */
  async look(): Promise<void> {
    if (!this.#window.isEmpty) await this.#probe();
  }

  stop(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
  }
}
