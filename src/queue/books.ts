import type { AppendOutcome, BackupStats } from '../backup/backup-store.js';
import { type MutableTotals, noTotals } from '../health/totals.js';
import type { JobRecord } from '../job/job-record.js';
import type { Backlog } from './backlog.js';
import { Doubts, type Meanwhile } from './doubts.js';

/** What the books are told, and tell, of jobs in the backup. */
export interface BooksListener {
  /** The store took it. */
  onKept(job: JobRecord): void;
  /** The store took it in place of a parked job of the same id. */
  onSuperseded(job: JobRecord): void;
  /** It was told that the job of this id is parked or dropped, and the store may still hold it. */
  hasGivenUp(id: string): boolean;
  /** Redis had taken the job and lost it, and nobody but the store has it now. */
  wasLost(job: JobRecord): boolean;
}

/**
 * Where each job is: the totals, written where a job changes hands, and with them what the store is thought to hold.
 *
 * The store does not always say what it did. It may keep a job and not answer, or let go of it before it has said that it had
 * it. Such a job is inherited as soon as it shows that the store has it, and counted once, whichever comes first.
 */
export class Books {
  readonly totals: MutableTotals = noTotals();
  readonly #backlog: Backlog;
  readonly #listener: BooksListener;
  readonly #doubts = new Doubts();
  #isInheritanceKnown = false;
  /** When the store was looked into last. */
  #seenParked = 0;

  constructor(backlog: Backlog, listener: BooksListener) {
    this.#backlog = backlog;
    this.#listener = listener;
  }

  /** The store is asked to keep `jobs`: `answered()` or `unanswered()` follows. */
  asked(jobs: readonly JobRecord[]): void {
    this.#doubts.asked(jobs);
  }

  /** The store has answered; what it said of each job is to be entered next. */
  answered(jobs: readonly JobRecord[]): Meanwhile {
    return this.#doubts.answered(jobs);
  }

  /** What the store holds under this id is no job that counts any more. */
  isGivenUp({ id }: JobRecord, { setAside }: Meanwhile): boolean {
    return setAside.has(id) || this.#listener.hasGivenUp(id);
  }

  /** The store may have a job of this id without having said so. */
  isDoubted(id: string): boolean {
    return this.#doubts.hasId(id);
  }

  /** The store took a caller's job. */
  accepted(job: JobRecord, outcome: AppendOutcome | undefined, meanwhile: Meanwhile): void {
    this.totals.accepted += 1;
    // It was not there: a caller who was told "unknown" has come again.
    this.#doubts.end(job.id);
    this.#keep(job, outcome, meanwhile.gone.has(job.delivery));
  }

  /** The store has a job of this id already. */
  duplicate(job: JobRecord): void {
    this.totals.duplicates += 1;
    this.#addIfKept(job);
  }

  /** What the store said of a job that counts as delivered, and that Redis may have lost. Returns whether the store has it. */
  backedUpAgain(job: JobRecord, outcome: AppendOutcome | undefined, meanwhile: Meanwhile): boolean {
    if (outcome !== 'present') {
      this.#doubts.end(job.id);
      this.totals.delivered -= 1;
      this.#keep(job, outcome, meanwhile.gone.has(job.delivery));
    } else if (meanwhile.gone.get(job.delivery)) {
      this.#inherit(job);
    } else {
      if (this.isGivenUp(job, meanwhile)) return false;
      this.#addIfKept(job);
    }
    return true;
  }

  /** The store `failed`, is `unsure` whether it kept them, or is `silent`: then `answeredLate()` may follow. */
  unanswered(jobs: readonly JobRecord[], how: 'failed' | 'unsure' | 'silent'): void {
    const { gone } = how === 'silent' ? this.#doubts.givenUp(jobs) : this.#doubts.answered(jobs);
    for (const job of jobs) {
      const wasDoubted = gone.get(job.delivery);
      if (wasDoubted || (wasDoubted === false && how !== 'failed')) this.#inherit(job);
      else if (how !== 'failed') this.#doubts.add(job, this.#backlog.looks);
    }
  }

  /** The store answered after all; undefined: it failed. */
  answeredLate(jobs: readonly JobRecord[], outcomes: readonly AppendOutcome[] | undefined): void {
    const counted = this.#doubts.answeredLate(jobs);
    if (!counted || !outcomes) return;
    jobs.forEach((job, i) => {
      if (outcomes[i] === 'present') return;
      this.#doubts.end(job.id);
      // It may have been replayed by now, and was inherited then.
      if (counted.has(job.delivery)) return;
      this.totals.inherited += 1;
      this.#keep(job, outcomes[i], false);
    });
  }

