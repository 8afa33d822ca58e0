/**
 * Jobs counted since the queue was made. With a store that only this process uses, always
 * `accepted + inherited = delivered + pending + parked + dropped`. With a shared store that holds for the sum over all its
 * processes at rest, and `pending` of one of them may be below zero: it replayed a neighbour's jobs.
 */
export interface Totals {
  /** `enqueue()` resolved with `enqueued` or `backed-up`. */
  readonly accepted: number;
  /** Laid down, or found to be, at once or by replay. */
  readonly delivered: number;
  /** Of these, found to be laid down already by an attempt whose answer was lost. */
  readonly recognised: number;
  /** In the backup, under a lease or not; or delivered, and the backup did not say that it heard of it and is not empty since. */
  readonly pending: number;
  /** Set aside as undeliverable. */
  readonly parked: number;
  /** Given up: expired, superseded by a new job of the same id, or lost: with a memory backup at `close()`, or by Redis. */
  readonly dropped: number;
  /** `enqueue()` rejected after its job was made. */
  readonly rejected: number;
  /** `enqueue()` resolved with `duplicate`. */
  readonly duplicates: number;
  /** Laid down again after Redis lost them. */
  readonly redelivered: number;
  /** In the backup when the queue was made, or put there by an `append()` that had been given up. */
  readonly inherited: number;
}

/** As they are written. */
export type MutableTotals = { -readonly [Name in keyof Totals]: number };

export function noTotals(): MutableTotals {
  return {
    accepted: 0,
    delivered: 0,
    recognised: 0,
    pending: 0,
    parked: 0,
    dropped: 0,
    rejected: 0,
    duplicates: 0,
    redelivered: 0,
    inherited: 0,
  };
}
