import type { BackupStore, Lease } from '../backup/backup-store.js';
import { boundedCall } from '../backup/bounded-call.js';
import { type Clock, pause, type Timer } from '../clock/clock.js';
import { type JobRecord, roughBytes } from '../job/job-record.js';
import type { RedisPolicy } from '../policy/default-policy.js';
import { RedisFailure, sortFailure } from '../policy/outage.js';
import type { RedisGateway } from '../policy/redis-gateway.js';
import type { Delivery, DeliveryOutcome } from '../recognition/recognise.js';
import { Pacing } from './pacing.js';
import { type ParkReason, triage } from './triage.js';

/** Replays of a job that fail for a reason of its own, after which it is parked. */
const MAX_REFUSALS = 5;
const MAX_BYTES = 1024 * 1024;
/** How often to look whether a lease has ended that stands in the way. */
const STRAY_LEASE_LOOK_MS = 250;
const PROGRESS_EVERY_MS = 1000;
/** After a pass without progress nobody can make the next one come sooner. */
const LEAST_PAUSE_MS = 100;

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
export interface ReplayResult {
  /** Laid down. */
  readonly replayed: number;
  /** Found to be laid down already. */
  readonly recognised: number;
  readonly parked: number;
  readonly dropped: number;
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
export interface ReplayListener {
  /** Jobs that the backup holds, as far as is known. */
  remaining(): number;
  isLiveBusy(): boolean;
  /** Delivered and gone from the backup. */
  onDelivered(jobs: readonly JobRecord[], recognised: number): void;
  onParked(job: JobRecord, reason: ParkReason, text: string | undefined): void;
  onDropped(job: JobRecord, reason: 'expired'): void;
  onPhase(phase: 'started' | 'progress' | 'finished', progress: ReplayProgress): void;
  onStoreError(error: unknown): void;
  /** A function that a caller gave threw. */
  onCallerError(error: unknown): void;
}

interface Refused {
  readonly job: JobRecord;
  readonly failure: RedisFailure;
}

type Counts = { -readonly [Name in keyof Omit<ReplayResult, 'remaining'>]: number };

/**
 * Moves jobs from the backup into Redis.
 *
 * 1. Lease a batch, oldest first. Nothing is removed yet.
 * 2. Set aside what may not be sent: expired (dropped), unknown or too old to be recognised (parked).
 * 3. Deliver the rest through recognition, as many at a time as the pacing allows.
 * 4. Acknowledge what is delivered, and only then count it. Release what an outage refused, at its old place.
 * 5. Yield to live traffic; go on until the backup is empty, or the breaker opens. A large backlog is worked off in two lanes.
 *
 * Dying anywhere in this leaves the jobs in the store until the lease ends; whoever sends them again is recognised.
 */
export class Replayer {
  readonly #store: BackupStore;
  readonly #queue: string;
  readonly #gateway: RedisGateway;
  readonly #policy: RedisPolicy;
  readonly #clock: Clock;
  readonly #listener: ReplayListener;
  readonly #options: ReplayerOptions;
  readonly #counts: Counts = { replayed: 0, recognised: 0, parked: 0, dropped: 0 };
  /** Jobs that failed for a reason of their own, by delivery id. */
  readonly #troubled = new Map<string, { refusals: number; deliveries: number }>();
  /** Expired and told so, but the store did not say yet that they are gone; by delivery id. */
  readonly #dropped = new Set<string>();
  /** Delivered, but the store did not say that it took the acknowledgement; by delivery id. */
  readonly #unconfirmed = new Set<string>();
  /** Of the leases that are worked off, by token. Monotonic ms. */
  readonly #leasedAt = new Map<string, number>();
  /**
   * In order: since when a lease may be held that nobody here works off (a predecessor's, or one whose call had no answer).
   * Leasing around it would change the order. Monotonic ms; undefined: none.
   */
  #strayLeaseSince: number | undefined = undefined;
  /** Calls of `lease()` that were given up: one that takes effect late holds jobs that nobody works off. */
  #hungLeases = 0;
  /** In order: until when a call may take effect that a predecessor made before it died. Monotonic ms. */
  #strayCallsUntil = 0;
  /** In order: a job that was refused often, while the one behind it shows whether Redis takes others. */
  #heldBack: Refused | undefined = undefined;
  /** In order: one that was held back when the attempt at the job behind it had no answer. That may have passed it. */
  #maybePassed: Refused | undefined = undefined;
  readonly #pacing: Pacing;
  #running: Promise<void> | undefined;
  #secondLane: Promise<void> | undefined;
  /** Those who wait for `replay()`. */
  readonly #callers = new Set<() => void>();
  /** Ends the present pause. */
  #wakeUp = new AbortController();
  #isStopped = false;
  #isWoken = false;
  /** `replay()` was called since the present pass began. */
  #isCalled = false;
  /** A lease had jobs, and `started` was told. */
  #hasStarted = false;
  #poll: Timer | undefined;
  #replayedBefore = 0;
  #toldAt = 0;
  #rate = { at: 0, moved: 0, perSecond: 0 };

