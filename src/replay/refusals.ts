import type { JobRecord } from '../job/job-record.js';
import type { RedisFailure } from '../policy/outage.js';

/** Replays of a job that fail for a reason of its own, after which it is given up. */
const MAX_REFUSALS = 5;

/** A job that Redis refused, and how. */
export interface Refused {
  readonly job: JobRecord;
  readonly failure: RedisFailure;
}

/**
 * Which refused jobs come again, and which are to be parked.
 *
 * A job is parked when the fault is its own: refused again and again, while Redis takes others in between. While it takes none
 * (rights were withdrawn, the key has the wrong type), everything waits. An error that nobody listed counts by itself.
 *
 * In order, nothing is taken in between: after as many refusals the job is held back and the one behind it is tried, which may
 * be held back, too. Once Redis takes one, those held back have been passed, and may not come any more.
 */
export class Refusals {
  readonly #ordered: boolean;
  /** Jobs that were refused, by delivery id. */
  readonly #troubled = new Map<string, { refusals: number; deliveries: number }>();
  /** Oldest first. */
  #heldBack: Refused[] = [];
  /** Those that were held back when the attempt at the job behind them had no answer. That may have passed them. */
  #maybePassed: readonly Refused[] = [];

  constructor(ordered: boolean) {
    this.#ordered = ordered;
  }

  /** What is to become of a refused job. `deliveries`: how often Redis has taken a job so far; `wasAlone`: in its batch. */
  judge({ job, failure }: Refused, deliveries: number, wasAlone: boolean): 'park' | 'hold-back' | 'wait' {
    const trouble = this.#troubled.get(job.delivery) ?? { refusals: 0, deliveries };
    // Rights may be taken, given back and taken again: one delivery in between proves little.
    const isUnlisted = failure.kind === 'unlisted';
    const isFirst = trouble.refusals === 0;
    if (isUnlisted || isFirst || this.#ordered || deliveries > trouble.deliveries) trouble.refusals += 1;
    trouble.deliveries = deliveries;
    this.#troubled.set(job.delivery, trouble);
    if (trouble.refusals < MAX_REFUSALS) return 'wait';
    if (isUnlisted || !this.#ordered) return 'park';
    return wasAlone ? 'hold-back' : 'wait';
  }

  /** The job will not come again. */
  forget(job: JobRecord): void {
    this.#troubled.delete(job.delivery);
  }

  holdBack(refused: Refused): void {
    this.#heldBack.push(refused);
  }

  /** Those that are held back, oldest first, and are not from now on. */
  takeHeldBack(): Refused[] {
    return this.#heldBack.splice(0);
  }

  /** The attempt at the job behind those that are held back had no answer. */
  unanswered(): void {
    if (this.#heldBack.length > 0) this.#maybePassed = [...this.#heldBack];
  }

  answered(): void {
    this.#maybePassed = [];
  }

  /** Holds back the first of `jobs` that may have been passed, until that is known. Returns how many these are. */
  holdBackAgain(jobs: readonly JobRecord[]): number {
    if (jobs.length === 0) return 0;
    // Not all need have come again: one that has expired meanwhile is gone.
    const again: Refused[] = [];
    for (const refused of this.#maybePassed)
      if (jobs[again.length]?.delivery === refused.job.delivery) again.push(refused);
    // Behind them must be one that can show it.
    if (again.length === jobs.length) again.length = 0;
    if (again.length === 0) this.#maybePassed = [];
    this.#heldBack = [...again];
    return again.length;
  }
}
