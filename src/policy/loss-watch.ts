import type { Clock, Timer } from '../clock/clock.js';
import type { LossWindow } from '../recognition/loss-window.js';

const LEAST_MS = 1000;

/**
 * Sees to it that a loss is found also without traffic: while jobs are remembered and nothing has been heard of a witness for
 * a third of the window, a canary is sent that carries one.
 */
export class LossWatch {
  readonly #window: LossWindow;
  readonly #clock: Clock;
  readonly #everyMs: number;
  readonly #probe: () => void;
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(window: LossWindow, windowMs: number, clock: Clock, probe: () => void) {
    this.#window = window;
    this.#clock = clock;
    this.#everyMs = Math.max(LEAST_MS, windowMs / 3);
    this.#probe = probe;
  }

  /** Jobs were acknowledged. */
  start(): void {
    if (this.#timer === undefined && !this.#isStopped) this.#schedule();
  }

  /** The connection is new: the server behind it may be another one. */
  look(): void {
    if (!this.#window.isEmpty) this.#probe();
  }

  stop(): void {
    this.#isStopped = true;
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
  }

  #schedule(): void {
    const { verdicts } = this.#window;
    this.#timer = this.#clock.setTimeout(
      () => {
        this.#timer = undefined;
        if (this.#window.isEmpty) return;
        if (this.#window.verdicts === verdicts) this.#probe();
        this.#schedule();
      },
      this.#everyMs,
      true,
    );
  }
}
