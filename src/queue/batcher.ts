import type { Clock, Timer } from '../clock/clock.js';
import { roughBytes } from '../job/job-record.js';
import type { PendingJob } from './pending-job.js';

/** A batch of more would keep Redis from others for too long: 256 × 1 MiB took 2.5 s. */
export const MAX_JOBS = 256;
const MAX_BYTES = 1024 * 1024;
/** Batches under way at once: one is made and answered while Redis executes another. */
export const MAX_BATCHES = 4;
/** A line is not shared out in smaller batches: a script costs Redis as much as several jobs, whatever its size. */
const MIN_SHARE = 32;

/** Where a batch may be cut; halved after each timeout, doubled after each answer. */
export class BatchLimits {
  readonly #maxJobs: number;
  #jobs: number;
  #bytes = MAX_BYTES;

  constructor(maxJobs: number) {
    this.#maxJobs = maxJobs;
    this.#jobs = maxJobs;
  }

  get jobs(): number {
    return this.#jobs;
  }

  get bytes(): number {
    return this.#bytes;
  }

  halve(): void {
    this.#jobs = Math.max(1, this.#jobs >> 1);
    this.#bytes = Math.max(16 * 1024, this.#bytes >> 1);
  }

  double(): void {
    if (this.#jobs === this.#maxJobs && this.#bytes === MAX_BYTES) return;
    this.#jobs = Math.min(this.#maxJobs, this.#jobs * 2);
    this.#bytes = Math.min(MAX_BYTES, this.#bytes * 2);
  }
}

/**
 * Gathers concurrent calls into batches.
 *
 * 1. `add()` puts a job in line; the line is cut when the present turn of the event loop is over, so that the calls of one
 *    turn go together and a lone call waits for no timer.
 * 2. As many batches as may be under way are cut from the line's head, of like size, and handed to `send`. In one batch,
 *    the callers would wait while Redis works, and Redis while the callers do: with 256 of them, half of the throughput.
 * 3. When one has ended, the next is cut: under load, batches grow by themselves.
 * 4. A job whose deadline passes in the line is handed to `giveUp`.
 *
 * `waitMs` says how long to wait with the next batch, its first job given; asked again by then, and by `goOn()`.
 */
export class Batcher {
  readonly limits: BatchLimits;
  readonly #clock: Clock;
  readonly #deadlineMs: number;
  readonly #maxInFlight: number;
  readonly #send: (batch: PendingJob[]) => Promise<void>;
  readonly #giveUp: (jobs: PendingJob[]) => void;
  readonly #waitMs: (oldest: PendingJob) => number;
  #line: PendingJob[] = [];
  #head = 0;
  #inFlight = 0;
  #isScheduled = false;
  #isHeld = false;
  #timer: Timer | undefined;
  #waiting: Timer | undefined;

  constructor(
    clock: Clock,
    deadlineMs: number,
    maxInFlight: number,
    send: (batch: PendingJob[]) => Promise<void>,
    giveUp: (jobs: PendingJob[]) => void,
    waitMs: (oldest: PendingJob) => number = () => 0,
    maxJobs = MAX_JOBS,
  ) {
    this.limits = new BatchLimits(maxJobs);
    this.#clock = clock;
    this.#deadlineMs = deadlineMs;
    this.#maxInFlight = maxInFlight;
    this.#send = send;
    this.#giveUp = giveUp;
    this.#waitMs = waitMs;
  }

  /** Whether live jobs are waiting or under way. */
  get isBusy(): boolean {
    return this.#inFlight > 0 || this.#head < this.#line.length;
  }

  add(job: PendingJob): void {
    this.#line.push(job);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    process.nextTick(this.#cutLine);
  }

  /** Sends nothing until `opened` has settled; deadlines pass all the same. */
  holdUntil(opened: Promise<void>): void {
    this.#isHeld = true;
    void opened.finally(() => {
      this.#isHeld = false;
      this.#cutLine();
    });
  }

  /** What `waitMs` says may have changed. */
  goOn(): void {
    if (this.#waiting !== undefined) this.#cutLine();
  }

  /** Takes every job out of the line. */
  takeAll(): PendingJob[] {
    const jobs = this.#line.slice(this.#head).filter((job) => job.isOpen);
    this.#line = [];
    this.#head = 0;
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#stopWaiting();
    return jobs;
  }

  readonly #cutLine = (): void => {
    this.#isScheduled = false;
    this.#stopWaiting();
    while (!this.#isHeld && this.#head < this.#line.length && this.#inFlight < this.#maxInFlight) {
      const waitMs = this.#waitMs(this.#line[this.#head] as PendingJob);
      if (waitMs > 0) {
        this.#waiting = this.#clock.setTimeout(this.#cutLine, Math.ceil(waitMs), false);
        break;
      }
      const batch = this.#cut();
      if (batch.length === 0) continue;
      this.#inFlight += 1;
      void this.#send(batch).then(this.#ended);
    }
    if (this.#head < this.#line.length) this.#watchDeadline();
  };

  #stopWaiting(): void {
    if (this.#waiting !== undefined) this.#clock.clearTimeout(this.#waiting);
    this.#waiting = undefined;
  }

  readonly #ended = (): void => {
    this.#inFlight -= 1;
    if (this.#head < this.#line.length && !this.#isScheduled) this.#cutLine();
  };

  #cut(): PendingJob[] {
    const { jobs: limit, bytes: maxBytes } = this.limits;
    const share = Math.ceil((this.#line.length - this.#head) / (this.#maxInFlight - this.#inFlight));
    const maxJobs = Math.min(limit, Math.max(MIN_SHARE, share));
    const batch: PendingJob[] = [];
    let bytes = 0;
    while (this.#head < this.#line.length && batch.length < maxJobs) {
      const job = this.#line[this.#head] as PendingJob;
      if (job.isOpen) {
        bytes += roughBytes(job.record);
        if (bytes > maxBytes && batch.length > 0) break;
        batch.push(job);
      }
      this.#head += 1;
    }
    if (this.#head === this.#line.length) {
      this.#line = [];
      this.#head = 0;
    } else if (this.#head > 4096 && this.#head * 2 > this.#line.length) {
      this.#line = this.#line.slice(this.#head);
      this.#head = 0;
    }
    return batch;
  }

  #watchDeadline(): void {
    if (this.#timer !== undefined) return;
    const oldest = this.#line[this.#head] as PendingJob;
    const dueMs = oldest.startedAt + this.#deadlineMs - this.#clock.monotonicMs();
    this.#timer = this.#clock.setTimeout(
      () => {
        this.#timer = undefined;
        const now = this.#clock.monotonicMs();
        const late: PendingJob[] = [];
        while (this.#head < this.#line.length) {
          const job = this.#line[this.#head] as PendingJob;
          if (job.startedAt + this.#deadlineMs > now) break;
          if (job.isOpen) late.push(job);
          this.#head += 1;
        }
        if (late.length > 0) this.#giveUp(late);
        if (this.#head < this.#line.length) this.#watchDeadline();
      },
      Math.max(0, dueMs),
      false,
    );
  }
}