  constructor(
    store: BackupStore,
    queue: string,
    gateway: RedisGateway,
    policy: RedisPolicy,
    clock: Clock,
    listener: ReplayListener,
    options: ReplayerOptions,
  ) {
    this.#store = store;
    this.#queue = queue;
    this.#gateway = gateway;
    this.#policy = policy;
    this.#clock = clock;
    this.#listener = listener;
    this.#options = options;
    if (options.ordered) {
      this.#strayLeaseSince = clock.monotonicMs();
      this.#strayCallsUntil = this.#strayLeaseSince + options.leaseMs;
    }
    this.#pacing = new Pacing(options.batchSize, options.attemptTimeoutMs / 2);
  }

  get progress(): ReplayProgress {
    const remaining = this.#listener.remaining();
    const active = this.#running !== undefined;
    const { perSecond } = this.#rate;
    return {
      active,
      replayed: active ? this.#moved - this.#replayedBefore : 0,
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
    const before = { ...this.#counts };
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
    return {
      replayed: this.#counts.replayed - before.replayed,
      recognised: this.#counts.recognised - before.recognised,
      parked: this.#counts.parked - before.parked,
      dropped: this.#counts.dropped - before.dropped,
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

  /**
   * The store holds so many jobs fewer than was thought: those whose acknowledgement had no answer took effect. Returns how
   * many of them there are.
   */
  confirm(missing: number): number {
    let confirmed = 0;
    for (const delivery of this.#unconfirmed) {
      if (confirmed === missing) break;
      this.#unconfirmed.delete(delivery);
      confirmed += 1;
    }
    this.#counts.replayed += confirmed;
    return confirmed;
  }

  /** Ends after the batch that is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#wakeUp.abort();
    if (this.#poll !== undefined) this.#clock.clearTimeout(this.#poll);
    await this.#running;
  }

  get #moved(): number {
    return this.#counts.replayed + this.#counts.recognised;
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
        const replayed = this.#moved - this.#replayedBefore;
        this.#listener.onPhase('finished', { ...this.progress, replayed });
      }
      // Somebody may have come just after the last, empty, lease.
      if (this.#isWoken) this.wake();
    });
    return this.#running;
  }

  async #workOff(): Promise<void> {
    await this.#loop();
    await this.#secondLane;
  }

  async #loop(): Promise<void> {
    this.#replayedBefore = this.#moved;
    this.#toldAt = this.#clock.monotonicMs();
    this.#rate = { at: this.#toldAt, moved: this.#moved, perSecond: 0 };
    this.#pacing.begin();
    // The caller sets #running first, so that `started` already says active.
    await undefined;
    while (this.#isWanted) {
      const before = this.#moved + this.#counts.parked + this.#counts.dropped;
      const callers = [...this.#callers];
      this.#isWoken = false;
      this.#isCalled = false;
      const startedAt = this.#clock.monotonicMs();
      try {
        if (!(await this.#isAlone(0))) {
          await pause(this.#clock, STRAY_LEASE_LOOK_MS, { background: true });
          continue;
        }
        const lease = await this.#lease();
        if (!lease && !this.#secondLane) return;
        if (!lease) {
          // What it cannot deliver comes back.
          await this.#secondLane;
          continue;
        }
        // A call that hung, or was a predecessor's, may have taken older jobs between the last two.
        if (this.#mayLeaseStray && !(await this.#isAlone(lease.jobs.length))) {
          await this.#release(lease.token, lease.jobs);
          continue;
        }
        if (!this.#hasStarted) {
          this.#hasStarted = true;
          this.#listener.onPhase('started', this.progress);
        }
        if (this.#isWorthTwoLanes) this.#openSecondLane();
        await this.#replayLease(lease);
      } catch (error) {
        this.#storeFailed(error);
      }
      this.#tellProgress();
      const progressed = this.#moved + this.#counts.parked + this.#counts.dropped > before;
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
   * A large backlog is replayed in two lanes, so that one's jobs are leased and acknowledged while the other's are laid down:
   * of a store on a disk, nearly twice as fast. Ends when that is not worth it any more, and at whatever goes wrong.
   */
  async #workBeside(): Promise<void> {
    try {
      while (this.#isWanted && this.#isWorthTwoLanes) {
        const lease = await this.#lease();
        if (!lease) break;
        await this.#replayLease(lease);
        await new Promise(setImmediate);
      }
    } catch (error) {
      this.#storeFailed(error);
    }
  }

  #openSecondLane(): void {
    this.#secondLane ??= this.#workBeside().finally(() => {
      this.#secondLane = undefined;
    });
  }

