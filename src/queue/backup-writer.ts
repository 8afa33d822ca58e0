import { append } from '../backup/append.js';
import type { AppendOutcome, BackupStore } from '../backup/backup-store.js';
import { recordBytes } from '../backup/record-bytes.js';
import type { Clock, Timer } from '../clock/clock.js';
import { isResilientQueueError, ResilientQueueError } from '../errors/resilient-queue-error.js';
import { scrubbed } from '../errors/scrub.js';
import type { JobRecord } from '../job/job-record.js';
import type { RedisFailure } from '../policy/outage.js';
import type { PendingJob } from './pending-job.js';

const MAX_JOBS = 256;
const MAX_BYTES = 1024 * 1024;
/** Appends that have not answered, those given up included: a store that hangs is not piled up on. */
export const MAX_APPENDS = 4;
/** Batches cut in one turn of the event loop. */
const MAX_CUTS = 4;

/** How full the backup may get. */
export interface BackupLimit {
  readonly jobs: number;
  readonly bytes: number;
}

/** What the writer tells about its jobs; it rejects those the store did not take, and settles no others. */
export interface BackupWriterListener {
  /** Jobs and bytes that the backup holds now, as far as is known. */
  held(): { readonly jobs: number; readonly bytes: number };
  /** The store is asked to keep `records`: `onAppended` or `onNotAppended` follows, once. */
  onAppending(records: readonly JobRecord[]): void;
  onAppended(
    jobs: readonly PendingJob[],
    records: readonly JobRecord[],
    outcomes: readonly AppendOutcome[],
  ): void;
  /** The store `failed`, is `unsure` whether it kept them, or is `silent`; then `onAnsweredLate` may follow. */
  onNotAppended(records: readonly JobRecord[], how: 'failed' | 'unsure' | 'silent'): void;
  onRejected(jobs: readonly PendingJob[], error: (job: PendingJob) => ResilientQueueError): void;
  /** The store answered after the callers had been told that it did not; undefined: that it failed. */
  onAnsweredLate(records: readonly JobRecord[], outcomes: readonly AppendOutcome[] | undefined): void;
  /** The store failed, hung, or works again. */
  onStore(isWell: boolean, error?: Error): void;
}

interface Entry {
  readonly job: PendingJob;
  readonly failure: RedisFailure | undefined;
  /** Monotonic ms. */
  readonly dueAt: number;
}

/**
 * Hands jobs to the store, a batch at a time.
 *
 * 1. A job in line is still Redis's: a late reply settles it. From the start of its `append()` on, only the store's answer
 *    counts.
 * 2. Over the limit, jobs are refused at once, first come first kept.
 * 3. A store that does not answer within `backupDeadlineMs` leaves the fate unknown; its place stays taken until it answers.
 *    While all places are taken so, jobs are refused at once.
 * 4. After a few batches the event loop gets its turn: a store in memory answers at once, and callers that enqueue one job
 *    after the other would leave no time in which anybody could learn that Redis is back.
 */
export class BackupWriter {
  readonly #store: BackupStore;
  readonly #queue: string;
  readonly #clock: Clock;
  readonly #deadlineMs: number;
  readonly #limit: BackupLimit;
  readonly #maxInFlight: number;
  readonly #listener: BackupWriterListener;
  #line: Entry[] = [];
  #head = 0;
  #inFlight = 0;
  #overdue = 0;
  #appendingJobs = 0;
  #appendingBytes = 0;
  #timer: Timer | undefined;
  #isStarted = false;
  /** The last append was given up. */
  #isHanging = false;
  #nextTrialAt = 0;
  #cuts = 0;

  constructor(
    store: BackupStore,
    queue: string,
    clock: Clock,
    deadlineMs: number,
    limit: BackupLimit,
    maxInFlight: number,
    listener: BackupWriterListener,
  ) {
    this.#store = store;
    this.#queue = queue;
    this.#clock = clock;
    this.#deadlineMs = deadlineMs;
    this.#limit = limit;
    this.#maxInFlight = maxInFlight;
    this.#listener = listener;
  }

  /** The store has not answered an append yet, and is not given up. */
  get isAppending(): boolean {
    return this.#inFlight > this.#overdue;
  }

  /** Every job has its answer. An append that was given up may still take effect, but its callers know. */
  get isIdle(): boolean {
    return !this.isAppending && this.#head === this.#line.length;
  }

