import { type Clock, pause } from '../clock/clock.js';
import { type JobRecord, roughBytes } from '../job/job-record.js';
import type { RedisPolicy } from '../policy/default-policy.js';
import { RedisFailure } from '../policy/outage.js';
import type { RedisGateway } from '../policy/redis-gateway.js';
import type { FrozenJobs, Relaid } from '../recognition/loss-window.js';
import type { DeliveryOutcome } from '../recognition/recognise.js';
import { Pacing } from './pacing.js';
import { triage } from './triage.js';

const MAX_JOBS = 256;
const MAX_BYTES = 1024 * 1024;
/** How often to look whether Redis is back. */
const LOOK_EVERY_MS = 100;
/** How often a store that failed is tried again. */
const STORE_EVERY_MS = 1000;

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
  /** Redis has lost these, and by now they are not to be run any more. */
  onExpired(jobs: readonly JobRecord[]): void;
  /**
   * Not to be sent now: Redis refuses these jobs and is well, or it may not recognise them any more.
   * Resolves with those that nobody has taken; they come again.
   */
  onSetAside(jobs: readonly JobRecord[]): Promise<readonly JobRecord[]>;
  onEnd(result: RedeliveryResult): void;
}

/** A loss that is being made good. */
class Loss {
  readonly remembered: number;
  /** What is to be done, oldest last. */
  readonly left: JobRecord[] = [];
  /** What is not to be sent any more. Redis is asked for it. */
  readonly expired: JobRecord[] = [];
  readonly #hasOlder: boolean;
  readonly #lostOlder: boolean;
  readonly #relaid: Relaid;
  /** The oldest witness: while it is there, the loss does not reach beyond what is remembered. */
  readonly #witness: string | undefined;
  /** It, and what was acknowledged before. */
  readonly #oldest: ReadonlySet<string>;
  #isOldestLost = false;
  #isWitnessKept = false;
  /** Jobs of attempts that have no answer: recognised the next time, they were laid down by those. */
  readonly #attempted = new Set<string>();
  redelivered = 0;
  recognised = 0;

  constructor(frozen: FrozenJobs, clock: Clock) {
    this.remembered = frozen.jobs;
    this.#hasOlder = frozen.hasOlder;
    this.#lostOlder = frozen.lostOlder;
    this.#relaid = frozen.relaid;
    const place = frozen.batches.findIndex(({ witness }) => witness !== undefined);
    this.#witness = frozen.batches[place]?.witness;
    const oldest = place === -1 ? frozen.batches : frozen.batches.slice(0, place + 1);
    this.#oldest = new Set(oldest.flatMap(({ jobs }) => jobs.map(({ delivery }) => delivery)));
    const offset = clock.now() - clock.monotonicMs();
    for (const { jobs, at } of frozen.batches) {
      for (const job of jobs)
        this.left.push({ ...job, fate: 'unknown', lastAttemptAt: Math.round(at + offset) });
    }
    this.left.reverse();
  }

  unanswered(jobs: readonly JobRecord[]): void {
    for (const { delivery } of jobs) this.#attempted.add(delivery);
  }