  get #isWorthTwoLanes(): boolean {
    const { ordered, batchSize } = this.#options;
    if (ordered || this.#pacing.jobs < batchSize || this.#listener.isLiveBusy()) return false;
    return this.#listener.remaining() > 2 * batchSize;
  }

  #storeFailed(error: unknown): void {
    this.#pacing.failed();
    this.#strayLeaseSince = this.#clock.monotonicMs();
    this.#listener.onStoreError(error);
  }

  /**
   * In order, the oldest jobs must be leased first. Resolves with whether nobody holds jobs but the caller, so many of them: a
   * stray lease is waited for, at most as long as it can hold.
   */
  async #isAlone(own: number): Promise<boolean> {
    if (!this.#options.ordered) return true;
    if (this.#strayLeaseSince === undefined && !this.#mayLeaseStray) return true;
    const { leased } = await this.#call(this.#store.stats(this.#queue));
    const now = this.#clock.monotonicMs();
    if (leased <= own) {
      this.#strayLeaseSince = undefined;
      return true;
    }
    this.#strayLeaseSince ??= now;
    return now - this.#strayLeaseSince > this.#options.leaseMs;
  }

  /** A lease may still be taken that nobody waits for. */
  get #mayLeaseStray(): boolean {
    return this.#hungLeases > 0 || this.#clock.monotonicMs() < this.#strayCallsUntil;
  }

  async #lease(): Promise<Lease | undefined> {
    const { batchSize, leaseMs } = this.#options;
    const leasing = this.#store.lease(this.#queue, batchSize, leaseMs);
    try {
      return await this.#call(leasing);
    } catch (error) {
      this.#hungLeases += 1;
      void leasing
        .then((late) => late && this.#release(late.token, late.jobs))
        .catch(() => {})
        .finally(() => {
          this.#hungLeases -= 1;
        });
      throw error;
    }
  }

