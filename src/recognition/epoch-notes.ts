import type { Clock } from '../clock/clock.js';

/** How long a note is good for: the sweep looks back for days, so a minute more or less is nothing to it. */
export const FRESH_MS = 60_000;

/**
 * Which epochs Redis has noted as being in use, as far as one queue object knows. It saves the usual batch from noting its
 * epoch once more.
 */
export class EpochNotes {
  readonly #clock: Clock;
  /** Monotonic ms of each note. */
  readonly #notedAt = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  isFresh(epoch: string): boolean {
    const at = this.#notedAt.get(epoch);
    return at !== undefined && this.#clock.monotonicMs() - at < FRESH_MS;
  }

  /** Redis has noted `epochs` just now. */
  noted(epochs: readonly string[]): void {
    const now = this.#clock.monotonicMs();
    for (const [epoch, at] of this.#notedAt) if (now - at >= FRESH_MS) this.#notedAt.delete(epoch);
    for (const epoch of epochs) this.#notedAt.set(epoch, now);
  }

  /** Redis has lost writes, and these may be among them. */
  forget(): void {
    this.#notedAt.clear();
  }
}