  settle({ delivery }: JobRecord, outcome: 'delivered' | 'recognised' | 'duplicate'): void {
    const isLaidDown =
      outcome === 'delivered' ||
      (outcome === 'recognised' && (this.#attempted.delete(delivery) || this.#relaid.has(delivery)));
    if (isLaidDown) this.redelivered += 1;
    else this.recognised += 1;
    if (isLaidDown && this.#oldest.has(delivery)) this.#isOldestLost = true;
    if (!isLaidDown && outcome === 'recognised' && delivery === this.#witness) this.#isWitnessKept = true;
  }

  /** Redis was asked for a job that will not be sent again. Returns whether it is there. */
  found(job: JobRecord, isKept: boolean): boolean {
    if (isKept) this.settle(job, 'recognised');
    else if (this.#oldest.has(job.delivery)) this.#isOldestLost = true;
    return isKept;
  }

  get isDone(): boolean {
    return this.left.length + this.expired.length === 0;
  }

  /** Ends it. */
  end(): RedeliveryResult {
    this.#relaid.end();
    const { remembered, redelivered, recognised } = this;
    // One that was set aside shows nothing, and one that was only recognised may have been there for long.
    const isUnknown = this.#isOldestLost || !this.#isWitnessKept;
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
  /** Of any loss: not to be sent now. By delivery id. */
  readonly #aside = new Map<string, JobRecord>();
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
      this.#listener.onEnd(loss.end());
      return;
    }
    this.#losses.push(loss);
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /** What was set aside has been settled elsewhere. Returns whether it was set aside. */
  forget({ delivery }: JobRecord): boolean {
    return this.#aside.delete(delivery);
  }

  /** Ends, telling what was done so far. Returns the jobs of which nobody knows whether Redis has them. */
  async stop(): Promise<readonly JobRecord[]> {
    this.#stopped.abort();
    await this.#running;
    for (const loss of this.#losses) this.#listener.onEnd(loss.end());
    const open = this.#losses.splice(0).flatMap(({ left, expired }) => [...expired, ...left.reverse()]);
    return [...this.#aside.values(), ...open];
  }

  async #run(): Promise<void> {
    // The answer that told of the loss is still being dealt with.
    await undefined;
    const { signal } = this.#stopped;
    this.#pacing.begin();
    while (!signal.aborted) {
      const loss = this.#losses[0];
      if (loss?.isDone) {
        this.#losses.shift();
        this.#listener.onEnd(loss.end());
        this.#pacing.begin();
      } else if (!loss || !this.#policy.isClosed || !this.#gateway.isReady || !(await this.#advance(loss))) {
        if (signal.aborted) return;
        // Redis comes first: a store that hangs keeps nothing else waiting.
        if (this.#aside.size > 0) await this.#setAside();
        if (!loss && this.#aside.size === 0) return;
        await pause(this.#clock, loss ? LOOK_EVERY_MS : STORE_EVERY_MS, { background: true, signal });
      }
    }
  }

  async #setAside(): Promise<void> {
    const jobs = [...this.#aside.values()];
    const failed = new Set(await this.#listener.onSetAside(jobs));
    for (const job of jobs) if (!failed.has(job)) this.#aside.delete(job.delivery);
  }

  /** Resolves with whether Redis answered. */
  async #advance(loss: Loss): Promise<boolean> {
    const before = loss.redelivered;
    const isAnswered = await this.#deliverOrAsk(loss);
    if (loss.redelivered > before) this.#listener.onRedelivered(loss.redelivered - before);
    return isAnswered;
  }

  async #deliverOrAsk(loss: Loss): Promise<boolean> {
    if (loss.left.length === 0) return this.#askForExpired(loss);
    const jobs = this.#cut(loss);
    return jobs.length === 0 || this.#deliver(loss, jobs);
  }

  async #askForExpired(loss: Loss): Promise<boolean> {
    const jobs = loss.expired.slice(0, MAX_JOBS);
    const deliveries = jobs.map(({ delivery }) => delivery);
    const asking = () => this.#gateway.ask(deliveries, this.#attemptTimeoutMs);
    try {
      const verdicts = await this.#policy.execute(asking, { retry: false });
      loss.expired.splice(0, jobs.length);
      const isKept = jobs.map((job, i) => loss.found(job, verdicts[i] === 'kept'));
      const kept = jobs.filter((_, i) => isKept[i]);
      // The next loss may take them.
      this.#gateway.remember(kept, new Array<'recognised'>(kept.length).fill('recognised'));
      const lost = jobs.filter((_, i) => !isKept[i]);
      if (lost.length > 0) this.#listener.onExpired(lost);
      return true;
    } catch {
      return false;
    }
  }

  /** Delivers the oldest jobs. Resolves with whether they have their answers. */
  async #deliver(loss: Loss, jobs: JobRecord[]): Promise<boolean> {
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
    jobs.forEach((job, i) => {
      const outcome = outcomes[i] as DeliveryOutcome;
      if (typeof outcome === 'string') loss.settle(job, outcome);
      else if (isAboutTheJob(this.#gateway.failed(outcome.rejected))) refused.push(job);
      else again.push(job);
    });
    loss.left.push(...again.reverse());
    for (const job of refused) this.#aside.set(job.delivery, job);
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

  /** Takes out the next batch. What may not be sent is set aside. */
  #cut({ left, expired }: Loss): JobRecord[] {
    const jobs: JobRecord[] = [];
    const now = this.#clock.now();
    let bytes = 0;
    for (let job = left.at(-1); job && jobs.length < this.#pacing.jobs; job = left.at(-1)) {
      const { transport } = job;
      const { action } = triage(job, { now, transport, recognitionMs: this.#recognitionMs });
      if (action === 'send') {
        bytes += roughBytes(job);
        if (bytes > MAX_BYTES && jobs.length > 0) break;
        jobs.push(job);
      } else if (action === 'drop') {
        expired.push(job);
      } else {
        this.#aside.set(job.delivery, job);
      }
      left.pop();
    }
    return jobs;
  }
}

function isAboutTheJob(failure: RedisFailure): boolean {
  return failure.kind === 'unlisted' || failure.treatment === 'caller' || failure.treatment === 'redirect';
}
