import type { Clock } from '../clock/clock.js';
import type { JobRecord } from '../job/job-record.js';
import { EpochNotes } from '../recognition/epoch-notes.js';
import { openEpoch } from '../recognition/epochs.js';
import { readHolders } from '../recognition/holders.js';
import { type Heir, type LossWindow, witnessAmong } from '../recognition/loss-window.js';
import { type QueueKeys, queueKeys } from '../recognition/queue-keys.js';
import type { Delivery, DeliveryOutcome } from '../recognition/recognise.js';
import type { RedisConnection } from '../redis/redis-connection.js';
import type { DeliveryContext, Transport } from '../transport/transport.js';
import { writeCanary } from './canary.js';
import { type FailureKind, RedisFailure, sortFailure } from './outage.js';
import { ShortWait } from './short-wait.js';
import { Timeouts } from './timeouts.js';
import { noAnswerWithin, within } from './within.js';

/** What the gateway has seen of Redis. */
export interface RedisSight {
  /** Redis answered last time, if only with a refusal. */
  readonly reachable: boolean;
  /** Redis took a write last time. */
  readonly writable: boolean;
  /** Of the last answer to a write; undefined before the first. */
  readonly latencyMs: number | undefined;
  readonly lastError: { readonly kind: FailureKind; readonly at: number } | undefined;
}

// Kinds after which nothing is known of the server behind the connection.
const silent: ReadonlySet<FailureKind> = new Set(['disconnected', 'connection-lost', 'timeout', 'protocol']);

const known: ReadonlySet<unknown> = new Set([
  'delivered',
  'recognised',
  'duplicate',
] satisfies DeliveryOutcome[]);

/** The one way to Redis: sends a batch or a canary, bounded in time, errors sorted, what was seen remembered. */
export class RedisGateway {
  readonly connection: RedisConnection;
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #keys: QueueKeys;
  readonly #queue: string;
  readonly #callerMs: number;
  readonly #generatedMs: number;
  readonly #notes: EpochNotes;
  readonly #timeouts: Timeouts;
  readonly #wait = new ShortWait();
  readonly #window: LossWindow | undefined;
  /** Of answers to jobs that a store had. */
  readonly #heirs = new WeakMap<Delivery, Heir>();
  readonly #onLoss: () => void;
  readonly #onFailure: (failure: RedisFailure) => void;
  readonly #onWritable: () => void;
  /** Why the client has no connection, where Redis itself said so to it. */
  #refusal: RedisFailure | undefined;
  #hasTakenWrites = false;
  #deliveries = 0;
  /** How often the client has lost its connection. */
  #cuts = 0;
  #sight: { -readonly [Key in keyof RedisSight]: RedisSight[Key] };

  constructor(options: {
    readonly queue: string;
    readonly connection: RedisConnection;
    readonly transport: Transport;
    readonly clock: Clock;
    readonly recognition: { readonly callerMs: number; readonly generatedMs: number };
    /** Where acknowledged jobs are remembered; undefined where the transport, or the queue's options, cannot or will not. */
    readonly lossWindow: LossWindow | undefined;
    /** The server behind the connection has lost writes that it had acknowledged. */
    readonly onLoss: () => void;
    readonly onFailure: (failure: RedisFailure) => void;
    /** Redis took a write: the first, or the first since it did not. */
    readonly onWritable: () => void;
  }) {
    this.connection = options.connection;
    this.#transport = options.transport;
    this.#clock = options.clock;
    this.#queue = options.queue;
    this.#keys = queueKeys(options.queue);
    this.#callerMs = options.recognition.callerMs;
    this.#generatedMs = options.recognition.generatedMs;
    this.#notes = new EpochNotes(options.clock);
    this.#timeouts = new Timeouts(options.clock);
    this.#window = options.lossWindow;
    this.#onLoss = options.onLoss;
    this.#onFailure = options.onFailure;
    this.#onWritable = options.onWritable;
    const isReady = options.connection.isReady;
    this.#sight = { reachable: isReady, writable: isReady, latencyMs: undefined, lastError: undefined };
  }

  get sight(): RedisSight {
    return this.#sight;
  }

  /** Redis took a write last time. Before the first, `sight.writable` is only what a connection promises. */
  get takesWrites(): boolean {
    return this.#hasTakenWrites && this.#sight.writable;
  }

  /** Batches of which Redis laid at least one job down: proof that it takes jobs, which recognising one is not. */
  get deliveries(): number {
    return this.#deliveries;
  }

  get isReady(): boolean {
    return this.connection.isReady;
  }

