import type { JobRecord } from '../job/job-record.js';
import type { EpochNotes } from '../recognition/epoch-notes.js';
import type { Delivery } from '../recognition/recognise.js';
import type { RedisConnection } from '../redis/redis-connection.js';

/**
 * What a transport can do. The queue obeys it: an option that needs what is missing is refused by name, and a promise that
 * needs it is not made.
 */
export interface TransportCapabilities {
  /** A batch is laid down whole or not at all, but for jobs refused one by one for what they are: an outage refuses all. */
  readonly atomicBatch: boolean;
  /** How long a delivery is recognised, ms; `configured`: as the queue's `recognition` option says. */
  readonly recognitionMs: number | 'configured';
  /** `deliver()` reads the witness it is given. */
  readonly witness: boolean;
  /**
   * Always tells a delivery that it recognises, and an id that another job has, from a job that it lays down now. Without this
   * either may be told as `delivered`, too, and its receipt say `enqueued`.
   */
  readonly tellsDuplicates: boolean;
  /** Honours `runAt`. */
  readonly runAt: boolean;
  /** Carries `headers`. */
  readonly headers: boolean;
  /**
   * Honours `orderingKey`: jobs of one key are run in the order in which they were delivered, those of different keys may overtake
   * each other. Without this the queue refuses the option, and no job has one.
   */
  readonly orderingKey: boolean;
}

/** What a delivery is made with. */
export interface DeliveryContext {
  readonly queue: string;
  /** The time, by the queue's clock; epoch ms. */
  readonly now: number;
  /** How long a caller's id stays marked, ms. */
  readonly callerMs: number;
  /** The delivery id that Redis should still know, read before anything is written. */
  readonly witness: string | undefined;
  /** Which epochs Redis has noted lately; undefined where that is not known. */
  readonly notes?: Pick<EpochNotes, 'isFresh' | 'noted'> | undefined;
}

/**
 * How a job is laid down in Redis. `Options` is the type of `options.transport` in `enqueue()`.
 *
 * A transport is idempotent: a job delivered again, in another batch, by another process or years of retries later within
 * `recognitionMs`, is recognised by its `delivery` and laid down once.
 */
export interface Transport<Options = unknown> {
  /** Stands in each job's record: a backed-up job is only replayed by a transport of the same name. */
  readonly name: string;
  readonly capabilities: TransportCapabilities;
  /**
   * Throws `OPTION_UNSUPPORTED` for options it cannot honour, `NAME_INVALID`, `ID_INVALID` and `PAYLOAD_INVALID` for a name, an id
   * and a payload it cannot carry. `payload` is what the caller gave: some of what JSON cannot hold is gone from `job.payload`.
   * Called before the job goes anywhere.
   */
  check(job: JobRecord, options: Options | undefined, payload: unknown): void;
  /**
   * When a job expires by its `transportOptions`, epoch ms; undefined for one that does not, as every job without any. Absent: none
   * does.
   *
   * It is counted from `enqueuedAt`, and so the same whenever it is asked for. The queue asks when it makes the job, after `check()`, and
   * keeps to this or to the caller's own `expiresAt`, whichever is earlier: a job that still waits in the backup then is dropped,
   * and reported. One that is on its way is delivered all the same: it is laid down, told as any other, and not run when that time
   * has passed.
   */
  expiresAt?(job: JobRecord): number | undefined;
  /**
   * Throws a `TypeError` that says what to do when jobs that go through `client` would not get where they are looked for. `client` is
   * any object that was given as `redis`, also one that the library does not know: a client or a `RedisConnection`, whose own
   * client is looked at, too, if it is an object. Called when the queue is made, so that its constructor throws. A client that a
   * factory makes is not there by then: it is looked at as soon as it is, refused in an `error` event of the kind `configuration`,
   * and ended before anything goes through it. Not called where the transport has a `connection`: whoever makes that looks at its
   * client.
   */
  checkClient?(client: object): void;
  /**
   * The connection that its jobs go through, where it has one of its own: then the queue takes no `redis`, and looks through this
   * one for what concerns Redis (canary, breaker, health, `execute()`). Never ended by the queue.
   */
  readonly connection?: RedisConnection;
  /**
   * Lays `jobs` down, in their order and behind all that were before. Resolves with each job's outcome; rejects when the batch as a
   * whole has no answer (then each job's fate is what the error says). Never retries and has no deadline: both are the queue's.
   *
   * Whatever Redis refuses, and in the middle of whatever: a job is there, whole, or it is refused and has left nothing behind. Where
   * neither is certain it is refused by an error of the transport's own, in place of Redis's, and so of unknown fate. Sent again,
   * each is laid down, or recognised if it is there; half a job is never taken for one.
   */
  deliver(
    connection: RedisConnection,
    jobs: readonly JobRecord[],
    context: DeliveryContext,
  ): Promise<Delivery>;
}

/** The type of `options.transport` for a transport. */
export type OptionsOf<T extends Transport> = T extends Transport<infer Options> ? Options : never;