  /** Appends nothing before `opened` has settled: until then the store is asked what it holds from before. */
  start(opened: Promise<void>): void {
    void opened.finally(() => {
      this.#isStarted = true;
      this.#pump();
    });
  }

  /** Takes over `jobs`; `failure` is why Redis did not get them. */
  add(jobs: readonly PendingJob[], failure: RedisFailure | undefined): void {
    const dueAt = this.#clock.monotonicMs() + this.#deadlineMs;
    for (const job of jobs) {
      job.phase = 'to-backup';
      this.#line.push({ job, failure, dueAt });
    }
    this.#pump();
  }

  #pump(): void {
    while (this.#isStarted && this.#head < this.#line.length && this.#cuts < MAX_CUTS && this.#hasPlace) {
      this.#countCut();
      // One job tells as much of a store that hangs as many do, and is all that an append without an end would keep.
      const batch = this.#cut(this.#isStuck ? 1 : MAX_JOBS);
      if (batch.length > 0) void this.#append(batch);
    }
    if (this.#head < this.#line.length) {
      if (this.#isStuck && this.#cuts < MAX_CUTS) {
        this.#countCut();
        this.#refuseLine('The backup store has not answered its last calls.');
      } else {
        this.#watchLine();
      }
    }
  }

  #countCut(): void {
    if (this.#cuts === 0) setImmediate(this.#nextTurn);
    this.#cuts += 1;
  }

  readonly #nextTurn = (): void => {
    this.#cuts = 0;
    this.#pump();
  };

  /** Every place is taken by an append that hangs. */
  get #isStuck(): boolean {
    return this.#isHanging && !this.isAppending && this.#overdue >= this.#maxInFlight;
  }

  /** While the store is stuck, one append is tried now and then: it may be well again. */
  get #hasPlace(): boolean {
    // A store that works is not held to what it once left without an answer.
    const taken = this.#isHanging ? this.#inFlight : this.#inFlight - this.#overdue;
    if (taken < this.#maxInFlight) return true;
    if (!this.#isStuck) return false;
    const now = this.#clock.monotonicMs();
    if (now < this.#nextTrialAt) return false;
    this.#nextTrialAt = now + this.#deadlineMs;
    return true;
  }

  /** The next batch that fits, out of the line; what does not fit is rejected. */
  #cut(maxJobs: number): Entry[] {
    const held = this.#listener.held();
    let roomJobs = this.#limit.jobs - held.jobs - this.#appendingJobs;
    let roomBytes = this.#limit.bytes - held.bytes - this.#appendingBytes;
    const batch: Entry[] = [];
    const full: Entry[] = [];
    let bytes = 0;
    while (this.#head < this.#line.length && batch.length < maxJobs && full.length < MAX_JOBS) {
      const entry = this.#line[this.#head] as Entry;
      if (!entry.job.isSettled) {
        const size = recordBytes(entry.job.record);
        if (roomJobs < 1 || roomBytes < size) {
          full.push(entry);
        } else {
          if (bytes + size > MAX_BYTES && batch.length > 0) break;
          batch.push(entry);
          bytes += size;
          roomJobs -= 1;
          roomBytes -= size;
        }
      }
      this.#head += 1;
    }
    this.#compact();
    if (full.length > 0) this.#refuseFull(full);
    return batch;
  }

  async #append(batch: readonly Entry[]): Promise<void> {
    const jobs = batch.map((entry) => entry.job);
    const records = jobs.map((job) => {
      job.phase = 'appending';
      return job.toBackup();
    });
    const bytes = records.reduce((sum, record) => sum + recordBytes(record), 0);
    this.#inFlight += 1;
    this.#appendingJobs += jobs.length;
    this.#appendingBytes += bytes;
    let isOverdue = false;
    this.#listener.onAppending(records);
    const timer = this.#clock.setTimeout(
      () => {
        isOverdue = true;
        this.#overdue += 1;
        this.#isHanging = true;
        this.#nextTrialAt = this.#clock.monotonicMs() + this.#deadlineMs;
        const silence = new Error(`The backup store did not answer within ${this.#deadlineMs} ms.`);
        this.#listener.onStore(false, silence);
        this.#listener.onNotAppended(records, 'silent');
        this.#reject(batch, silence, true);
        this.#pump();
      },
      // Time spent in line counts: the caller waits for one deadline, not for two.
      Math.max(1, (batch[0] as Entry).dueAt - this.#clock.monotonicMs()),
      false,
    );
    try {
      const outcomes = await append(this.#store, this.#queue, records);
      if (!isOverdue) this.#isHanging = false;
      this.#listener.onStore(true);
      if (isOverdue) this.#listener.onAnsweredLate(records, outcomes);
      else this.#listener.onAppended(jobs, records, outcomes);
    } catch (error) {
      const failure = scrubbed(error);
      this.#listener.onStore(false, failure);
      // A store that cannot tell whether it kept them says so by `fate`.
      const isUnknown = isObject(error) && error.fate === 'unknown';
      const isFull = isResilientQueueError(error) && error.code === 'BACKUP_FULL';
      if (isOverdue) {
        this.#listener.onAnsweredLate(records, undefined);
      } else {
        this.#listener.onNotAppended(records, isUnknown ? 'unsure' : 'failed');
        if (isFull) this.#refuseFull(batch);
        else this.#reject(batch, failure, isUnknown);
      }
    } finally {
      this.#clock.clearTimeout(timer);
      this.#inFlight -= 1;
      if (isOverdue) this.#overdue -= 1;
      this.#appendingJobs -= jobs.length;
      this.#appendingBytes -= bytes;
      this.#pump();
    }
  }

  #refuseFull(entries: readonly Entry[]): void {
    const { jobs, bytes } = this.#limit;
    this.#rejectEach(entries, (entry) => {
      const cause = entry.failure;
      return new ResilientQueueError(
        `Redis could not take the job and the backup is at its limit (${jobs} jobs${Number.isFinite(bytes) ? `, ${bytes} bytes` : ''}). ${advice(entry.job)}`,
        { code: 'BACKUP_FULL', fate: entry.job.fate, jobId: entry.job.record.id, cause },
      );
    });
  }

  #refuseLine(reason: string): void {
    const entries = this.#line.slice(this.#head).filter((entry) => !entry.job.isSettled);
    this.#head = this.#line.length;
    this.#compact();
    this.#reject(entries, new Error(reason), false);
  }

  #reject(entries: readonly Entry[], storeError: Error, isUnknown: boolean): void {
    this.#rejectEach(entries, ({ job, failure }) => {
      const causes = failure ? [failure, storeError] : [storeError];
      return new ResilientQueueError(
        `Neither Redis (${failure?.kind ?? 'circuit open'}) nor the backup store took the job. ${advice(job, isUnknown)}`,
        {
          code: 'UNAVAILABLE',
          fate: isUnknown ? 'unknown' : job.fate,
          jobId: job.record.id,
          cause: new AggregateError(causes, 'What Redis and the backup store said'),
        },
      );
    });
  }

  #rejectEach(entries: readonly Entry[], makeError: (entry: Entry) => ResilientQueueError): void {
    const open = new Map(entries.filter((e) => !e.job.isSettled).map((e) => [e.job, e] as const));
    if (open.size === 0) return;
    this.#listener.onRejected([...open.keys()], (job) => makeError(open.get(job) as Entry));
  }

  /** Bounds the wait of the jobs in line. */
  #watchLine(): void {
    if (this.#timer !== undefined) return;
    const oldest = this.#line[this.#head] as Entry;
    this.#timer = this.#clock.setTimeout(
      () => {
        this.#timer = undefined;
        const now = this.#clock.monotonicMs();
        const late: Entry[] = [];
        while (this.#head < this.#line.length) {
          const entry = this.#line[this.#head] as Entry;
          if (entry.dueAt > now) break;
          if (!entry.job.isSettled) late.push(entry);
          this.#head += 1;
        }
        this.#compact();
        this.#reject(late, new Error('The backup store was busy for too long.'), false);
        if (this.#head < this.#line.length) this.#watchLine();
      },
      Math.max(0, oldest.dueAt - this.#clock.monotonicMs()),
      false,
    );
  }

  #compact(): void {
    if (this.#head === this.#line.length) {
      this.#line = [];
      this.#head = 0;
      if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
      this.#timer = undefined;
    } else if (this.#head > 4096 && this.#head * 2 > this.#line.length) {
      this.#line = this.#line.slice(this.#head);
      this.#head = 0;
    }
  }
}

function advice(job: PendingJob, isUnknown = job.fate === 'unknown'): string {
  return isUnknown
    ? 'It may still run: enqueue it again with the same id (error.jobId), and there will be one.'
    : 'It is nowhere: enqueue it again.';
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
