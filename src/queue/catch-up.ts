import type { Clock } from '../clock/clock.js';

/** The longest that a job waits for the backlog to shrink. */
const LONGEST_MS = 100;
/** Jobs that may be added to the backlog for each one that has left it. */
const SHARE = 0.5;
/** The most that can have been added beyond that share. */
const MOST_DEBT = 256;

/**
 * In order, a backlog that is being replayed takes the new jobs, too. Callers that wait for each receipt would fill it faster
 * than Redis empties it, for ever: a backup answers sooner. So new jobs wait, for as long as jobs leave the backlog and at
 * most 100 ms each, until twice as many have left as have come; and the last ones until it is empty.
 */
export class CatchUp {
  readonly #clock: Clock;
  #credit = 0;
  #movedAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A replay begins. */
  begin(): void {
    this.#credit = 0;
    this.#movedAt = this.#clock.monotonicMs();
  }

  /** So many jobs have left the backlog. */
  left(jobs: number): void {
    this.#credit += jobs * SHARE;
    this.#movedAt = this.#clock.monotonicMs();
  }

  /** So many jobs go to the backlog. */
  added(jobs: number): void {
    this.#credit = Math.max(-MOST_DEBT, this.#credit - jobs);
  }

  /** How long a job of that age should still wait; 0: not at all. */
  waitMs(startedAt: number): number {
    if (this.#credit > 0) return 0;
    return Math.max(0, Math.min(this.#movedAt, startedAt) + LONGEST_MS - this.#clock.monotonicMs());
  }
}
