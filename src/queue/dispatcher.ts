import { type Clock, pause, type Timer } from '../clock/clock.js';
import type { JobRecord } from '../job/job-record.js';
import type { RedisPolicy } from '../policy/default-policy.js';
import { RedisFailure, sortFailure } from '../policy/outage.js';
import { stayedAway, untilReady } from '../policy/prober.js';
import type { RedisGateway } from '../policy/redis-gateway.js';
import type { Delivery, DeliveryOutcome } from '../recognition/recognise.js';
import type { BatchLimits } from './batcher.js';
import type { PendingJob } from './pending-job.js';

/** Between two tries while a connection comes back. */
const GAP_PAUSE_MS = 25;
/** With less of the deadline left, an attempt would only make the fate unknown. */
const MIN_ATTEMPT_MS = 10;
/** A job this large, alone in its batch, gets the whole deadline for one attempt. */
const LARGE_BYTES = 256 * 1024;

/** What the dispatcher tells about its jobs; it settles nothing itself. */
export interface DispatchListener {
  /** Redis answered: each job with its outcome, still open ones only. */
  onOutcomes(jobs: readonly PendingJob[], outcomes: readonly DeliveryOutcome[]): void;
  /** Redis refused this job and is well. */
  onRefused(job: PendingJob, failure: RedisFailure): void;
  /** Redis could not take these, or did not say; they belong to the backup. `failure` is undefined if nothing was tried. */
  onDiverted(jobs: PendingJob[], failure: RedisFailure | undefined): void;
  /** Redis answered after it had been given up. */
  onLateAnswer(): void;
}

/**
 * Sends a batch to Redis.
 *
 * 1. Deadline > retry > breaker > attempt: the deadline is here, the rest is `RedisPolicy`.
 * 2. An attempt waits for a connection that is away (a gap), sends what is still open, and hands on each job's outcome.
 * 3. Jobs that an outage refused are tried again as the retry option says; all others are settled by then.
 * 4. At the deadline, or when the tries are used up, what is open is diverted, once.
 *
 * In order (`ordering: 'queue'`), there is one batch at a time and one attempt at it: a retry could come after an attempt
 * that is still to be executed, and jobs of the next batch between the two.
 */
export class Dispatcher {
  readonly #gateway: RedisGateway;
  readonly #policy: RedisPolicy;
  readonly #clock: Clock;
  readonly #limits: BatchLimits;
  readonly #listener: DispatchListener;
  readonly #deadlineMs: number;
  readonly #attemptTimeoutMs: number;
  readonly #isOrdered: boolean;
  readonly #batches = new Set<Batch>();

  constructor(
    gateway: RedisGateway,
    policy: RedisPolicy,
    clock: Clock,
    limits: BatchLimits,
    listener: DispatchListener,
    options: {
      readonly deadlineMs: number;
      readonly attemptTimeoutMs: number;
      readonly ordering: 'none' | 'queue';
    },
  ) {
    this.#gateway = gateway;
    this.#policy = policy;
    this.#clock = clock;
    this.#limits = limits;
    this.#listener = listener;
    this.#deadlineMs = options.deadlineMs;
    this.#attemptTimeoutMs = options.attemptTimeoutMs;
    this.#isOrdered = options.ordering === 'queue';
  }

