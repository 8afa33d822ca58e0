import type { AppendOutcome } from '../backup/backup-store.js';
import { boundedCall } from '../backup/bounded-call.js';
import { pause } from '../clock/clock.js';
import { isResilientQueueError, ResilientQueueError } from '../errors/resilient-queue-error.js';
import { scrubbed } from '../errors/scrub.js';
import type { HealthReport, HealthStatus, QueuePhase } from '../health/health-report.js';
import type { DroppedEvent, ErrorEvent, Listener, QueueEvents } from '../health/queue-events.js';
import type { CheckOptions, QueueRecognition, QueueStatus } from '../health/queue-status.js';
import type { JobRecord } from '../job/job-record.js';
import { boolean, checkOptions, checkSignal, describe } from '../options/option-checks.js';
import { type BreakerState, type IsolationHandle, RedisPolicy } from '../policy/default-policy.js';
import { type CallContext, guardedCall } from '../policy/guarded-call.js';
import type { FailureKind, RedisFailure } from '../policy/outage.js';
import { Prober, untilReady } from '../policy/prober.js';
import { RedisGateway } from '../policy/redis-gateway.js';
import { DeliveryIds, parseDeliveryId } from '../recognition/delivery-id.js';
import { LossWindow } from '../recognition/loss-window.js';
import type { DeliveryOutcome } from '../recognition/recognise.js';
import { FactoryConnection } from '../redis/factory-connection.js';
import { leaseInOrder } from '../replay/lease-taker.js';
import { Replayer, type ReplayProgress, type ReplayResult } from '../replay/replayer.js';
import type { StreamsTransport } from '../transport/streams.js';
import type { Transport } from '../transport/transport.js';
import { Backlog } from './backlog.js';
import { BackupWriter, MAX_APPENDS } from './backup-writer.js';
import { Batcher, MAX_BATCHES, MAX_JOBS } from './batcher.js';
import { Books } from './books.js';
import { CatchUp } from './catch-up.js';
import { Dispatcher } from './dispatcher.js';
import { Emitter } from './emitter.js';
import { EnqueueManyError } from './enqueue-many-error.js';
import type { EnqueueOptions } from './enqueue-options.js';
import type { Enqueuer, JobInput, PayloadAndOptions, UntypedJobs } from './enqueuer.js';
import { JobMaker } from './job-maker.js';
import { LossRepair } from './loss-repair.js';
import {
  checkQueueName,
  checkTimeout,
  type QueueOptions,
  type ResolvedOptions,
  resolveOptions,
} from './options.js';
import { abortedError, PendingJob } from './pending-job.js';
import type { Receipt } from './receipt.js';
import { joinStore, leaveStore } from './store-users.js';

interface Outage {
  readonly kind: FailureKind;
  readonly startedAt: number;
}

const CLOSE_TIMEOUT_MS = 10_000;
/** `setTimeout` takes no more. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** An error that goes on is told again, but not at the rate of the jobs it hits. */
const ALARM_EVERY_MS = 10_000;

/**
 * A queue in front of Redis that takes jobs also while Redis does not.
 *
 * A job whose `enqueue()` resolved is laid down in its queue exactly once, while the Redis primary keeps what it acknowledged
 * and the backup store keeps what it was given.
 *
 * `Jobs` maps job names to the types of their payloads; `T` is the transport.
 */
