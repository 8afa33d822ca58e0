import type { BackupStore, Lease } from '../backup/backup-store.js';
import { boundedCall, type StoreCall } from '../backup/bounded-call.js';
import { type Clock, pause, type Timer } from '../clock/clock.js';
import { type JobRecord, roughBytes } from '../job/job-record.js';
import type { RedisPolicy } from '../policy/default-policy.js';
import { RedisFailure, sortFailure } from '../policy/outage.js';
import type { RedisGateway } from '../policy/redis-gateway.js';
import type { Delivery, DeliveryOutcome } from '../recognition/recognise.js';
import { LeaseTaker, type TakenLease } from './lease-taker.js';
import { type Breadth, narrow, Pacing } from './pacing.js';
import { findPassed } from './passed.js';
import { PROGRESS_EVERY_MS, ProgressMeter } from './progress-meter.js';
import { Refusals, type Refused } from './refusals.js';
import { type Counts, type SettledListener, Settler } from './settler.js';
import { triage } from './triage.js';

const MAX_BYTES = 1024 * 1024;
/** How often to look whether somebody still holds jobs that stand in the way. */
const HELD_LOOK_MS = 250;
/** After a pass without progress nobody can make the next one come sooner. */
const LEAST_PAUSE_MS = 100;

/** Errors that nobody listed, in answer to the question which jobs have been passed, after which it is not asked any more. */
const MAX_ODD_ANSWERS = 5;

const PASSED = 'Redis refused it, and took one behind it.';
const none: ReadonlySet<JobRecord> = new Set();

/** How to replay. */
export interface ReplayOptions {
  /** Jobs in a batch at most. */
  readonly batchSize: number;
  /** How long a lease holds, ms. */
  readonly leaseMs: number;
  /** How often to look for jobs that a neighbour left, ms. */
  readonly pollMs: number;
  /** Whether to replay without being asked. */
  readonly auto: boolean;
}

interface ReplayerOptions extends ReplayOptions {
  /** The name of the queue's transport. */
  readonly transport: string;
  readonly recognitionMs: number;
  /** Why a job's payload is not what is expected today; undefined when it is. */
  readonly payloadProblem: (job: JobRecord) => string | undefined;
  readonly attemptTimeoutMs: number;
  readonly deadlineMs: number;
  readonly backupDeadlineMs: number;
  /** Jobs are laid down in the order in which the store keeps them. */
  readonly ordered: boolean;
}

/** What a replay did. */
export interface ReplayResult extends Counts {
  /** Still in the backup. */
  readonly remaining: number;
}

/** How far a replay is. */
export interface ReplayProgress {
  readonly active: boolean;
  /** Since this replay began. */
  readonly replayed: number;
  readonly remaining: number;
  readonly perSecond: number;
  /** At the present rate; undefined before there is one. */
  readonly etaMs: number | undefined;
}

/** What the replayer tells about its jobs. */
export interface ReplayListener extends SettledListener {
  /** Jobs that the backup holds, as far as is known. */
  remaining(): number;
  isLiveBusy(): boolean;
  /** The store showed that it has these. */
  onLeased(jobs: readonly JobRecord[]): void;
  onPhase(phase: 'started' | 'progress' | 'finished', progress: ReplayProgress): void;
  onStoreError(error: unknown): void;
  /** A function that a caller gave threw. */
  onCallerError(error: unknown): void;
}

/**
 * Moves jobs from the backup into Redis.
 *
 * 1. Lease a batch, oldest first. Nothing is removed yet.
 * 2. Set aside what may not be sent: expired (dropped), unknown or too old to be recognised (parked).
 * 3. Deliver the rest through recognition, as many at a time as the pacing allows.
 * 4. Acknowledge what is delivered, and only then count it. Release what an outage refused, at its old place.
 * 5. Yield to live traffic; go on until the backup is empty, or the breaker opens. A large backlog is worked off in several lanes.
 *
 * Dying anywhere in this leaves the jobs in the store until the lease ends; whoever sends them again is recognised.
 */