  /**
   * Delivers `jobs`. Rejects with a {@link RedisFailure} when the batch has no answer; an answer after `timeoutMs` is told to
   * `onLate`. `isStored`: a store may give the jobs out again, until {@link gone}.
   */
  deliver(
    jobs: readonly JobRecord[],
    timeoutMs: number,
    onLate?: (delivery: Delivery) => void,
    isStored = false,
  ): Promise<Delivery> {
    const startedAt = this.#clock.monotonicMs();
    const cuts = this.#cuts;
    const witness = this.#window?.witness(startedAt);
    const context: DeliveryContext = {
      queue: this.#queue,
      now: this.#clock.now(),
      callerMs: this.#callerMs,
      witness: witness?.delivery,
      notes: this.#notes,
    };
    // One promise and callbacks: each `enqueue()` that is alone comes this way, and pays for every layer.
    return new Promise((resolve, reject) => {
      const fail = (error: unknown) => {
        this.#window?.unanswered(witness);
        const failure = this.failed(error);
        // Where a batch is not laid down whole, some of it may have been before others were refused.
        const isWhole = jobs.length === 1 || this.#transport.capabilities.atomicBatch !== false;
        const isCertain = isWhole && cuts === this.#cuts;
        reject(isCertain || this.connection.isUnsent?.(error) ? failure : failure.inDoubt());
      };
      const timeout = this.#timeouts.start(startedAt, timeoutMs, () => fail(noAnswerWithin(timeoutMs)));
      const answered = (answer: Delivery) => {
        this.#wait.end();
        if (!isAnswerTo(jobs, answer)) return refused(new TransportAnswerError(this.#transport.name));
        const isStraight = cuts === this.#cuts;
        const delivery = isStraight ? answer : withDoubts(answer);
        const now = this.#clock.monotonicMs();
        if (!this.#timeouts.end(timeout)) {
          // That something is missing is as true as ever; that it is there, a primary can say that was demoted meanwhile.
          if (delivery.witness === 'lost' && this.#window?.judge(witness, 'lost', false)) this.#foundLoss();
          this.#window?.answeredLate(jobs, delivery.outcomes);
          onLate?.(delivery);
          return;
        }
        this.#refusal = undefined;
        this.#sight.reachable = true;
        this.#sight.latencyMs = now - startedAt;
        if (delivery.outcomes.includes('delivered')) {
          this.#deliveries += 1;
          this.#tookWrite();
        } else if (delivery.outcomes.includes('recognised')) {
          this.#tookWrite();
        }
        if (this.#window) {
          const place = isStraight ? witnessAmong(jobs, delivery.outcomes) : -1;
          const heir = isStored ? -1 : place;
          // In this order: these jobs were executed after whatever was lost.
          if (this.#window.judge(witness, delivery.witness, heir !== -1)) this.#foundLoss();
          this.#window.acknowledged(jobs, delivery.outcomes, now, heir);
          if (heir !== place) {
            const { delivery: id } = jobs[place] as JobRecord;
            this.#heirs.set(delivery, this.#window.heir(id, now, witness, delivery.witness));
          }
        }
        resolve(delivery);
      };
      const refused = (error: unknown) => {
        if (this.#timeouts.end(timeout)) fail(error);
      };
      try {
        this.#transport.deliver(this.connection, jobs, context).then(answered, refused);
        // Not with several: what comes together while the process sleeps is sent together.
        if (jobs.length === 1) this.#wait.begin(this.#sight.latencyMs);
      } catch (error) {
        refused(error);
      }
    });
  }

  /** The store that had the jobs of this answer will not give them out again. */
  gone(answer: Delivery): void {
    const heir = this.#heirs.get(answer);
    if (heir) this.#window?.inherit(heir);
  }

  /** Jobs that nobody but Redis has, by a late answer or when it was asked. They may have been sent again in the meantime. */
  remember(jobs: readonly JobRecord[], outcomes: readonly DeliveryOutcome[]): void {
    this.#window?.acknowledged(jobs, outcomes, this.#clock.monotonicMs(), -1);
  }

  /** Writes the canary: resolves when Redis takes writes. An answer after `timeoutMs` is told to `onLate`. */
  async probe(timeoutMs: number, onLate?: () => void): Promise<void> {
    const startedAt = this.#clock.monotonicMs();
    const rollCall = this.#window?.rollCall(startedAt);
    try {
      const work = writeCanary(this.connection, this.#keys, rollCall?.deliveries ?? []);
      const verdicts = await within(this.#clock, timeoutMs, work, onLate);
      this.#sawAnswer(startedAt);
      this.#tookWrite();
      if (this.#window?.judgeAll(rollCall, verdicts)) this.#foundLoss();
    } catch (error) {
      const failure = this.failed(error);
      // Also where it was refused for what it is: a job may be taken nevertheless, and is then seen to be.
      this.#sight.writable = false;
      throw failure;
    }
  }

  /** Asks what became of deliveries; undefined of those that Redis does not tell of. Rejects with a {@link RedisFailure}. */
  async ask(deliveries: readonly string[], timeoutMs: number): Promise<readonly Delivery['witness'][]> {
    try {
      return await within(this.#clock, timeoutMs, writeCanary(this.connection, this.#keys, deliveries));
    } catch (error) {
      throw this.failed(error);
    }
  }

  /** Asks which delivery laid a job of each of these callers' ids down, '' being none. Rejects with a {@link RedisFailure}. */
  async askHolders(ids: readonly string[], timeoutMs: number): Promise<readonly string[]> {
    try {
      return await within(this.#clock, timeoutMs, readHolders(this.connection, this.#keys, ids));
    } catch (error) {
      throw this.failed(error);
    }
  }

  /** Creates the epoch's bitmap ahead of its first job. The first job does it too, so a failure changes nothing. */
  async openEpoch(epoch: string, timeoutMs: number): Promise<void> {
    const work = openEpoch(this.connection, this.#keys, epoch, this.#generatedMs);
    const opened = within(this.#clock, timeoutMs, work);
    await opened.then(() => this.#notes.noted([epoch])).catch(() => {});
  }

  /**
   * The client lost its connection. ioredis sends again what had no answer by then, so a refusal that comes after this says
   * nothing about the first time.
   */
  cut(): void {
    this.#cuts += 1;
  }

  /** The client has a connection. */
  connected(): void {
    this.#refusal = undefined;
  }

  /** Nothing is sent any more. */
  stop(): void {
    this.#timeouts.stop();
  }

  /** Somebody waited for an answer for as long as he could. */
  noAnswer(): void {
    this.#sight.reachable = false;
    this.#sight.writable = false;
  }

  /** Remembers an `error` event of the client: for some failures (a wrong password) it is the only sign. */
  heard(error: unknown): void {
    const failure = sortFailure(error, false);
    this.#refusal = silent.has(failure.kind) || failure.kind === 'unlisted' ? undefined : failure;
    this.#sight.lastError = { kind: failure.kind, at: this.#clock.now() };
    this.#onFailure(failure);
  }

  /** Sorts what Redis or its client threw and remembers what it says about Redis. */
  failed(error: unknown): RedisFailure {
    const failure = this.#explained(sortFailure(error, this.connection.isUnsent?.(error) ?? false));
    if (failure.treatment === 'caller' || failure.treatment === 'redirect') {
      this.#sight.reachable = true;
    } else {
      this.#sight.reachable = !silent.has(failure.kind);
      this.#sight.writable = false;
    }
    this.#sight.lastError = { kind: failure.kind, at: this.#clock.now() };
    this.#onFailure(failure);
    return failure;
  }

  /** That there is no connection is not worth telling where it is known why. */
  #explained(failure: RedisFailure): RedisFailure {
    const { treatment, fate } = failure;
    if (failure.kind !== 'disconnected' || !this.#refusal) return failure;
    return new RedisFailure({ kind: this.#refusal.kind, treatment, fate }, this.#refusal.message);
  }

  #tookWrite(): void {
    if (this.takesWrites) return;
    this.#hasTakenWrites = true;
    this.#sight.writable = true;
    this.#onWritable();
  }

  #foundLoss(): void {
    this.#notes.forget();
    this.#onLoss();
  }

  #sawAnswer(startedAt: number): void {
    this.#refusal = undefined;
    this.#sight.reachable = true;
    this.#sight.latencyMs = this.#clock.monotonicMs() - startedAt;
  }
}

/** A transport that leaves out a job's outcome has not said that it laid the job down. */
class TransportAnswerError extends Error {
  override readonly name = 'TransportAnswerError';

  constructor(transport: string) {
    super(`The transport "${transport}" did not answer with one outcome for each job.`);
  }
}

function isAnswerTo(jobs: readonly JobRecord[], answer: Delivery | undefined): answer is Delivery {
  const outcomes = answer?.outcomes;
  if (!Array.isArray(outcomes) || outcomes.length !== jobs.length) return false;
  // every() would pass over holes.
  for (const outcome of outcomes) if (!known.has(outcome) && outcome?.rejected === undefined) return false;
  return true;
}

/** What was refused may have been laid down before that. */
function withDoubts({ outcomes, witness }: Delivery): Delivery {
  const doubted = outcomes.map((outcome) =>
    typeof outcome === 'string' ? outcome : { rejected: sortFailure(outcome.rejected, false).inDoubt() },
  );
  return { outcomes: doubted, witness };
}