  /** The store has shown that it has these, which it may not have said. */
  leased(jobs: readonly JobRecord[]): void {
    if (this.#doubts.isEmpty) return;
    for (const job of jobs) if (!this.#doubts.isAsked(job)) this.#inheritIfDoubted(job);
  }

  replayed(jobs: readonly JobRecord[], recognised: number): void {
    for (const job of jobs) {
      this.#inheritIfKept(job);
      this.#backlog.removed(job);
    }
    this.confirmed(jobs.length, recognised);
  }

  /** So many have left the store for their queue. */
  confirmed(jobs: number, recognised: number): void {
    this.totals.delivered += jobs;
    this.totals.recognised += recognised;
    this.totals.pending -= jobs;
  }

  parked(job: JobRecord): void {
    this.#inheritIfKept(job);
    this.#backlog.parkedOne(job);
    this.totals.pending -= 1;
    this.totals.parked += 1;
  }

  dropped(job: JobRecord): void {
    this.#inheritIfKept(job);
    this.#backlog.removed(job);
    this.totals.pending -= 1;
    this.totals.dropped += 1;
  }

  /** A job that is parked or dropped has left the store, or is parked in it. */
  setAside(job: JobRecord): void {
    this.#doubts.setAside(job.id);
  }

  /** Redis lost them, and nobody lays them down again. */
  lost(jobs: readonly JobRecord[]): void {
    this.totals.delivered -= jobs.length;
    this.totals.dropped += jobs.length;
  }

  /** The store said what it holds. What is there the first time, and is not known, is inherited. */
  lookedInto({ pending, parked }: BackupStats): void {
    const parkedBefore = this.#seenParked;
    this.#seenParked = parked;
    if (this.#isInheritanceKnown) {
      // Only a person puts jobs back in line behind the queue's back, and it may have replayed them since. One that it has told
      // of as parked, and that the store has not set aside yet, was not among those before.
      this.#unparked(Math.min(parkedBefore - parked, pending - this.totals.pending));
      return;
    }
    this.#isInheritanceKnown = true;
    const inherited = Math.max(0, pending - this.totals.pending);
    this.totals.inherited += inherited;
    this.totals.pending += inherited;
    // What the store had kept of these is among them.
    this.#doubts.clear();
  }

  /** Jobs of this queue's, or of a predecessor's. */
  #unparked(jobs: number): void {
    if (jobs <= 0) return;
    const own = Math.min(jobs, this.totals.parked);
    this.totals.parked -= own;
    this.totals.inherited += jobs - own;
    this.totals.pending += jobs;
  }

  /** The store has taken it; `isGone`: and it has left already. */
  #keep(job: JobRecord, outcome: AppendOutcome | undefined, isGone: boolean): void {
    this.totals.pending += 1;
    if (!isGone) this.#backlog.added(job);
    this.#listener.onKept(job);
    if (outcome !== 'replaced') return;
    // The parked job of this id gave way: it is accounted for as dropped.
    this.#backlog.parked = Math.max(0, this.#backlog.parked - 1);
    if (this.totals.parked > 0) this.totals.parked -= 1;
    else this.totals.inherited += 1;
    this.totals.dropped += 1;
    this.#listener.onSuperseded(job);
  }

  /** A job leaves the store, which may not have said that it has it. */
  #inheritIfKept(job: JobRecord): void {
    const wasDoubted = this.#doubts.has(job);
    if (this.#doubts.isGoneEarly(job, wasDoubted)) {
      // What the store answers decides how it counts.
      if (wasDoubted) this.#addIfKept(job);
      else this.#backlog.added(job);
      this.#doubts.end(job.id);
    } else {
      this.#inheritIfDoubted(job);
    }
  }

  #inheritIfDoubted(job: JobRecord): void {
    const wasDoubted = this.#doubts.has(job);
    if (wasDoubted) this.#addIfKept(job);
    this.#doubts.end(job.id);
    if (wasDoubted) this.#inherit(job);
  }

  /** The store had kept a job and did not say so. */
  #inherit(job: JobRecord): void {
    this.#doubts.counted(job);
    // What Redis lost counts as delivered until then.
    if (this.#listener.wasLost(job)) this.totals.delivered -= 1;
    else this.totals.inherited += 1;
    this.totals.pending += 1;
  }

  /** The store has a job of this id. Without this, the backlog would seem to be empty too early. */
  #addIfKept(job: JobRecord): void {
    if (this.#doubts.isToBeAdded(job.id, this.#backlog.looks)) this.#backlog.added(job);
  }
}
