import type { JobRecord } from '../job/job-record.js';
import type { RedisClient } from '../redis/redis-client.js';
import type { Transport } from '../transport/transport.js';

/** A job as those who run it see it. */
export interface LaidDownJob {
  readonly id: string;
  readonly name: string;
  readonly payload: unknown;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** One test's transport, on a Redis that has nothing in it. */
export interface TransportBench {
  readonly transport: Transport;
  /** As a queue's option of that name. */
  readonly redis: RedisClient;
  /** The same as another process has it: a transport and a client of its own, of the same Redis. */
  readonly other: { readonly transport: Transport; readonly redis: RedisClient };
  /** The jobs of `queue` that may be run now, in the order in which they would be; of partitions, one after the other. */
  read(queue: string): Promise<readonly LaidDownJob[]>;
  /** Runs every job of `queue` and forgets it, in the way that leaves least of it behind. */
  run(queue: string): Promise<void>;
  /**
   * Has Redis refuse this one job for what it is (a key of another type in the place of one that it needs, say), until the function
   * that comes back is called.
   */
  refuse(job: JobRecord): Promise<() => Promise<void>>;
  /**
   * Has Redis refuse the transport's own write of every job of `queue` (a key of another type in the place of the queue's), until the
   * function that comes back is called.
   */
  obstruct(queue: string): Promise<() => Promise<void>>;
  close(): Promise<void>;
}

/** What the kit has to know of a transport. */
export interface TransportUnderTest {
  /**
   * Makes what a test needs; called once in each. Redis must be a server of the tests' own, 6 or later: the kit flushes it, sets
   * `min-replicas-to-write`, and takes rights from the user of `redis` and gives them back (`ACL SETUSER`).
   */
  open(): Promise<TransportBench>;
  /** Name and payload of a job that has `marked` in its payload. @default `job`, and `{ marked }` */
  job?(marked: unknown): { readonly name: string; readonly payload: unknown };
  /**
   * Values of `options.transport`: those that it takes, with which a job may be run at once, and those that it must refuse. Where it
   * has `expiresAt()`, a job with one of those that it takes expires.
   */
  readonly options: { readonly taken: readonly unknown[]; readonly refused: readonly unknown[] };
  /** What a job needs to have for `refuse` to refuse it alone. @default {} */
  readonly refusable?: Partial<Pick<JobRecord, 'runAt' | 'headers' | 'transportOptions'>>;
  /** The transport has one queue of its own, whatever queue it is asked for: it is not tried with two. @default false */
  readonly hasOwnQueue?: boolean;
  /**
   * Whether `key` only tells what has happened, as BullMQ's events do: a job that was refused may be named there.
   * @default no key does
   */
  readonly isLog?: (key: string) => boolean;
  /** Clients that `checkClient()` must refuse, which are not used: needed where the transport has it. @default none */
  readonly refusedClients?: readonly object[];
  /** Ids that it must refuse. @default none */
  readonly refusedIds?: readonly string[];
}
