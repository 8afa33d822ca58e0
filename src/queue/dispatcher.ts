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
  send(jobs: PendingJob[]): Promise<void> {
    if (!this.#policy.isClosed) {
      const isIsolated = this.#policy.state === 'isolated';
      this.#listener.onDiverted(jobs, isIsolated ? undefined : this.#policy.lastFailure);
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const batch = new Batch(jobs, (jobs[0] as PendingJob).startedAt + this.#deadlineMs, resolve);
      this.#batches.add(batch);
      const end = () => this.#divert(batch);
      // A retry's pause may outlast the deadline; the batch is over then all the same.
      this.#policy
        .execute(() => this.#attempt(batch), { retry: !this.#isOrdered })
        .then(end, (error: unknown) => {
          this.#failed(batch, error);
          end();
        });
    });
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

  #failed(batch: Batch, error: unknown): void {
    if (!(error instanceof RedisFailure)) return;
    batch.failure = error;
    // It stayed a redirection: this client will never reach the queue's node.
    if (error.treatment === 'redirect') {
      for (const job of batch.open()) this.#listener.onRefused(job, error);
    }
  }

  /** Without an async function's cost, as long as all goes well. */
  #attempt(batch: Batch): Promise<void> {
    const leftMs = batch.deadlineAt - this.#clock.monotonicMs();
    if (batch.isTried || !this.#gateway.isReady || leftMs < MIN_ATTEMPT_MS) return this.#attemptAgain(batch);
    batch.isTried = true;
    return this.#try(batch.jobs, leftMs).then((failure) =>
      failure === undefined ? undefined : this.#rideOut(batch, failure),
    );
  }

  /** Waits for the connection where it is away. */
  async #attemptAgain(batch: Batch): Promise<void> {
    const leftMs = batch.deadlineAt - this.#clock.monotonicMs();
    if (!this.#gateway.isReady) {
      this.#armDeadline(batch);
      const goOn = () => !batch.isOver && this.#policy.isClosed;
      // It ends just before the deadline, so that the breaker is open when these jobs are seen in the backup.
      if (await untilReady(this.#gateway, this.#clock, leftMs - MIN_ATTEMPT_MS, goOn, false)) {
        return this.#attemptAgain(batch);
      }
      batch.failure ??= stayedAway();
      // A batch that came late to the gap has not seen whether it outlasts a deadline.
      if (leftMs < this.#deadlineMs / 2) throw new GivenUp();
      throw this.#gateway.failed(stayedAway());
    }
    const jobs = batch.open();
    if (leftMs < MIN_ATTEMPT_MS || jobs.length === 0) throw new GivenUp();
    batch.isTried = true;
    const failure = await this.#try(jobs, leftMs);
    if (failure !== undefined) await this.#rideOut(batch, failure);
  }

  /** The connection may be back in a moment: that is no reason to give up yet. Any other failure is thrown. */
  async #rideOut(batch: Batch, failure: RedisFailure): Promise<void> {
    batch.failure = failure;
    this.#armDeadline(batch);
    // In order, a gap is one failure like others.
    if (this.#isOrdered) throw failure.treatment === 'gap' ? failure.as('outage') : failure;
    if (failure.treatment !== 'gap') throw failure;
    await pause(this.#clock, GAP_PAUSE_MS * (0.5 + Math.random()), { background: false });
    if (batch.isOver || !this.#policy.isClosed) throw failure;
    await this.#attemptAgain(batch);
  }

  /** One delivery. Resolves with the failure that leaves jobs open, undefined when every job has its answer. */
  #try(jobs: readonly PendingJob[], leftMs: number): Promise<RedisFailure | undefined> {
    const isLarge = jobs.length === 1 && (jobs[0] as PendingJob).record.payload.length >= LARGE_BYTES;
    const timeoutMs = isLarge ? leftMs : Math.min(this.#attemptTimeoutMs, leftMs);
    const records: JobRecord[] = new Array(jobs.length);
    const now = this.#clock.now();
    for (let i = 0; i < jobs.length; i++) {
      const job = jobs[i] as PendingJob;
      job.phase = 'sending';
      job.unanswered += 1;
      job.lastAttemptAt = now;
      // An attempt before this one, or before this call, may still be executed.
      records[i] = job.unanswered > 1 || job.isGivenBack ? { ...job.record, fate: 'unknown' } : job.record;
    }
    const late = (delivery: Delivery) => {
      // Those that still wait are told so; the others are with the backup, and replay will find them laid down.
      const isWaiting = jobs.map(({ phase }) => phase !== 'appending' && phase !== 'settled');
      this.#gateway.remember(
        records.filter((_, i) => isWaiting[i]),
        delivery.outcomes.filter((_, i) => isWaiting[i]),
      );
      this.#answered(jobs, delivery);
      this.#listener.onLateAnswer();
    };
    return this.#gateway.deliver(records, timeoutMs, late).then(
      (delivery) => {
        this.#limits.double();
        return this.#answered(jobs, delivery);
      },
      (failure: RedisFailure) => {
        if (failure.kind === 'timeout') this.#limits.halve();
        if (failure.fate === 'not-delivered') for (const job of jobs) job.unanswered -= 1;
        if (failure.treatment !== 'caller') return failure;
        for (const job of jobs) if (job.isOpen) this.#listener.onRefused(job, failure);
        return undefined;
      },
    );
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
    this.#batches.delete(batch);
    if (batch.timer !== undefined) this.#clock.clearTimeout(batch.timer);
    batch.end();
  }
}

/** No time or no job is left for an attempt. That says nothing about Redis: the jobs may have waited for others. */
class GivenUp extends Error {}

/** Jobs that are sent together, and until when. */
class Batch {
  readonly jobs: readonly PendingJob[];
  readonly deadlineAt: number;
  readonly #onOver: () => void;
  failure: RedisFailure | undefined = undefined;
  timer: Timer | undefined = undefined;
  /** There has been an attempt. */
  isTried = false;
  /** Its jobs are settled or diverted. */
  isOver = false;

  constructor(jobs: readonly PendingJob[], deadlineAt: number, onOver: () => void) {
    this.jobs = jobs;
    this.deadlineAt = deadlineAt;
    this.#onOver = onOver;
  }

  end(): void {
    this.isOver = true;
    this.#onOver();
  }

  open(): PendingJob[] {
    return this.jobs.filter((job) => job.isOpen);
  }
}