  /** A pause that whoever wakes the replayer ends; after a failure there is always some. */
  async #pause(pauseMs: number, progressed: boolean): Promise<void> {
    const leastMs = progressed ? 0 : Math.min(pauseMs, LEAST_PAUSE_MS);
    if (leastMs > 0) await pause(this.#clock, leastMs, { background: true });
    this.#wakeUp = new AbortController();
    if (this.#isStopped || this.#isCalled) return;
    await pause(this.#clock, pauseMs - leastMs, { background: true, signal: this.#wakeUp.signal });
  }

  async #replayLease(lease: Lease): Promise<void> {
    const leasedAt = this.#clock.monotonicMs();
    this.#leasedAt.set(lease.token, leasedAt);
    let toSend = lease.jobs;
    let next = 0;
    try {
      toSend = await this.#sift(lease);
      if (this.#mayBePassed(toSend)) next = 1;
      while (next < toSend.length) {
        const isLeaseOld = this.#clock.monotonicMs() - leasedAt > this.#options.leaseMs / 2;
        if (isLeaseOld || !this.#canRun) break;
        const batch = this.#cut(toSend, next);
        next += batch.length;
        if (!(await this.#deliver(lease.token, batch))) break;
      }
      const left = toSend.slice(next);
      const heldBack = this.#takeHeldBack();
      if (heldBack) left.push(heldBack.job);
      if (left.length > 0) await this.#release(lease.token, left);
    } catch (error) {
      this.#takeHeldBack();
      // The store failed. What it does not get back now it gets when the lease ends; what it did acknowledge is gone from it.
      await this.#release(lease.token, toSend).catch(() => {});
      throw error;
    } finally {
      this.#leasedAt.delete(lease.token);
    }
  }

  /** Takes out what may not be sent. */
  async #sift(lease: Lease): Promise<JobRecord[]> {
    const { transport, recognitionMs, payloadProblem } = this.#options;
    const context = { now: this.#clock.now(), transport, recognitionMs, payloadProblem };
    const toSend: JobRecord[] = [];
    for (const job of lease.jobs) {
      const verdict = triage(job, context);
      if (verdict.action === 'send') {
        toSend.push(job);
      } else if (this.#unconfirmed.has(job.delivery)) {
        // It is where it should be; only the store has not heard of it.
        await this.#acknowledge(lease.token, [job], 1);
      } else if (verdict.action === 'park') {
        await this.#park(lease.token, job, verdict.reason, verdict.text);
      } else {
        await this.#dropExpired(lease.token, job, verdict.reason);
      }
    }
    return toSend;
  }

  /** Told first, and once: a store that takes the acknowledgement without an answer never shows the job again. */
  async #dropExpired(token: string, job: JobRecord, reason: 'expired'): Promise<void> {
    if (!this.#dropped.has(job.delivery)) {
      this.#dropped.add(job.delivery);
      this.#counts.dropped += 1;
      this.#listener.onDropped(job, reason);
    }
    await this.#call(this.#store.acknowledge(token, [job.id]));
    this.#dropped.delete(job.delivery);
    this.#troubled.delete(job.delivery);
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
          const answer = await this.#gateway.deliver(
            batch,
            batch.length === 1 ? deadlineMs : attemptTimeoutMs,
          );
          const outage = firstOutage(answer);
          // The breaker should see it; the jobs that were delivered beside it are recognised next time.
          if (outage) throw this.#gateway.failed(outage);
          return answer;
        },
        { retry: false },
      );
    } catch (error) {
      this.#pacing.failed();
      if (this.#heldBack && error instanceof RedisFailure && error.fate === 'unknown')
        this.#maybePassed = this.#heldBack;
      const isOutOfTheWay = await this.#failedWhole(token, batch, error);
      // One that fails alone is set aside and the others go on; anything larger is cut smaller on the next pass.
      return batch.length === 1 && this.#policy.isClosed && (isOutOfTheWay || !this.#options.ordered);
    }
    const tookMs = this.#clock.monotonicMs() - startedAt;
    if (delivery.outcomes.some((outcome) => typeof outcome === 'string')) this.#pacing.answered(tookMs);
    else this.#pacing.failed();
    const isOutOfTheWay = await this.#settle(token, batch, delivery.outcomes);
    // A refused job may be taken the next time, so no later one may be sent before.
    return isOutOfTheWay || !this.#options.ordered;
  }

  /** Resolves with whether no job of the batch is left in the way of those behind it. */
  async #failedWhole(token: string, batch: readonly JobRecord[], error: unknown): Promise<boolean> {
    // Only a batch of one says which job it was; until then the pacing halves it.
    const job = batch.length === 1 ? batch[0] : undefined;
    if (job && error instanceof RedisFailure && isAboutTheJob(error)) {
      return this.#settleRefused(token, job, error, true);
    }
    await this.#release(token, batch);
    return false;
  }

