import { type Clock, pause } from '../clock/clock.js';
import { type JobRecord, roughBytes } from '../job/job-record.js';
import type { RedisPolicy } from '../policy/default-policy.js';
import { sortFailure } from '../policy/outage.js';
import type { RedisGateway } from '../policy/redis-gateway.js';
import type { FrozenJobs } from '../recognition/loss-window.js';
import type { DeliveryOutcome } from '../recognition/recognise.js';
import { Pacing } from './pacing.js';

const MAX_JOBS = 256;
const MAX_BYTES = 1024 * 1024;
/** How often to look whether Redis is back. */
const LOOK_EVERY_MS = 100;

/** What a redelivery did. */
export interface RedeliveryResult {
  /** Jobs that were remembered when the loss was found. */
  readonly remembered: number;
  /** Of these, laid down again. */
  readonly redelivered: number;
  /** Of these, still there. */
  readonly recognised: number;
  /** The loss may reach further back than what was remembered. */
  readonly windowExceeded: boolean;
}

/** What the redeliverer tells. */
export interface RedeliveryListener {
  onRedelivered(count: number): void;
  /** Redis does not take this job for a reason that is not an outage. */
  onRefused(jobs: readonly JobRecord[]): void;
  /** It expired in the meantime. */
  onExpired(jobs: readonly JobRecord[]): void;
  onEnd(result: RedeliveryResult): void;
}

/** A loss that is being made good. */
class Loss {
  readonly remembered: number;
  readonly #hasOlder: boolean;
  /** What is to be done, oldest first. */
  readonly left: JobRecord[];
  /** How many of the oldest batch are left: whether any of these was lost shows whether the loss reaches beyond them. */
  #oldestLeft: number;
  #isOldestLost = false;
  redelivered = 0;
  recognised = 0;

  constructor(frozen: FrozenJobs) {
    this.remembered = frozen.jobs;
    this.#hasOlder = frozen.hasOlder;
    this.left = frozen.batches.flat().reverse();
    this.#oldestLeft = frozen.batches[0]?.length ?? 0;
  }

  /** The oldest job that is left has its answer. */
  settle(outcome: DeliveryOutcome | 'expired'): void {
    this.left.pop();
    if (outcome === 'delivered') this.redelivered += 1;
    else if (outcome === 'recognised' || outcome === 'duplicate') this.recognised += 1;
    if (this.#oldestLeft === 0) return;
    this.#oldestLeft -= 1;
    if (outcome === 'delivered') this.#isOldestLost = true;
  }

  result(): RedeliveryResult {
    const { remembered, redelivered, recognised } = this;
    const isUnknown = remembered === 0 || this.#isOldestLost;
    return { remembered, redelivered, recognised, windowExceeded: this.#hasOlder && isUnknown };
  }
}

/**
 * Lays down again what Redis had acknowledged and then lost, oldest first, through recognition: what is still there is
 * recognised. Waits while Redis takes nothing. One loss after the other.
 */
export class Redeliverer {
  readonly #gateway: RedisGateway;
  readonly #policy: RedisPolicy;
  readonly #clock: Clock;
  readonly #listener: RedeliveryListener;
  readonly #attemptTimeoutMs: number;
  readonly #deadlineMs: number;
  readonly #pacing: Pacing;
  readonly #losses: Loss[] = [];
  #running: Promise<void> | undefined;
  readonly #stopped = new AbortController();

  constructor(
    gateway: RedisGateway,
    policy: RedisPolicy,
    clock: Clock,
    listener: RedeliveryListener,
    options: { readonly attemptTimeoutMs: number; readonly deadlineMs: number },
  ) {
    this.#gateway = gateway;
    this.#policy = policy;
    this.#clock = clock;
    this.#listener = listener;
    this.#attemptTimeoutMs = options.attemptTimeoutMs;
    this.#deadlineMs = options.deadlineMs;
    this.#pacing = new Pacing(MAX_JOBS, options.attemptTimeoutMs / 2);
  }

  /** Resolves when nothing is left to lay down again; at once when there is nothing. */
  get done(): Promise<void> {
    return this.#running ?? Promise.resolve();
  }

  /** Begins with these jobs as soon as what was lost before is done. */
  redeliver(frozen: FrozenJobs): void {
    this.#losses.push(new Loss(frozen));
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /** Ends. Returns the jobs of which nobody knows whether Redis has them. */
  async stop(): Promise<readonly JobRecord[]> {
    this.#stopped.abort();
    await this.#running;
    return this.#losses.flatMap((loss) => loss.left.reverse());
  }

  async #run(): Promise<void> {
    // The answer that told of the loss is still being dealt with.
    await undefined;
    const { signal } = this.#stopped;
    for (;;) {
      const loss = this.#losses[0];
      if (loss === undefined || signal.aborted) return;
      this.#pacing.begin();
      while (loss.left.length > 0) {
        const isWell = this.#policy.isClosed && this.#gateway.isReady && (await this.#deliver(loss));
        if (!isWell) await pause(this.#clock, LOOK_EVERY_MS, { background: true, signal });
        if (signal.aborted) return;
      }
      this.#losses.shift();
      this.#listener.onEnd(loss.result());
    }
  }

  /** Delivers the oldest jobs. Resolves with whether they have their answers. */
  async #deliver(loss: Loss): Promise<boolean> {
    const jobs = this.#cut(loss);
    if (jobs.length === 0) return true;
    const timeoutMs = jobs.length === 1 ? this.#deadlineMs : this.#attemptTimeoutMs;
    const startedAt = this.#clock.monotonicMs();
    let outcomes: readonly DeliveryOutcome[];
    try {
      const deliver = () => this.#gateway.deliver(jobs, timeoutMs);
      ({ outcomes } = await this.#policy.execute(deliver, { retry: false }));
    } catch (error) {
      this.#pacing.failed();
      const failure = sortFailure(error, false);
      if (failure.treatment !== 'caller') return false;
      outcomes = jobs.map(() => ({ rejected: failure }));
    }
    this.#pacing.answered(this.#clock.monotonicMs() - startedAt);
    const before = loss.redelivered;
    const refused: JobRecord[] = [];
    let isOutage = false;
    for (let i = 0; i < jobs.length; i++) {
      const outcome = outcomes[i] as DeliveryOutcome;
      if (typeof outcome === 'object') {
        const { treatment } = this.#gateway.failed(outcome.rejected);
        isOutage = treatment === 'outage' || treatment === 'gap';
        if (isOutage) break;
        refused.push(jobs[i] as JobRecord);
      }
      loss.settle(outcome);
    }
    if (loss.redelivered > before) this.#listener.onRedelivered(loss.redelivered - before);
    if (refused.length > 0) this.#listener.onRefused(refused);
    return !isOutage;
  }

  /** The next batch; what has expired is left out. */
  #cut(loss: Loss): JobRecord[] {
    const { left } = loss;
    const now = this.#clock.now();
    const jobs: JobRecord[] = [];
    const expired: JobRecord[] = [];
    let bytes = 0;
    for (let i = left.length - 1; i >= 0 && jobs.length < this.#pacing.jobs; i--) {
      const job = left[i] as JobRecord;
      if (job.expiresAt !== undefined && job.expiresAt <= now) {
        if (jobs.length > 0) break;
        expired.push(job);
        loss.settle('expired');
        continue;
      }
      bytes += roughBytes(job);
      if (bytes > MAX_BYTES && jobs.length > 0) break;
      jobs.push(job);
    }
    if (expired.length > 0) this.#listener.onExpired(expired);
    return jobs;
  }
}