export class Replayer {
  readonly #gateway: RedisGateway;
  readonly #policy: RedisPolicy;
  readonly #clock: Clock;
  readonly #listener: ReplayListener;
  readonly #options: ReplayerOptions;
  readonly #leases: LeaseTaker;
  readonly #settler: Settler;
  readonly #refusals: Refusals;
  readonly #pacing: Pacing;
  readonly #meter = new ProgressMeter();
  #running: Promise<void> | undefined;
  /** Beside the first. */
  readonly #lanes = new Set<Promise<void>>();
  /** Those who wait for `replay()`. */
  readonly #callers = new Set<() => void>();
  /** Ends the present pause. */
  #wakeUp = new AbortController();
  /** In order: an attempt may have laid jobs down, and refused others before them, without anybody here knowing. */
  #isOrderUnknown = true;
  /** In a row. */
  #oddAnswers = 0;
  #isStopped = false;
  #isWoken = false;
  /** `replay()` was called since the present pass began. */
  #isCalled = false;
  /** A lease had jobs, and `started` was told. */
  #hasStarted = false;
  #poll: Timer | undefined;

  constructor(
    store: BackupStore,
    queue: string,
    gateway: RedisGateway,
    policy: RedisPolicy,
    clock: Clock,
    listener: ReplayListener,
    options: ReplayerOptions,
  ) {
    this.#gateway = gateway;
    this.#policy = policy;
    this.#clock = clock;
    this.#listener = listener;
    this.#options = options;
    const call: StoreCall = (work) => boundedCall(clock, options.backupDeadlineMs, work);
    this.#leases = new LeaseTaker(store, queue, call, clock, options);
    this.#refusals = new Refusals(options.ordered);
    this.#settler = new Settler(store, call, clock, options.leaseMs, listener, (job) =>
      this.#refusals.forget(job),
    );
    this.#pacing = new Pacing(options.batchSize, options.attemptTimeoutMs / 2);
  }

  get progress(): ReplayProgress {
    const remaining = this.#listener.remaining();
    const active = this.#running !== undefined;
    const { perSecond } = this.#meter;
    return {
      active,
      replayed: active ? this.#meter.since(this.#moved) : 0,
      remaining,
      perSecond: active ? Math.round(perSecond) : 0,
      etaMs: active && perSecond > 0 ? Math.round((remaining / perSecond) * 1000) : undefined,
    };
  }

  /** Jobs may be between the store and the books. */
  get isActive(): boolean {
    return this.#running !== undefined;
  }

  /** There may be something to do: begins, unless it is under way or not wanted. */
  wake(): void {
    this.#isWoken = true;
    this.#wakeUp.abort();
    if (this.#options.auto && this.#canRun && this.#listener.remaining() > 0) void this.#run();
  }

  /** Replays until the backup is empty, no progress is made, an outage begins, or `signal` is aborted. */
  async replay(
    signal: AbortSignal | undefined,
    onProgress: ((progress: ReplayProgress) => void) | undefined,
  ): Promise<ReplayResult> {
    const before = { ...this.#settler.counts };
    const tell = () => {
      try {
        onProgress?.(this.progress);
      } catch (error) {
        this.#listener.onCallerError(error);
      }
    };
    let ticker: Timer | undefined;
    const tick = () => {
      tell();
      ticker = this.#clock.setTimeout(tick, PROGRESS_EVERY_MS, true);
    };
    if (!signal?.aborted && this.#canRun) {
      if (onProgress) tick();
      const ended = this.#untilStuck();
      signal?.addEventListener('abort', ended.end);
      this.#isCalled = true;
      this.#wakeUp.abort();
      await Promise.race([this.#run(), ended.promise]);
      signal?.removeEventListener('abort', ended.end);
      ended.end();
      if (ticker !== undefined) this.#clock.clearTimeout(ticker);
    }
    tell();
    const { counts } = this.#settler;
    return {
      replayed: counts.replayed - before.replayed,
      recognised: counts.recognised - before.recognised,
      parked: counts.parked - before.parked,
      dropped: counts.dropped - before.dropped,
      remaining: this.#listener.remaining(),
    };
  }

  /** A caller that waits: until a pass that began after the call makes no progress, or `end` is called. */
  #untilStuck(): { readonly promise: Promise<void>; readonly end: () => void } {
    let end = () => {};
    const promise = new Promise<void>((resolve) => {
      end = () => {
        this.#callers.delete(end);
        resolve();
      };
    });
    this.#callers.add(end);
    return { promise, end };
  }

  /** Looks every `pollMs`; `look` finds out what the store holds. */
  startPolling(look: () => Promise<void>): void {
    this.#poll = this.#clock.setTimeout(
      () => {
        void look()
          .then(() => this.wake())
          .finally(() => {
            if (!this.#isStopped) this.startPolling(look);
          });
      },
      this.#options.pollMs,
      true,
    );
  }

  /** The store said that it holds no job. Returns how many are counted by this, whose acknowledgement had no answer. */
  storeIsEmpty(): number {
    return this.#settler.storeIsEmpty();
  }

  /** What became of a job that the store still holds, because it did not answer. */
  fateOf(job: JobRecord): 'delivered' | 'set-aside' | undefined {
    return this.#settler.fateOf(job);
  }

  /** It was told that the job of this id is parked or dropped, and the store may still hold it. */
  hasGivenUp(id: string): boolean {
    return this.#settler.isGivenUp(id);
  }

  /** The store took a job. */
  appended(job: JobRecord): void {
    this.#settler.appended(job);
  }

  /** Ends after the batch that is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#wakeUp.abort();
    if (this.#poll !== undefined) this.#clock.clearTimeout(this.#poll);
    await this.#running;
  }

  get #moved(): number {
    const { replayed, recognised } = this.#settler.counts;
    return replayed + recognised;
  }

  /** How many jobs have left the backup. */
  get #done(): number {
    const { parked, dropped } = this.#settler.counts;
    return this.#moved + parked + dropped;
  }

  get #isWanted(): boolean {
    return this.#canRun && (this.#options.auto || this.#callers.size > 0);
  }

  get #canRun(): boolean {
    return !this.#isStopped && this.#policy.isClosed && this.#gateway.isReady;
  }

  #run(): Promise<void> {
    this.#running ??= this.#workOff().finally(() => {
      this.#running = undefined;
      if (this.#hasStarted) {
        this.#hasStarted = false;
        const replayed = this.#meter.since(this.#moved);
        this.#listener.onPhase('finished', { ...this.progress, replayed });
      }
      // Somebody may have come just after the last, empty, lease.
      if (this.#isWoken) this.wake();
    });
    return this.#running;
  }

  async #workOff(): Promise<void> {
    await this.#loop();
    await Promise.all(this.#lanes);
  }

  async #loop(): Promise<void> {
    this.#meter.begin(this.#moved, this.#clock.monotonicMs());
    this.#pacing.begin();
    // The caller sets #running first, so that `started` already says active.
    await undefined;
    while (this.#isWanted) {
      const before = this.#done;
      const callers = [...this.#callers];
      this.#isWoken = false;
      this.#isCalled = false;
      const startedAt = this.#clock.monotonicMs();
      try {
        const lease = await this.#leases.take(this.#breadth.batches);
        if (lease === 'held') {
          await pause(this.#clock, HELD_LOOK_MS, { background: true });
          continue;
        }
        if (!lease && this.#lanes.size === 0) return;
        if (!lease) {
          // What they cannot deliver comes back.
          await Promise.all(this.#lanes);
          continue;
        }
        if (!this.#hasStarted) {
          this.#hasStarted = true;
          this.#listener.onPhase('started', this.progress);
        }
        while (this.#lanes.size + 1 < this.#breadth.lanes) this.#openLane();
        await this.#replayLease(lease);
      } catch (error) {
        this.#storeFailed(error);
      }
      this.#tellProgress();
      const progressed = this.#done > before;
      // Who called during this pass waits for one of their own: this one may have failed before the call.
      if (!progressed) for (const end of callers) end();
      const tookMs = this.#clock.monotonicMs() - startedAt;
      const pauseMs = this.#pacing.pauseMs(tookMs, progressed, this.#listener.isLiveBusy());
      // Even without a pause others get their turn.
      if (pauseMs === 0) await new Promise(setImmediate);
      else await this.#pause(pauseMs, progressed);
    }
  }

  /**
   * A large backlog is replayed in several lanes, so that one's jobs are leased and acknowledged while another's are laid down,
   * and a store on a disk flushes once for several lanes. A lane ends when it is not worth it any more, and at whatever goes
   * wrong.
   */
  async #workBeside(): Promise<void> {
    try {
      while (this.#isWanted && this.#lanes.size < this.#breadth.lanes) {
        const lease = await this.#leases.take(this.#breadth.batches);
        if (!lease || lease === 'held') break;
        await this.#replayLease(lease);
        await new Promise(setImmediate);
      }
    } catch (error) {
      this.#storeFailed(error);
    }
  }

  #openLane(): void {
    const lane = this.#workBeside().finally(() => {
      this.#lanes.delete(lane);
    });
    this.#lanes.add(lane);
  }

  get #breadth(): Breadth {
    if (this.#options.ordered || this.#listener.isLiveBusy()) return narrow;
    return this.#pacing.breadth(this.#listener.remaining());
  }

  #storeFailed(error: unknown): void {
    this.#pacing.failed();
    this.#leases.storeFailed();
    this.#listener.onStoreError(error);
  }

  /** A pause that whoever wakes the replayer ends; after a failure there is always some. */
  async #pause(pauseMs: number, progressed: boolean): Promise<void> {
    const leastMs = progressed ? 0 : Math.min(pauseMs, LEAST_PAUSE_MS);
    this.#wakeUp = new AbortController();
    const { signal } = this.#wakeUp;
    if (leastMs > 0) await pause(this.#clock, leastMs, { background: true });
    if (this.#isStopped || this.#isCalled) return;
    await pause(this.#clock, pauseMs - leastMs, { background: true, signal });
  }

  async #replayLease(lease: TakenLease): Promise<void> {
    this.#settler.begin(lease);
    this.#listener.onLeased(lease.jobs);
    let toSend = lease.jobs;
    let next = 0;
    try {
      const passed = await this.#findPassed(lease.jobs);
      toSend = await this.#sift(lease);
      if (passed && passed.size > 0) toSend = await this.#parkPassed(lease.token, toSend, passed);
      // Of a part of the lease it cannot tell which may have been passed.
      if (!this.#isTooLate(lease.token)) next = this.#refusals.holdBackAgain(toSend);
      while (passed && next < toSend.length) {
        if (this.#isTooLate(lease.token) || !this.#canRun) break;
        const batch = this.#cut(toSend, next);
        next += batch.length;
        if (!(await this.#deliver(lease.token, batch))) break;
      }
      const left = toSend.slice(next);
      left.push(...this.#refusals.takeHeldBack().map(({ job }) => job));
      if (left.length > 0) await this.#settler.release(lease.token, left);
    } catch (error) {
      this.#refusals.takeHeldBack();
      // The store failed. What it does not get back now it gets when the lease ends; what it did acknowledge is gone from it.
      await this.#settler.release(lease.token, toSend).catch(() => {});
      throw error;
    } finally {
      this.#settler.end(lease.token);
    }
  }

  /** In order, which jobs another has passed: they may not come any more. Undefined: Redis has no answer now. */
  async #findPassed(jobs: readonly JobRecord[]): Promise<ReadonlySet<JobRecord> | undefined> {
    if (!this.#options.ordered || jobs.length < 2) return none;
    if (!this.#isOrderUnknown && !jobs.some(({ fate }) => fate === 'unknown')) return none;
    const asking = () => findPassed(this.#gateway, jobs, this.#options.attemptTimeoutMs);
    try {
      const passed = await this.#policy.execute(asking, { retry: false });
      this.#oddAnswers = 0;
      if (passed.size === 0) this.#isOrderUnknown = false;
      return passed;
    } catch (error) {
      if (!(error instanceof RedisFailure) || !isAboutTheJob(error)) return undefined;
      // Where it may not be asked, nothing can be known. Of an error that nobody listed, that is not certain at once.
      if (error.kind === 'unlisted') this.#oddAnswers += 1;
      return error.kind === 'unlisted' && this.#oddAnswers < MAX_ODD_ANSWERS ? undefined : none;
    }
  }

  /** Resolves with those of `jobs` that may still be sent. */
  async #parkPassed(
    token: string,
    jobs: readonly JobRecord[],
    passed: ReadonlySet<JobRecord>,
  ): Promise<readonly JobRecord[]> {
    // Somebody may have them when the lease has ended: they are asked about again.
    if (this.#isTooLate(token)) return jobs;
    this.#isOrderUnknown = false;
    const gone = jobs.filter((job) => passed.has(job) && !this.#settler.isUnconfirmed(job));
    // All at once: whatever the store answers to one of them, none is sent again.
    await Promise.all(gone.map((job) => this.#settler.park(token, job, 'rejected', PASSED)));
    return jobs.filter((job) => !gone.includes(job));
  }

  /** Nothing more is begun with this lease. */
  #isTooLate(token: string): boolean {
    return this.#isStopped || this.#settler.age(token) > 0.5;
  }

  /** Takes out what may not be sent. */
  async #sift(lease: Lease): Promise<JobRecord[]> {
    const { transport, recognitionMs, payloadProblem } = this.#options;
    const context = { now: this.#clock.now(), transport, recognitionMs, payloadProblem };
    const toSend: JobRecord[] = [];
    for (const [i, job] of lease.jobs.entries()) {
      // Each of these may be a call of the store. The others can wait, and somebody may have them when the lease has ended.
      if (this.#isTooLate(lease.token)) {
        await this.#settler.release(lease.token, lease.jobs.slice(i));
        break;
      }
      if (await this.#settler.settleAgain(lease.token, job)) continue;
      const verdict = triage(job, context);
      if (verdict.action === 'send') {
        toSend.push(job);
      } else if (this.#settler.isUnconfirmed(job)) {
        // It is where it should be; only the store has not heard of it.
        await this.#settler.acknowledge(lease.token, [job], 1);
      } else if (verdict.action === 'park') {
        await this.#settler.park(lease.token, job, verdict.reason, verdict.text);
      } else {
        await this.#settler.drop(lease.token, job, verdict.reason);
      }
    }
    return toSend;
  }

  #cut(jobs: readonly JobRecord[], from: number): JobRecord[] {
    const batch: JobRecord[] = [];
    let bytes = 0;
    for (let i = from; i < jobs.length && batch.length < this.#pacing.jobs; i++) {
      const job = jobs[i] as JobRecord;
      bytes += roughBytes(job);
      if (bytes > MAX_BYTES && batch.length > 0) break;
      batch.push(job);
    }
    return batch;
  }

  /** Delivers one batch and settles its jobs in the store. Resolves with whether to go on with this lease. */
  async #deliver(token: string, batch: readonly JobRecord[]): Promise<boolean> {
    const { attemptTimeoutMs, deadlineMs } = this.#options;
    const startedAt = this.#clock.monotonicMs();
    let delivery: Delivery;
    try {
      delivery = await this.#policy.execute(
        async () => {
          const timeoutMs = batch.length === 1 ? deadlineMs : attemptTimeoutMs;
          const answer = await this.#gateway.deliver(batch, timeoutMs, undefined, true);
          const outage = firstOutage(answer);
          // The breaker should see it; the jobs that were delivered beside it are recognised next time.
          if (outage) {
            this.#isOrderUnknown = true;
            throw this.#gateway.failed(outage);
          }
          return answer;
        },
        { retry: false },
      );
    } catch (error) {
      this.#pacing.failed();
      if (error instanceof RedisFailure && error.fate === 'unknown') {
        this.#refusals.unanswered();
        this.#isOrderUnknown = true;
      }
      const isOutOfTheWay = await this.#failedWhole(token, batch, error);
      // One that fails alone is set aside and the others go on; anything larger is cut smaller on the next pass.
      return batch.length === 1 && this.#policy.isClosed && (isOutOfTheWay || !this.#options.ordered);
    }
    const tookMs = this.#clock.monotonicMs() - startedAt;
    if (delivery.outcomes.some((outcome) => typeof outcome === 'string')) this.#pacing.answered(tookMs);
    else this.#pacing.failed();
    const isOutOfTheWay = await this.#settle(token, batch, delivery);
    // A refused job may be taken the next time, so no later one may be sent before.
    return isOutOfTheWay || !this.#options.ordered;
  }

  /** Resolves with whether no job of the batch is left in the way of those behind it. */
  async #failedWhole(token: string, batch: readonly JobRecord[], error: unknown): Promise<boolean> {
    // Only a batch of one says which job it was; until then the pacing halves it.
    const job = batch.length === 1 ? batch[0] : undefined;
    if (job && error instanceof RedisFailure && isAboutTheJob(error)) {
      return this.#settleRefused(token, { job, failure: error }, true);
    }
    await this.#settler.release(token, batch);
    return false;
  }

  /** Resolves with whether no job of the batch is left in the way of those behind it. */
  async #settle(token: string, batch: readonly JobRecord[], answer: Delivery): Promise<boolean> {
    const { outcomes } = answer;
    this.#refusals.answered();
    const delivered: JobRecord[] = [];
    const refused: (Refused & { readonly at: number })[] = [];
    let recognised = 0;
    let lastTaken = -1;
    batch.forEach((job, i) => {
      const outcome = outcomes[i] as DeliveryOutcome;
      if (typeof outcome === 'object' && !this.#settler.isUnconfirmed(job)) {
        refused.push({ job, failure: this.#gateway.failed(sortFailure(outcome.rejected, false)), at: i });
      } else {
        lastTaken = i;
        delivered.push(job);
        // Another delivery of this id is in the queue: to whoever waits for the job that is the same.
        if (outcome !== 'delivered') recognised += 1;
      }
    });
    const passed = lastTaken < 0 ? [] : this.#passed(refused.filter(({ at }) => at < lastTaken));
    this.#settler.delivered(delivered);
    // All at once, and first: whatever the store answers to this or to the acknowledgement, none of them is sent again.
    await Promise.all(passed.map((refusal) => this.#parkRefused(token, refusal)));
    if (delivered.length > 0 && (await this.#settler.acknowledge(token, delivered, recognised))) {
      this.#gateway.gone(answer);
    }
    let isOutOfTheWay = true;
    for (const refusal of refused) {
      if (passed.includes(refusal)) continue;
      if (!(await this.#settleRefused(token, refusal, batch.length === 1))) isOutOfTheWay = false;
    }
    return isOutOfTheWay;
  }

  /** In order, refused jobs that one behind them has passed: they may not come any more, and the fault was their own. */
  #passed(refused: readonly Refused[]): Refused[] {
    if (!this.#options.ordered) return [];
    return [...this.#refusals.takeHeldBack(), ...refused];
  }

  /** Parks a refused job, or lets it come again; see {@link Refusals}. Resolves with whether it is out of the way of others. */
  async #settleRefused(token: string, refused: Refused, wasAlone: boolean): Promise<boolean> {
    const verdict = this.#refusals.judge(refused, this.#gateway.deliveries, wasAlone);
    if (verdict === 'park') await this.#parkRefused(token, refused);
    else if (verdict === 'hold-back') this.#refusals.holdBack(refused);
    else await this.#settler.release(token, [refused.job]);
    return verdict !== 'wait';
  }

  #parkRefused(token: string, { job, failure }: Refused): Promise<void> {
    const reason = failure.kind === 'unlisted' ? 'unlisted-error' : 'rejected';
    return this.#settler.park(token, job, reason, failure.message);
  }

  #tellProgress(): void {
    if (this.#meter.isDue(this.#moved, this.#clock.monotonicMs())) {
      this.#listener.onPhase('progress', this.progress);
    }
  }
}

function firstOutage(delivery: Delivery): RedisFailure | undefined {
  for (const outcome of delivery.outcomes) {
    if (typeof outcome === 'string') continue;
    const failure = sortFailure(outcome.rejected, false);
    if (!isAboutTheJob(failure)) return failure;
  }
  return undefined;
}

function isAboutTheJob(failure: RedisFailure): boolean {
  return failure.kind === 'unlisted' || failure.treatment === 'caller' || failure.treatment === 'redirect';
}
