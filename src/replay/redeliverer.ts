import { type Clock, pause } from '../clock/clock.js';
import { type JobRecord, roughBytes } from '../job/job-record.js';
import type { RedisPolicy } from '../policy/default-policy.js';
import { RedisFailure } from '../policy/outage.js';
import type { RedisGateway } from '../policy/redis-gateway.js';
import type { FrozenJobs } from '../recognition/loss-window.js';
import type { DeliveryOutcome } from '../recognition/recognise.js';
import { Pacing } from './pacing.js';
import { triage } from './triage.js';

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
  /** Not to be sent now: Redis refuses these jobs and is well, or they expired, or Redis may not recognise them any more. */
  onSetAside(jobs: readonly JobRecord[]): Promise<void>;
  onEnd(result: RedeliveryResult): void;
}

/** A loss that is being made good. */
class Loss {
  readonly remembered: number;
  /** What is to be done, oldest last. */
  readonly left: JobRecord[] = [];
  readonly #hasOlder: boolean;
  readonly #lostOlder: boolean;
  /** The oldest batch: what becomes of it shows whether the loss reaches beyond. */
  readonly #oldest: ReadonlySet<string>;
  #isOldestLost = false;
  #isOldestKept = false;
  /** Jobs of attempts that have no answer: recognised the next time, they were laid down by those. */
  readonly #attempted = new Set<string>();
  redelivered = 0;
  recognised = 0;

  constructor(frozen: FrozenJobs, clock: Clock) {
    this.remembered = frozen.jobs;
    this.#hasOlder = frozen.hasOlder;
    this.#lostOlder = frozen.lostOlder;
    this.#oldest = new Set(frozen.batches[0]?.jobs.map(({ delivery }) => delivery));
    const offset = clock.now() - clock.monotonicMs();
    for (const { jobs, at } of frozen.batches) {
      for (const job of jobs) this.left.push({ ...job, fate: 'unknown', lastAttemptAt: at + offset });
    }
    this.left.reverse();
  }

  unanswered(jobs: readonly JobRecord[]): void {
    for (const { delivery } of jobs) this.#attempted.add(delivery);
  }