export class ResilientQueue<Jobs extends object = UntypedJobs, T extends Transport = StreamsTransport>
  implements Enqueuer<Jobs, T>, QueueStatus, AsyncDisposable
{
  readonly name: string;
  readonly #options: ResolvedOptions;
  readonly #emitter: Emitter;
  readonly #backlog: Backlog;
  readonly #books: Books;
  readonly #gateway: RedisGateway;
  readonly #policy: RedisPolicy;
  readonly #prober: Prober;
  readonly #ids: DeliveryIds;
  readonly #maker: JobMaker;
  readonly #batcher: Batcher;
  readonly #catchUp: CatchUp;
  readonly #dispatcher: Dispatcher;
  readonly #writer: BackupWriter;
  readonly #replayer: Replayer;
  readonly #lossRepair: LossRepair | undefined;
  readonly #unlisten: () => void;
  readonly #alarms = new Map<string, number>();
  /** Resolves when the store has said what it holds from before. */
  readonly #opened: Promise<void>;
  #unsettled = 0;
  #onSettled: (() => void) | undefined;
  #status: HealthStatus = 'up';
  #since: number;
  #breaker: BreakerState = 'closed';
  /** Redis has taken a write since jobs wait and the breaker is closed, or did so last before that. */
  #isProven = false;
  #outage: Outage | undefined;
  /** Jobs that Redis did not take, since it last took one; in an outage, since that. */
  #toll: { backedUp: number; unknown: number; rejected: number } | undefined;
  #looking: Promise<void> | undefined;
  #openedEpoch = '';
  #phase: QueuePhase = 'open';
  #closing: Promise<{ pending: number }> | undefined;

  /**
   * Does not wait for Redis, nor connect a client that it was given, and does not throw because Redis is down.
   *
   * @throws TypeError or RangeError for a bad name or option, naming it, what was expected, and what was given.
   */
  constructor(name: string, options: QueueOptions<T, Jobs>) {
    checkQueueName(name);
    const resolved = resolveOptions(options as QueueOptions<Transport>);
    const { clock, connection, backup, transport } = resolved;
    this.name = name;
    this.#options = resolved;
    this.#since = clock.now();
    this.#emitter = new Emitter(name);
    this.#backlog = new Backlog(backup, name, clock, resolved.backupDeadlineMs);
    this.#books = new Books(this.#backlog, {
      onKept: (job) => this.#replayer.appended(job),
      onSuperseded: (job) => this.#emitDropped(job, 'superseded'),
      hasGivenUp: (id) => this.#replayer.hasGivenUp(id),
      wasLost: (job) => this.#lossRepair?.forget(job) ?? false,
    });
    const { lossWindow } = resolved;
    const remembered = lossWindow && new LossWindow(lossWindow, recognitionMs(resolved));
    this.#gateway = new RedisGateway({
      queue: name,
      connection,
      transport,
      clock,
      recognition: resolved.recognition,
      lossWindow: remembered,
      onLoss: () => this.#lossRepair?.onLoss(),
      onFailure: (failure) => this.#onFailure(failure),
      onWritable: () => this.#refreshStatus(),
    });
    this.#policy = new RedisPolicy({
      breaker: resolved.breaker,
      retryAttempts: resolved.retry.attempts,
      backoff: resolved.retry.backoff,
      onState: (state) => this.#onBreaker(state),
    });
    const replaceClient =
      connection instanceof FactoryConnection ? () => void connection.replace() : undefined;
    this.#prober = new Prober(this.#gateway, this.#policy, clock, resolved, replaceClient);
    this.#ids = new DeliveryIds(clock, () => this.#openEpoch());
    this.#maker = new JobMaker(name, clock, this.#ids, transport, resolved);
    const isOrdered = resolved.ordering === 'queue';
    this.#catchUp = new CatchUp(clock);
    this.#batcher = new Batcher(
      clock,
      resolved.deadlineMs,
      isOrdered ? 1 : MAX_BATCHES,
      isOrdered ? (batch) => this.#sendInOrder(batch) : (batch) => this.#dispatcher.send(batch),
      (jobs) => this.#backUpLine(jobs),
      isOrdered ? (oldest) => this.#backlogWaitMs(oldest) : undefined,
      isOrdered ? Math.min(MAX_JOBS, leaseInOrder(resolved.replay)) : MAX_JOBS,
    );
    this.#dispatcher = new Dispatcher(
      this.#gateway,
      this.#policy,
      clock,
      this.#batcher.limits,
      {
        onOutcomes: (jobs, outcomes) => this.#onOutcomes(jobs, outcomes),
        onRefused: (job, failure) => this.#onRefused(job, failure),
        onDiverted: (jobs, failure) => this.#writer.add(jobs, failure),
        onLateAnswer: () => this.#prober.hint(),
      },
      resolved,
    );
    const maxAppends = isOrdered ? 1 : MAX_APPENDS;
    this.#writer = new BackupWriter(
      backup,
      name,
      clock,
      resolved.backupDeadlineMs,
      resolved.backupLimit,
      maxAppends,
      {
        held: () => ({ jobs: this.#backlog.pending, bytes: this.#backlog.bytes }),
        onAppending: (records) => this.#books.asked(records),
        onAppended: (jobs, records, outcomes) => this.#onAppended(jobs, records, outcomes),
        onNotAppended: (records, how) => this.#books.unanswered(records, how),
        onAnsweredLate: (records, outcomes) => this.#onAnsweredLate(records, outcomes),
        onRejected: (jobs, error) => this.#onRejected(jobs, error),
        onStore: (isWell, error) => this.#onStore(isWell, error),
      },
    );
    this.#replayer = new Replayer(
      backup,
      name,
      this.#gateway,
      this.#policy,
      clock,
      {
        remaining: () => this.#backlog.pending,
        // In order, the live jobs are in the backlog, too.
        isLiveBusy: () => !isOrdered && this.#batcher.isBusy,
        onDelivered: (jobs, recognised) => this.#onReplayed(jobs, recognised),
        onParked: (job, reason, text) => {
          this.#books.parked(job);
          this.#emitter.emit('parked', { queue: name, id: job.id, name: job.name, reason, text });
          this.#refreshStatus();
        },
        onDropped: (job, reason) => this.#onDropped(job, reason),
        onSetAside: (job) => this.#books.setAside(job),
        onLeased: (jobs) => this.#books.leased(jobs),
        onPhase: (phase, progress) => this.#onReplayPhase(phase, progress),
        onStoreError: (error) => this.#alarm('backup', scrubbed(error)),
        onCallerError: (error) => this.#alarm('listener', scrubbed(error)),
      },
      {
        ...resolved.replay,
        transport: transport.name,
        recognitionMs: recognitionMs(resolved),
        payloadProblem: (job) => this.#payloadProblem(job),
        attemptTimeoutMs: resolved.attemptTimeoutMs,
        deadlineMs: resolved.deadlineMs,
        backupDeadlineMs: resolved.backupDeadlineMs,
        ordered: isOrdered,
      },
    );
    this.#lossRepair =
      lossWindow &&
      remembered &&
      new LossRepair(
        name,
        resolved,
        remembered,
        lossWindow,
        recognitionMs(resolved),
        this.#gateway,
        this.#policy,
        () => this.#prober.probe(),
        {
          onRedelivered: (count) => {
            this.#books.totals.redelivered += count;
          },
          onBackingUp: (jobs) => this.#books.asked(jobs),
          onBackedUp: (jobs, outcomes) => this.#onBackedUpAgain(jobs, outcomes),
          onUnsure: (jobs) => this.#books.unanswered(jobs, 'unsure'),
          onExpired: (jobs) => this.#onLost(jobs, 'expired'),
          onLost: (jobs) => this.#onLost(jobs, 'lost'),
          onStoreError: (error) => this.#alarm('backup', error),
          onEnd: (result) => this.#emitter.emit('redis-data-loss', { queue: name, ...result }),
        },
      );
    joinStore(backup, name);
    this.#unlisten = connection.listen({
      up: () => {
        this.#gateway.connected();
        this.#prober.hint();
        this.#openEpoch();
        this.#replayer.wake();
        void this.#lossRepair?.look();
      },
      down: () => {
        this.#gateway.cut();
        this.#prober.watch();
      },
      error: (error) => {
        if (isForAnOperator(error)) this.#alarm('configuration', error);
        else this.#gateway.heard(error);
      },
    });
    if (connection instanceof FactoryConnection) void connection.replace();
    if (!connection.isReady) this.#prober.watch();
    this.#lossRepair?.start();
    this.#opened = this.#open();
    // What the store holds from before comes first.
    if (isOrdered) this.#batcher.holdUntil(this.#opened);
  }

  /**
   * Lays a job down in the queue, or in the backup while Redis cannot take it.
   *
   * Resolves once the job is as durable as the receipt says: acknowledged by Redis, or kept by the backup store. Takes at most
   * `deadlineMs` for Redis and then `backupDeadlineMs` for the store. Rejects with a {@link ResilientQueueError} whose `fate`
   * says whether the job may still run; enqueue it again with `{ id: error.jobId }` then, and there will be one.
   */
  enqueue<Name extends keyof Jobs & string>(
    name: Name,
    ...[payload, options]: PayloadAndOptions<Jobs[Name], T>
  ): Promise<Receipt> {
    let job: PendingJob;
    try {
      this.#checkOpen();
      job = this.#begin(this.#make(name, payload, options), options);
    } catch (error) {
      return Promise.reject(error);
    }
    this.#batcher.add(job);
    return job.promise;
  }

  /**
   * Enqueues `jobs`, all checked before any is sent. Resolves with their receipts, in order. Not a transaction: some may be
   * taken and others not, and then it rejects with an {@link EnqueueManyError} that has a result for each.
   */
  async enqueueMany(jobs: readonly JobInput<Jobs, T>[]): Promise<Receipt[]> {
    this.#checkOpen();
    const isList = Array.isArray(jobs) && jobs.every((job) => typeof job === 'object' && job !== null);
    if (!isList) {
      const expected = 'enqueueMany() takes an array of { name, payload?, options? }.';
      throw new ResilientQueueError(expected, { code: 'OPTION_UNSUPPORTED', fate: 'not-delivered' });
    }
    const records = jobs.map(({ name, payload, options }) => this.#make(name, payload, options));
    const begun = records.map((record, i) => this.#begin(record, jobs[i]?.options));
    for (const job of begun) this.#batcher.add(job);
    const results = await Promise.all(
      begun.map((job) => job.promise.catch((error: ResilientQueueError) => error)),
    );
    if (results.some(isResilientQueueError)) throw new EnqueueManyError(results);
    return results as Receipt[];
  }

  /**
   * Replays the backup now instead of when the queue would do it by itself. Resolves when it is empty, or nothing more can be
   * delivered (an outage, an abort), with what was done and what remains.
   */
  async replay(
    options: { readonly signal?: AbortSignal; readonly onProgress?: (progress: ReplayProgress) => void } = {},
  ): Promise<ReplayResult> {
    checkOptions('replay()', options, ['signal', 'onProgress']);
    const { signal, onProgress } = options;
    checkSignal(signal);
    if (onProgress !== undefined && typeof onProgress !== 'function') {
      throw new TypeError(`Option "onProgress" must be a function, got ${describe(onProgress)}.`);
    }
    this.#checkOpen();
    await this.#opened;
    // A client that is just connecting, or for a moment away, is waited for like in enqueue().
    const { clock, deadlineMs } = this.#options;
    await untilReady(this.#gateway, clock, deadlineMs, () => !signal?.aborted, false);
    if (this.#breaker === 'open' || this.#breaker === 'half-open') await this.#prober.probe();
    await this.#look();
    return this.#replayer.replay(signal, onProgress);
  }

  /** How jobs are laid down, and how long it is known afterwards that they were. */
  get recognition(): QueueRecognition {
    const { transport, recognition } = this.#options;
    const generatedMs = recognitionMs(this.#options);
    const hasOwn = transport.capabilities.recognitionMs !== 'configured';
    return {
      transport: transport.name,
      generatedMs,
      callerMs: hasOwn ? generatedMs : recognition.callerMs,
    };
  }

  health(): HealthReport {
    const backlog = this.#backlog;
    const { durability } = this.#options.backup;
    return {
      status: this.#status,
      since: this.#since,
      queue: this.name,
      phase: this.#phase,
      redis: { ...this.#gateway.sight },
      breaker: this.#policy.state,
      backup: {
        pending: backlog.pending,
        unknown: backlog.unknown,
        parked: backlog.parked,
        bytes: backlog.knownBytes,
        capacity: this.#options.backupLimit.jobs,
        oldestAt: backlog.oldestAt,
        durability,
        writable: this.#isBackupWritable,
      },
      replay: this.#replayer.progress,
      totals: { ...this.#books.totals },
    };
  }

  async check(options: CheckOptions = {}): Promise<HealthReport> {
    checkOptions('check()', options, ['timeoutMs', 'signal']);
    checkSignal(options.signal);
    const { clock, attemptTimeoutMs } = this.#options;
    const timeoutMs = options.timeoutMs ?? attemptTimeoutMs;
    checkTimeout(timeoutMs);
    if (this.#closing) return this.health();
    const over = new AbortController();
    const { signal } = options;
    const end = () => over.abort();
    signal?.addEventListener('abort', end);
    try {
      const time = pause(clock, timeoutMs, {
        background: false,
        signal: signal?.aborted ? signal : over.signal,
      });
      const probed = this.#prober.probe().then(() => true);
      const isAnswered = await Promise.race([probed, time]);
      if (!isAnswered && !over.signal.aborted && !signal?.aborted) this.#gateway.noAnswer();
      await Promise.race([this.#look(), time]);
    } finally {
      over.abort();
      signal?.removeEventListener('abort', end);
    }
    return this.health();
  }

  /** Holds the breaker open by hand, for maintenance: every job goes to the backup until each handle is disposed of. */
  isolate(): IsolationHandle {
    return this.#policy.isolate();
  }

  /**
   * Runs any other call of your client's under the queue's deadline, breaker and, if it is idempotent, retry. Rejects with
   * `UNAVAILABLE` when Redis could not take it, and with the call's own error otherwise. Nothing of it goes to the backup.
   */
  async execute<Client, Result>(
    call: (client: Client, context: CallContext) => Promise<Result>,
    options: { readonly idempotent?: boolean } = {},
  ): Promise<Result> {
    checkOptions('execute()', options, ['idempotent']);
    const idempotent = boolean('idempotent', options.idempotent, false);
    if (typeof call !== 'function') {
      throw new TypeError(`execute() takes a function that is given your client, got ${describe(call)}.`);
    }
    this.#checkOpen();
    const { clock, deadlineMs, attemptTimeoutMs } = this.#options;
    return guardedCall(
      this.#gateway,
      this.#policy,
      clock,
      (client, context) => call(client as Client, context),
      { idempotent, deadlineMs, attemptTimeoutMs },
    );
  }

  /**
   * Takes no more jobs, waits for those under way (what stays unknown goes to the backup), replays once more if Redis is up,
   * and lets go of store and client: the last queue of a store closes it; a client of yours is left as it is. Resolves, when
   * every `enqueue()` has settled, with how many jobs still wait in the backup. Those in a memory backup are lost then, each with
   * a `dropped` event. Takes about `timeoutMs` at most, and what the store needs for its last appends.
   *
   * @param options `timeoutMs` defaults to 10,000.
   */
  close(options: { readonly timeoutMs?: number | undefined } = {}): Promise<{ pending: number }> {
    try {
      checkOptions('close()', options, ['timeoutMs']);
      if (options.timeoutMs !== undefined) checkTimeout(options.timeoutMs);
    } catch (error) {
      return Promise.reject(error);
    }
    if (this.#closing) return this.#closing;
    if (this.#status !== 'down') {
      // Whoever closes it knows: an event would sound an alarm at each deploy.
      this.#status = 'down';
      this.#since = this.#options.clock.now();
    }
    this.#phase = 'closing';
    this.#closing = this.#close(options.timeoutMs ?? CLOSE_TIMEOUT_MS);
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  on<Name extends keyof QueueEvents>(name: Name, listener: Listener<Name>): this {
    this.#emitter.on(name, listener, false);
    return this;
  }

  once<Name extends keyof QueueEvents>(name: Name, listener: Listener<Name>): this {
    this.#emitter.on(name, listener, true);
    return this;
  }

  off<Name extends keyof QueueEvents>(name: Name, listener: Listener<Name>): this {
    this.#emitter.off(name, listener);
    return this;
  }

  #checkOpen(): void {
    if (!this.#closing) return;
    throw new ResilientQueueError(`The queue "${this.name}" is closed.`, {
      code: 'QUEUE_CLOSED',
      fate: 'not-delivered',
    });
  }

  /** Makes the job, with the ids that it keeps in every attempt, or throws before anything has happened. */
  #make(name: string, payload: unknown, options: EnqueueOptions<T> | undefined): JobRecord {
    const signal = options?.signal;
    if (signal?.aborted) throw abortedError(options?.id, signal);
    return this.#maker.make(name, payload, options as EnqueueOptions | undefined);
  }

  /** Jobs of this object have passed its schemas; others, of a predecessor or a neighbour, may have been made for other ones. */
  #payloadProblem({ name, payload, delivery }: JobRecord): string | undefined {
    const { schemas } = this.#options;
    if (schemas === undefined || this.#ids.owns(parseDeliveryId(delivery).epoch)) return undefined;
    return schemas.problem(name, payload);
  }

  /** From here on the job is counted, and settles. */
  #begin(record: JobRecord, options: EnqueueOptions<T> | undefined): PendingJob {
    const isGivenBack = options?.id !== undefined && record.id === record.delivery;
    const job = new PendingJob(record, this.#options.clock.monotonicMs(), isGivenBack);
    this.#unsettled += 1;
    if (options?.signal) job.abortWith(options.signal, () => this.#countRejected(1));
    return job;
  }

  #onOutcomes(jobs: readonly PendingJob[], outcomes: readonly DeliveryOutcome[]): void {
    const ids: string[] | undefined = this.#emitter.has('enqueued') ? [] : undefined;
    let duplicates: string[] | undefined;
    const { totals } = this.#books;
    if (this.#toll && !this.#outage) this.#toll = undefined;
    for (let i = 0; i < jobs.length; i++) {
      const job = jobs[i] as PendingJob;
      const { id } = job.record;
      const outcome = outcomes[i];
      // What this call sent before, and what a caller gave back, is told apart by whether anything was sent before.
      const wasThere = outcome === 'recognised' && job.isGivenBack && job.unanswered <= 1;
      if (outcome === 'duplicate' || wasThere) {
        totals.duplicates += 1;
        job.resolve({ id, outcome: 'duplicate' });
        duplicates ??= [];
        duplicates.push(id);
      } else {
        totals.accepted += 1;
        totals.delivered += 1;
        if (outcome === 'recognised') totals.recognised += 1;
        job.resolve({ id, outcome: 'enqueued', durability: 'acked' });
        ids?.push(id);
      }
    }
    this.#settled(jobs.length);
    if (ids && ids.length > 0) this.#emitter.emit('enqueued', { queue: this.name, ids });
    if (duplicates) this.#tellDuplicates(duplicates);
  }

  #onRefused(job: PendingJob, failure: RedisFailure): void {
    job.reject(
      new ResilientQueueError(`Redis refused the job (${failure.kind}): ${failure.message}`, {
        code: 'REJECTED_BY_REDIS',
        fate: job.fate,
        jobId: job.record.id,
        cause: failure,
      }),
    );
    this.#countRejected(1);
  }

  #onAppended(
    jobs: readonly PendingJob[],
    records: readonly JobRecord[],
    outcomes: readonly AppendOutcome[],
  ): void {
    const ids: string[] = [];
    const duplicates: string[] = [];
    const meanwhile = this.#books.answered(records);
    const { durability } = this.#options.backup;
    let unknown = 0;
    for (let i = 0; i < jobs.length; i++) {
      const job = jobs[i] as PendingJob;
      const record = records[i] as JobRecord;
      if (outcomes[i] === 'present') {
        if (this.#books.isGivenUp(record, meanwhile)) {
          job.reject(givenUpError(job, this.#books.isDoubted(record.id)));
          this.#books.totals.rejected += 1;
        } else {
          this.#books.duplicate(record);
          job.resolve({ id: record.id, outcome: 'duplicate' });
          duplicates.push(record.id);
        }
        continue;
      }
      this.#books.accepted(record, outcomes[i], meanwhile);
      if (record.fate === 'unknown') unknown += 1;
      ids.push(record.id);
      job.resolve({ id: record.id, outcome: 'backed-up', durability });
    }
    this.#settled(jobs.length);
    this.#suffer(ids.length, unknown, 0);
    this.#refreshStatus();
    if (ids.length > 0) this.#emitter.emit('backed-up', { queue: this.name, ids, unknown });
    this.#tellDuplicates(duplicates);
    this.#replayer.wake();
  }

  #tellDuplicates(ids: readonly string[]): void {
    if (ids.length > 0) this.#emitter.emit('duplicate', { queue: this.name, ids });
  }

  #onAnsweredLate(records: readonly JobRecord[], outcomes: readonly AppendOutcome[] | undefined): void {
    this.#books.answeredLate(records, outcomes);
    this.#refreshStatus();
    this.#replayer.wake();
  }

  #onRejected(jobs: readonly PendingJob[], error: (job: PendingJob) => ResilientQueueError): void {
    for (const job of jobs) job.reject(error(job));
    this.#suffer(0, 0, jobs.length);
    this.#countRejected(jobs.length);
    this.#refreshStatus();
  }

  #onReplayed(jobs: readonly JobRecord[], recognised: number): void {
    this.#books.replayed(jobs, recognised);
    this.#refreshStatus();
    this.#catchUp.left(jobs.length);
    this.#batcher.goOn();
  }

  #onDropped(job: JobRecord, reason: DroppedEvent['reason']): void {
    this.#books.dropped(job);
    this.#emitDropped(job, reason);
    this.#refreshStatus();
  }

  #emitDropped(job: JobRecord, reason: DroppedEvent['reason']): void {
    this.#emitter.emit('dropped', { queue: this.name, id: job.id, name: job.name, reason });
  }

  /** Jobs that count as delivered, and that Redis may have lost, are with the store now. Returns those that are not. */
  #onBackedUpAgain(jobs: readonly JobRecord[], outcomes: readonly AppendOutcome[]): readonly JobRecord[] {
    const meanwhile = this.#books.answered(jobs);
    const failed: JobRecord[] = [];
    const ids: string[] = [];
    jobs.forEach((job, i) => {
      if (this.#books.backedUpAgain(job, outcomes[i], meanwhile)) ids.push(job.id);
      else failed.push(job);
    });
    this.#refreshStatus();
    // What Redis lost, it may have had.
    if (ids.length > 0) this.#emitter.emit('backed-up', { queue: this.name, ids, unknown: ids.length });
    this.#replayer.wake();
    return failed;
  }

  #onLost(jobs: readonly JobRecord[], reason: 'expired' | 'lost'): void {
    this.#books.lost(jobs);
    for (const job of jobs) this.#emitDropped(job, reason);
  }

  #onReplayPhase(phase: 'started' | 'progress' | 'finished', progress: ReplayProgress): void {
    this.#emitter.emit('replay', { queue: this.name, phase, ...progress });
    if (phase === 'started') {
      this.#catchUp.begin();
    } else {
      this.#batcher.goOn();
      void this.#look();
    }
  }

  #onStore(isWell: boolean, error: Error | undefined): void {
    this.#backlog.isStoreWell = isWell;
    if (error) this.#alarm('backup', error);
    this.#refreshStatus();
  }

  #onFailure(failure: RedisFailure): void {
    // An outage has its own event; what a person must mend is told even without one.
    const isForAPerson =
      failure.kind === 'auth' ||
      failure.kind === 'unlisted' ||
      failure.treatment === 'caller' ||
      failure.treatment === 'redirect';
    if (isForAPerson) this.#alarm(failure.kind, failure);
  }

  #alarm(kind: ErrorEvent['kind'], error: Error): void {
    const now = this.#options.clock.monotonicMs();
    const last = this.#alarms.get(kind);
    if (last !== undefined && now - last < ALARM_EVERY_MS) return;
    this.#alarms.set(kind, now);
    this.#emitter.emit('error', { queue: this.name, kind, error });
  }

  #onBreaker(state: BreakerState): void {
    const previous = this.#breaker;
    const isFree = previous === 'isolated' && state === 'closed';
    if (isFree && this.#outage && !this.#gateway.takesWrites) {
      // An outage does not end because somebody isolated the queue and has done.
      this.#policy.reopen();
      return;
    }
    this.#breaker = state;
    this.#prober.onState();
    this.#isProven = false;
    if (state === 'open' && !this.#outage) this.#startOutage();
    if (state === 'closed') this.#endOutage();
    if (state === 'open' || state === 'isolated') this.#backUpLine(this.#batcher.takeAll());
    this.#emitter.emit('breaker', { queue: this.name, state, previous });
    this.#refreshStatus();
    if (state === 'closed') {
      this.#replayer.wake();
      if (!this.#gateway.isReady) this.#prober.watch();
    }
  }

  /** In order, a batch goes to Redis only when everything before it is there. */
  async #sendInOrder(batch: PendingJob[]): Promise<void> {
    if (this.#isCaughtUp) return this.#dispatcher.send(batch);
    this.#catchUp.added(batch.length);
    this.#writer.add(batch, undefined);
  }

  /** Everything that came before is in Redis, or its caller knows that it is not. */
  get #isCaughtUp(): boolean {
    return this.#backlog.pending === 0 && this.#writer.isIdle;
  }

  #backlogWaitMs(oldest: PendingJob): number {
    const isOnItsWay = this.#replayer.isActive && this.#policy.isClosed && !this.#isCaughtUp;
    return isOnItsWay ? this.#catchUp.waitMs(oldest.startedAt) : 0;
  }

  /** Jobs from the batcher's line go to the backup; in order, those under way go first. */
  #backUpLine(waiting: readonly PendingJob[]): void {
    const jobs = this.#options.ordering === 'queue' ? [...this.#dispatcher.abandon(), ...waiting] : waiting;
    if (jobs.length > 0) this.#writer.add(jobs, this.#reason);
  }

  /** Why Redis is not asked; undefined where that is nobody's failure. */
  get #reason(): RedisFailure | undefined {
    return this.#breaker === 'open' ? this.#policy.lastFailure : undefined;
  }

  #startOutage(): void {
    const kind = this.#policy.lastFailure?.kind ?? 'unlisted';
    this.#outage = { kind, startedAt: this.#options.clock.now() };
    this.#tellOutage('started', this.#outage, 0);
  }

  #endOutage(): void {
    const outage = this.#outage;
    if (outage) this.#tellOutage('ended', outage, this.#options.clock.now() - outage.startedAt);
    this.#outage = undefined;
    this.#toll = undefined;
  }

  #tellOutage(phase: 'started' | 'ended', outage: Outage, durationMs: number): void {
    // The jobs that made the breaker open suffered from it, too.
    const toll = this.#toll ?? { backedUp: 0, unknown: 0, rejected: 0 };
    this.#emitter.emit('outage', { queue: this.name, phase, durationMs, ...outage, ...toll });
  }

  #suffer(backedUp: number, unknown: number, rejected: number): void {
    this.#toll ??= { backedUp: 0, unknown: 0, rejected: 0 };
    this.#toll.backedUp += backedUp;
    this.#toll.unknown += unknown;
    this.#toll.rejected += rejected;
  }

  get #isBackupWritable(): boolean {
    const { jobs, bytes } = this.#options.backupLimit;
    return this.#backlog.isStoreWell && this.#backlog.pending < jobs && this.#backlog.bytes < bytes;
  }

  #refreshStatus(): void {
    const status = this.#statusNow();
    if (status === this.#status) return;
    this.#status = status;
    this.#since = this.#options.clock.now();
    if (this.#emitter.has('health')) this.#emitter.emit('health', this.health());
  }

  #statusNow(): HealthStatus {
    if (this.#phase !== 'open') return 'down';
    if (this.#policy.isClosed) {
      // A breaker that is closed proves nothing: an outage may not have been noticed yet. One failure later on is none.
      this.#isProven = this.#backlog.pending > 0 && (this.#isProven || this.#gateway.takesWrites);
      if (this.#isProven) return 'recovering';
      if (this.#backlog.pending === 0) return 'up';
    }
    return this.#isBackupWritable ? 'degraded' : 'down';
  }

  #countRejected(count: number): void {
    this.#books.totals.rejected += count;
    this.#settled(count);
  }

  #settled(count: number): void {
    this.#unsettled -= count;
    if (this.#unsettled === 0) this.#onSettled?.();
  }

  /** Finds out what the store holds from before, and replays it. */
  async #open(): Promise<void> {
    const first = this.#look();
    this.#writer.start(first);
    this.#replayer.startPolling(() => this.#look());
    await first;
    this.#replayer.wake();
  }

  /** Creates the epoch's bitmap as soon as there is a connection, once. */
  #openEpoch(): void {
    // A transport with a window of its own sets no bits.
    if (this.#options.transport.capabilities.recognitionMs !== 'configured') return;
    const { epoch } = this.#ids;
    if (epoch === this.#openedEpoch || !this.#gateway.isReady) return;
    this.#openedEpoch = epoch;
    void this.#gateway.openEpoch(epoch, this.#options.deadlineMs);
  }

  #look(): Promise<void> {
    // What it finds is taken in once, whoever asked.
    this.#looking ??= this.#lookInto().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #lookInto(): Promise<void> {
    const stats = await this.#backlog.look(() => !this.#writer.isAppending && !this.#replayer.isActive);
    if (stats) {
      if (this.#policy.isClosed) this.#backlog.isStoreWell = true;
      if (stats.pending === 0) this.#books.confirmed(this.#replayer.storeIsEmpty(), 0);
      this.#books.lookedInto(stats);
    }
    this.#refreshStatus();
  }

  async #close(timeoutMs: number): Promise<{ pending: number }> {
    const { clock } = this.#options;
    // Whoever waits for this may have nothing else that keeps the process alive.
    const alive = clock.setTimeout(() => {}, LONGEST_TIMER_MS, false);
    try {
      return await this.#closeAll(timeoutMs);
    } finally {
      clock.clearTimeout(alive);
    }
  }

  async #closeAll(timeoutMs: number): Promise<{ pending: number }> {
    const { clock, backup, connection, backupDeadlineMs } = this.#options;
    const endsAt = clock.monotonicMs() + timeoutMs;
    const settled = new AbortController();
    const time = pause(clock, timeoutMs, { background: false, signal: settled.signal });
    await Promise.race([this.#allSettled(), time]);
    settled.abort();
    const left = [...this.#dispatcher.abandon(), ...this.#batcher.takeAll()];
    if (left.length > 0) this.#writer.add(left, this.#reason);
    // Every job is in the store's hands now, which has its own deadline.
    await this.#allSettled();
    // Redis may be back without the breaker knowing yet.
    if (this.#backlog.pending > 0 && this.#breaker === 'open') await this.#prober.probe();
    const leftMs = endsAt - clock.monotonicMs();
    if (leftMs > 0 && this.#policy.isClosed && this.#backlog.pending > 0) {
      const over = new AbortController();
      const timer = clock.setTimeout(() => over.abort(), leftMs, false);
      await this.#replayer.replay(over.signal, undefined);
      clock.clearTimeout(timer);
    }
    await this.#replayer.stop();
    await this.#lossRepair?.end(endsAt);
    this.#prober.stop();
    this.#gateway.stop();
    this.#unlisten();
    const pending = this.#backlog.pending;
    const last = leaveStore(backup, this.name);
    const failed = (error: unknown) => this.#alarm('backup', scrubbed(error));
    if (last.ofName && backup.durability === 'memory') await this.#giveUpBacklog().catch(failed);
    // An async function, because a store may also throw before it returns a promise.
    const close = async () => backup.close();
    if (last.ofAll) await boundedCall(clock, backupDeadlineMs, close()).catch(failed);
    if (connection instanceof FactoryConnection) connection.destroy();
    this.#emitter.clear();
    this.#phase = 'closed';
    return { pending };
  }

  async #allSettled(): Promise<void> {
    if (this.#unsettled === 0) return;
    await new Promise<void>((resolve) => {
      this.#onSettled = resolve;
    });
  }

  /** Tells of each job that is about to be lost with the process's memory. */
  async #giveUpBacklog(): Promise<void> {
    const { backup, replay, clock, backupDeadlineMs } = this.#options;
    for (;;) {
      const lease = await boundedCall(clock, backupDeadlineMs, backup.lease(this.name, 1000, replay.leaseMs));
      if (!lease) return;
      for (const job of lease.jobs) {
        const fate = this.#replayer.fateOf(job);
        if (fate === 'delivered') this.#onReplayed([job], 0);
        else if (fate === undefined) this.#onDropped(job, 'closed');
      }
    }
  }
}

/** What the store is about to let go of is no place for a job that comes again under its id. */
function givenUpError(job: PendingJob, mayBeKept: boolean): ResilientQueueError {
  const { record } = job;
  const fate = mayBeKept ? 'unknown' : job.fate;
  return new ResilientQueueError(
    'The backup store still holds an earlier job of this id, of which a "parked" or "dropped" event was told, and has not confirmed yet that it set it aside. Enqueue it again, with the same id.',
    { code: 'UNAVAILABLE', fate, jobId: record.id },
  );
}

/** A connection that will not get well by itself: what it says is for whoever set it up. */
function isForAnOperator(error: unknown): error is Error {
  return error instanceof Error && ['ClientFactoryError', 'UnusableClientError'].includes(error.name);
}

function recognitionMs({ transport, recognition }: ResolvedOptions): number {
  const own = transport.capabilities.recognitionMs;
  return own === 'configured' ? recognition.generatedMs : own;
}
