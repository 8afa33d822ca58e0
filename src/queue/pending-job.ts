import { ResilientQueueError } from '../errors/resilient-queue-error.js';
import type { JobRecord } from '../job/job-record.js';
import type { Receipt } from './receipt.js';

/**
 * Where an enqueued job is on its way.
 *
 * `waiting` → `sending` → `settled`, or from either of the first two → `to-backup` → `appending` → `settled`.
 * A reply of Redis settles the job in every phase before `appending`; afterwards only the store's answer does.
 */
export type Phase = 'waiting' | 'sending' | 'to-backup' | 'appending' | 'settled';

/** One call of `enqueue()` until its promise settles. */
export class PendingJob {
  readonly record: JobRecord;
  readonly promise: Promise<Receipt>;
  /** Monotonic ms; the deadline counts from here. */
  readonly startedAt: number;
  /** Whether a caller gave a delivery id back: then "recognised" means that it was there before this call. */
  readonly isGivenBack: boolean;
  phase: Phase = 'waiting';
  /** Attempts that have no answer yet, or never got one. */
  unanswered = 0;
  lastAttemptAt = 0;
  #resolve!: (receipt: Receipt) => void;
  #reject!: (error: unknown) => void;
  #unlisten: (() => void) | undefined;

  constructor(record: JobRecord, startedAt: number, isGivenBack: boolean) {
    this.record = record;
    this.startedAt = startedAt;
    this.isGivenBack = isGivenBack;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  get isSettled(): boolean {
    return this.phase === 'settled';
  }

  /** Whether Redis may still be asked, or its answer still counts. */
  get isOpen(): boolean {
    return this.phase === 'waiting' || this.phase === 'sending';
  }

  /** Where the job is as far as Redis goes, if nothing more is heard. */
  get fate(): 'not-delivered' | 'unknown' {
    return this.unanswered > 0 ? 'unknown' : 'not-delivered';
  }

  /** The job as a store keeps it. */
  toBackup(): JobRecord {
    if (this.lastAttemptAt === 0) return this.record;
    return { ...this.record, fate: this.fate, lastAttemptAt: this.lastAttemptAt };
  }

  /** Until the job is sent, `signal` takes it back. `onAborted` is told once it has. */
  abortWith(signal: AbortSignal, onAborted: () => void): void {
    const abort = () => {
      if (this.lastAttemptAt > 0 || (this.phase !== 'waiting' && this.phase !== 'to-backup')) return;
      this.reject(abortedError(this.record.id, signal));
      onAborted();
    };
    signal.addEventListener('abort', abort);
    this.#unlisten = () => signal.removeEventListener('abort', abort);
  }

  resolve(receipt: Receipt): void {
    this.phase = 'settled';
    this.#unlisten?.();
    this.#resolve(receipt);
  }

  reject(error: ResilientQueueError): void {
    this.phase = 'settled';
    this.#unlisten?.();
    this.#reject(error);
  }
}

/** The error of a job that its caller's signal took back. */
export function abortedError(jobId: string | undefined, signal: AbortSignal): ResilientQueueError {
  return new ResilientQueueError('The signal was aborted before the job was sent: it is nowhere.', {
    code: 'ABORTED',
    fate: 'not-delivered',
    jobId,
    cause: signal.reason,
  });
}