  settle({ delivery }: JobRecord, outcome: 'delivered' | 'recognised' | 'duplicate'): void {
    const isLaidDown =
      outcome === 'delivered' || (outcome === 'recognised' && this.#attempted.delete(delivery));
    if (isLaidDown) this.redelivered += 1;
    else this.recognised += 1;
    if (!this.#oldest.has(delivery)) return;
    if (isLaidDown) this.#isOldestLost = true;
    else if (outcome === 'recognised') this.#isOldestKept = true;
  }

  result(): RedeliveryResult {
    const { remembered, redelivered, recognised } = this;
    // One that was set aside shows nothing.
    const isUnknown = this.#isOldestLost || !this.#isOldestKept;
    const windowExceeded = this.#lostOlder || (this.#hasOlder && isUnknown);
    return { remembered, redelivered, recognised, windowExceeded };
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
  readonly #recognitionMs: number;
  readonly #pacing: Pacing;
  readonly #losses: Loss[] = [];
  #running: Promise<void> | undefined;
  readonly #stopped = new AbortController();

  constructor(
    gateway: RedisGateway,
    policy: RedisPolicy,
    clock: Clock,
    listener: RedeliveryListener,
    options: {
      readonly attemptTimeoutMs: number;
      readonly deadlineMs: number;
      readonly recognitionMs: number;
    },
  ) {
    this.#gateway = gateway;
    this.#policy = policy;
    this.#clock = clock;
    this.#listener = listener;
    this.#attemptTimeoutMs = options.attemptTimeoutMs;
    this.#deadlineMs = options.deadlineMs;
    this.#recognitionMs = options.recognitionMs;
    this.#pacing = new Pacing(MAX_JOBS, options.attemptTimeoutMs / 2);
  }

  /** Resolves when nothing is left to lay down again; at once when there is nothing. */
  get done(): Promise<void> {
    return this.#running ?? Promise.resolve();
  }

  /** Begins with these jobs as soon as what was lost before is done. */
  redeliver(frozen: FrozenJobs): void {
    const loss = new Loss(frozen, this.#clock);
    if (this.#stopped.signal.aborted) {
      this.#listener.onEnd(loss.result());
      return;
    }
    this.#losses.push(loss);
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /** Ends, telling what was done so far. Returns the jobs of which nobody knows whether Redis has them. */
  async stop(): Promise<readonly JobRecord[]> {
    this.#stopped.abort();
    await this.#running;
    for (const loss of this.#losses) this.#listener.onEnd(loss.result());
    return this.#losses.splice(0).flatMap((loss) => loss.left.reverse());
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
        if (signal.aborted) break;
      }
      if (loss.left.length > 0) return;
      this.#losses.shift();
      this.#listener.onEnd(loss.result());
    }
  }

  /** Delivers the oldest jobs. Resolves with whether they have their answers. */
  async #deliver(loss: Loss): Promise<boolean> {
    const { jobs, setAside } = this.#cut(loss);
    if (setAside.length > 0) await this.#listener.onSetAside(setAside);
    if (jobs.length === 0) return true;
    let outcomes: readonly DeliveryOutcome[];
    try {
      outcomes = await this.#send(jobs);
    } catch (error) {
      this.#pacing.failed();
      if (error instanceof RedisFailure && error.fate === 'unknown') loss.unanswered(jobs);
      loss.left.push(...jobs.reverse());
      return false;
    }
    const refused: JobRecord[] = [];
    const again: JobRecord[] = [];
    const before = loss.redelivered;
    jobs.forEach((job, i) => {
      const outcome = outcomes[i] as DeliveryOutcome;
      if (typeof outcome === 'string') loss.settle(job, outcome);
      else if (isAboutTheJob(this.#gateway.failed(outcome.rejected))) refused.push(job);
      else again.push(job);
    });
    loss.left.push(...again.reverse());
    if (loss.redelivered > before) this.#listener.onRedelivered(loss.redelivered - before);
    if (refused.length > 0) await this.#listener.onSetAside(refused);
    return again.length === 0;
  }

  async #send(jobs: readonly JobRecord[]): Promise<readonly DeliveryOutcome[]> {
    const timeoutMs = jobs.length === 1 ? this.#deadlineMs : this.#attemptTimeoutMs;
    const startedAt = this.#clock.monotonicMs();
    const deliver = () => this.#gateway.deliver(jobs, timeoutMs);
    try {
      const { outcomes } = await this.#policy.execute(deliver, { retry: false });
      this.#pacing.answered(this.#clock.monotonicMs() - startedAt);
      return outcomes;
    } catch (error) {
      // Of an error that nobody listed only a batch of one says which job it is about.
      const isRefusal =
        error instanceof RedisFailure &&
        isAboutTheJob(error) &&
        (error.kind !== 'unlisted' || jobs.length === 1);
      if (!isRefusal) throw error;
      return jobs.map(() => ({ rejected: error }));
    }
  }

  /** Takes out the next batch, and what may not be sent. */
  #cut({ left }: Loss): { readonly jobs: JobRecord[]; readonly setAside: JobRecord[] } {
    const jobs: JobRecord[] = [];
    const setAside: JobRecord[] = [];
    const now = this.#clock.now();
    let bytes = 0;
    for (let job = left.at(-1); job && jobs.length < this.#pacing.jobs; job = left.at(-1)) {
      const { transport } = job;
      if (triage(job, { now, transport, recognitionMs: this.#recognitionMs }).action === 'send') {
        bytes += roughBytes(job);
        if (bytes > MAX_BYTES && jobs.length > 0) break;
        jobs.push(job);
      } else {
        setAside.push(job);
      }
      left.pop();
    }
    return { jobs, setAside };
  }
}

function isAboutTheJob(failure: RedisFailure): boolean {
  return failure.kind === 'unlisted' || failure.treatment === 'caller' || failure.treatment === 'redirect';
}