  /** Resolves with whether no job of the batch is left in the way of those behind it. */
  async #settle(
    token: string,
    batch: readonly JobRecord[],
    outcomes: readonly DeliveryOutcome[],
  ): Promise<boolean> {
    this.#maybePassed = undefined;
    const delivered: JobRecord[] = [];
    const refused: (Refused & { readonly at: number })[] = [];
    let recognised = 0;
    let lastTaken = -1;
    batch.forEach((job, i) => {
      const outcome = outcomes[i] as DeliveryOutcome;
      if (typeof outcome === 'object' && !this.#unconfirmed.has(job.delivery)) {
        refused.push({ job, failure: this.#gateway.failed(sortFailure(outcome.rejected, false)), at: i });
      } else {
        lastTaken = i;
        delivered.push(job);
        // Another delivery of this id is in the queue: to whoever waits for the job that is the same.
        if (outcome !== 'delivered') recognised += 1;
      }
    });
    if (delivered.length > 0) await this.#acknowledge(token, delivered, recognised);
    // In order, a job that another has passed may not come any more; and the fault was its own.
    const passed = lastTaken < 0 ? undefined : this.#takeHeldBack();
    if (passed) await this.#parkRefused(token, passed.job, passed.failure);
    let isOutOfTheWay = true;
    for (const { job, failure, at } of refused) {
      if (this.#options.ordered && at < lastTaken) await this.#parkRefused(token, job, failure);
      else if (!(await this.#settleRefused(token, job, failure, batch.length === 1))) isOutOfTheWay = false;
    }
    return isOutOfTheWay;
  }

  /** Tells the store that these are delivered, and counts them when it has heard it. */
  async #acknowledge(token: string, jobs: readonly JobRecord[], recognised: number): Promise<void> {
    for (const { delivery } of jobs) this.#unconfirmed.add(delivery);
    const ids = jobs.map((job) => job.id);
    await this.#call(this.#store.acknowledge(token, ids));
    // When the lease has ended, somebody else may have the jobs, and count them.
    const leasedAt = this.#leasedAt.get(token) ?? 0;
    if (this.#clock.monotonicMs() - leasedAt >= this.#options.leaseMs) return;
    for (const { delivery } of jobs) {
      this.#unconfirmed.delete(delivery);
      this.#troubled.delete(delivery);
    }
    this.#counts.recognised += recognised;
    this.#counts.replayed += jobs.length - recognised;
    this.#listener.onDelivered(jobs, recognised);
  }

  /**
   * A refused job is parked when the fault is its own: again and again, while Redis takes others in between. While it takes
   * none (rights were withdrawn, the key has the wrong type), everything waits, and the refusal is reported. An error that
   * nobody listed counts by itself. In order, nothing is taken in between: after as many refusals, the next job is tried, and
   * if Redis takes it, this one is parked.
   *
   * Resolves with whether the job is out of the way of those behind it.
   */
  async #settleRefused(
    token: string,
    job: JobRecord,
    failure: RedisFailure,
    wasAlone: boolean,
  ): Promise<boolean> {
    const { deliveries } = this.#gateway;
    const { ordered } = this.#options;
    const trouble = this.#troubled.get(job.delivery) ?? { refusals: 0, deliveries };
    // Rights may be taken, given back and taken again: one delivery in between proves little.
    const isUnlisted = failure.kind === 'unlisted';
    const isFirst = trouble.refusals === 0;
    if (isUnlisted || isFirst || ordered || deliveries > trouble.deliveries) trouble.refusals += 1;
    trouble.deliveries = deliveries;
    this.#troubled.set(job.delivery, trouble);
    const isHopeless = trouble.refusals >= MAX_REFUSALS;
    if (isHopeless && (isUnlisted || !ordered)) {
      await this.#parkRefused(token, job, failure);
      return true;
    }
    if (isHopeless && wasAlone && this.#heldBack === undefined) {
      this.#heldBack = { job, failure };
      return true;
    }
    await this.#release(token, [job]);
    return false;
  }

  /** Whether the first of `jobs` is held back until it is known what became of the one behind it. */
  #mayBePassed(jobs: readonly JobRecord[]): boolean {
    if (!this.#maybePassed) return false;
    if (jobs.length > 1 && jobs[0]?.delivery === this.#maybePassed.job.delivery)
      this.#heldBack = this.#maybePassed;
    else this.#maybePassed = undefined;
    return this.#heldBack !== undefined;
  }

  #takeHeldBack(): Refused | undefined {
    const heldBack = this.#heldBack;
    this.#heldBack = undefined;
    return heldBack;
  }

  async #parkRefused(token: string, job: JobRecord, failure: RedisFailure): Promise<void> {
    this.#troubled.delete(job.delivery);
    const reason = failure.kind === 'unlisted' ? 'unlisted-error' : 'rejected';
    await this.#park(token, job, reason, failure.message);
  }

  async #park(token: string, job: JobRecord, reason: ParkReason, text: string | undefined): Promise<void> {
    await this.#call(this.#store.park(token, [job.id], text === undefined ? reason : `${reason}: ${text}`));
    this.#troubled.delete(job.delivery);
    this.#counts.parked += 1;
    this.#listener.onParked(job, reason, text);
  }

  #release(token: string, jobs: readonly JobRecord[]): Promise<void> {
    const ids = jobs.map((job) => job.id);
    return this.#call(this.#store.release(token, ids));
  }

  #call<T>(work: Promise<T>): Promise<T> {
    return boundedCall(this.#clock, this.#options.backupDeadlineMs, work);
  }

  #tellProgress(): void {
    const now = this.#clock.monotonicMs();
    const elapsedMs = now - this.#rate.at;
    if (elapsedMs >= 250) {
      const perSecond = ((this.#moved - this.#rate.moved) / elapsedMs) * 1000;
      const known = this.#rate.perSecond;
      this.#rate = {
        at: now,
        moved: this.#moved,
        perSecond: known === 0 ? perSecond : known * 0.6 + perSecond * 0.4,
      };
    }
    if (now - this.#toldAt < PROGRESS_EVERY_MS) return;
    this.#toldAt = now;
    this.#listener.onPhase('progress', this.progress);
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