  /** Resolves when no attempt at `jobs` will be begun any more; never rejects. */
  async send(jobs: PendingJob[]): Promise<void> {
    if (!this.#policy.isClosed) {
      this.#listener.onDiverted(
        jobs,
        this.#policy.state === 'isolated' ? undefined : this.#policy.lastFailure,
      );
      return;
    }
    const oldest = jobs[0] as PendingJob;
    const batch = new Batch(jobs, oldest.startedAt + this.#deadlineMs);
    this.#batches.add(batch);
    // A retry's pause may outlast the deadline; the batch's place is free then all the same.
    await Promise.race([this.#run(batch), batch.over]);
    this.#batches.delete(batch);
    this.#divert(batch);
  }

  async #run(batch: Batch): Promise<void> {
    try {
      await this.#policy.execute(() => this.#attempt(batch), { retry: !this.#isOrdered });
    } catch (error) {
      if (!(error instanceof RedisFailure)) return;
      batch.failure = error;
      // It stayed a redirection: this client will never reach the queue's node.
      if (error.treatment !== 'redirect') return;
      for (const job of batch.open()) this.#listener.onRefused(job, error);
    }
  }

  /** Gives up every batch under way, before its deadline. Returns the jobs that are open. */
  abandon(): PendingJob[] {
    const jobs: PendingJob[] = [];
    for (const batch of this.#batches) {
      if (batch.isOver) continue;
      this.#end(batch);
      jobs.push(...batch.open());
    }
    return jobs;
  }

  async #attempt(batch: Batch): Promise<void> {
    for (;;) {
      const leftMs = batch.deadlineAt - this.#clock.monotonicMs();
      const goOn = () => !batch.isOver && this.#policy.isClosed;
      if (!this.#gateway.isReady) {
        this.#armDeadline(batch);
        // It ends just before the deadline, so that the breaker is open when these jobs are seen in the backup.
        if (await untilReady(this.#gateway, this.#clock, leftMs - MIN_ATTEMPT_MS, goOn, false)) continue;
        batch.failure ??= stayedAway();
        // A batch that came late to the gap has not seen whether it outlasts a deadline.
        if (leftMs < this.#deadlineMs / 2) throw new GivenUp();
        throw this.#gateway.failed(stayedAway());
      }
      const jobs = batch.open();
      if (leftMs < MIN_ATTEMPT_MS || jobs.length === 0) throw new GivenUp();
      const failure = await this.#try(jobs, leftMs);
      if (failure === undefined) return;
      batch.failure = failure;
      this.#armDeadline(batch);
      // Not ridden out, a gap is one failure like others: the connection may be back in a moment.
      if (this.#isOrdered) throw failure.treatment === 'gap' ? failure.as('outage') : failure;
      if (failure.treatment !== 'gap') throw failure;
      // The connection went away and may be back in a moment: that is no reason to give up yet.
      await pause(this.#clock, GAP_PAUSE_MS * (0.5 + Math.random()), { background: false });
      if (!goOn()) throw failure;
    }
  }

  /** One delivery. Resolves with the failure that leaves jobs open, undefined when every job has its answer. */
  async #try(jobs: PendingJob[], leftMs: number): Promise<RedisFailure | undefined> {
    const isLarge = jobs.length === 1 && (jobs[0] as PendingJob).record.payload.length >= LARGE_BYTES;
    const timeoutMs = isLarge ? leftMs : Math.min(this.#attemptTimeoutMs, leftMs);
    const records: JobRecord[] = new Array(jobs.length);
    const now = this.#clock.now();
    for (let i = 0; i < jobs.length; i++) {
      const job = jobs[i] as PendingJob;
      job.phase = 'sending';
      job.unanswered += 1;
      job.lastAttemptAt = now;
      records[i] = job.record;
    }
    let delivery: Delivery;
    try {
      delivery = await this.#gateway.deliver(records, timeoutMs, (late) => {
        this.#answered(jobs, late);
        this.#listener.onLateAnswer();
      });
    } catch (error) {
      const failure = error as RedisFailure;
      if (failure.kind === 'timeout') this.#limits.halve();
      if (failure.fate === 'not-delivered') for (const job of jobs) job.unanswered -= 1;
      if (failure.treatment !== 'caller') return failure;
      for (const job of jobs) if (job.isOpen) this.#listener.onRefused(job, failure);
      return undefined;
    }
    this.#limits.double();
    return this.#answered(jobs, delivery);
  }

  /** Hands on each job's outcome. Returns the first failure that leaves a job open. */
  #answered(jobs: readonly PendingJob[], delivery: Delivery): RedisFailure | undefined {
    let failure: RedisFailure | undefined;
    let isMixed = false;
    for (let i = 0; i < jobs.length; i++) {
      const job = jobs[i] as PendingJob;
      const outcome = delivery.outcomes[i] as DeliveryOutcome;
      if (job.phase === 'appending' || job.phase === 'settled') isMixed = true;
      if (typeof outcome === 'string') continue;
      isMixed = true;
      const refusal = sortFailure(outcome.rejected, false);
      if (refusal.fate === 'not-delivered') job.unanswered -= 1;
      if (refusal.treatment === 'caller') {
        // Given up already, it is a matter of the backup: replay will find the same.
        if (job.isOpen) this.#listener.onRefused(job, refusal);
      } else {
        failure ??= this.#gateway.failed(refusal);
      }
    }
    if (!isMixed) {
      this.#listener.onOutcomes(jobs, delivery.outcomes);
      return failure;
    }
    const answered: PendingJob[] = [];
    const outcomes: DeliveryOutcome[] = [];
    for (let i = 0; i < jobs.length; i++) {
      const job = jobs[i] as PendingJob;
      const outcome = delivery.outcomes[i] as DeliveryOutcome;
      // Once append() has begun, only the store's answer counts: a primary that was just demoted can say "delivered" too.
      if (typeof outcome !== 'string' || job.phase === 'appending' || job.phase === 'settled') continue;
      answered.push(job);
      outcomes.push(outcome);
    }
    if (answered.length > 0) this.#listener.onOutcomes(answered, outcomes);
    return failure;
  }

  /** From the first failure on, a timer keeps the deadline; before it, the attempt's own timeout does. */
  #armDeadline(batch: Batch): void {
    if (batch.timer !== undefined || batch.isOver) return;
    const leftMs = Math.max(0, batch.deadlineAt - this.#clock.monotonicMs());
    batch.timer = this.#clock.setTimeout(() => this.#divert(batch), leftMs, false);
  }

  #divert(batch: Batch): void {
    if (batch.isOver) return;
    this.#end(batch);
    const open = batch.open();
    if (open.length > 0) this.#listener.onDiverted(open, batch.failure);
  }

  #end(batch: Batch): void {
    batch.end();
    if (batch.timer !== undefined) this.#clock.clearTimeout(batch.timer);
  }
}

/** No time or no job is left for an attempt. That says nothing about Redis: the jobs may have waited for others. */
class GivenUp extends Error {}

/** Jobs that are sent together, and until when. */
class Batch {
  readonly deadlineAt: number;
  readonly #jobs: PendingJob[];
  failure: RedisFailure | undefined;
  timer: Timer | undefined;
  /** Its jobs are settled or diverted. */
  isOver = false;
  /** Resolves then. */
  readonly over: Promise<void>;
  #resolve!: () => void;

  constructor(jobs: PendingJob[], deadlineAt: number) {
    this.#jobs = jobs;
    this.deadlineAt = deadlineAt;
    this.over = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  end(): void {
    this.isOver = true;
    this.#resolve();
  }

  open(): PendingJob[] {
    return this.#jobs.filter((job) => job.isOpen);
  }
}
