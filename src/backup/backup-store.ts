import type { JobRecord } from '../job/job-record.js';

/** A batch of backed-up jobs, held by one replayer for a while. */
export interface Lease {
  readonly token: string;
  /** Oldest first; never empty. */
  readonly jobs: readonly JobRecord[];
}

/** What a store holds for one queue. */
export interface BackupStats {
  /** Jobs that wait, those under a lease included. */
  readonly pending: number;
  /** Of these, jobs under a lease that has not ended. */
  readonly leased: number;
  /** Pending jobs whose fate is `unknown`. */
  readonly unknown: number;
  readonly parked: number;
  readonly bytes?: number;
  /** `enqueuedAt` of the oldest pending job; epoch ms. */
  readonly oldestAt?: number;
}

/** What a backup has reached when `append()` resolves: the process's memory, a disk, more than one machine. */
export type BackupDurability = 'memory' | 'fsynced' | 'replicated';

/** A job set aside because it could not be delivered. */
export interface ParkedJob {
  readonly job: JobRecord;
  readonly reason: string;
  readonly parkedAt: number;
}

/** For people and tools; the queue itself never calls it. */
export interface BackupAdmin {
  queues(): Promise<readonly string[]>;
  /** Jobs in their order; `cursor` continues where a page ended. */
  list(
    queue: string,
    state: 'pending' | 'parked',
    options: { readonly limit: number; readonly cursor?: string | undefined },
  ): Promise<{ readonly jobs: readonly (JobRecord | ParkedJob)[]; readonly cursor?: string }>;
  /**
   * Parked jobs back to pending, at the end. Resolves with how many there were. With `asNew` they are as if nobody had ever sent
   * them: one that was parked as `recognition-expired` is sent then, and runs twice if it was laid down before; without, it is
   * parked again.
   */
  unpark(queue: string, ids: readonly string[], options?: { readonly asNew?: boolean }): Promise<number>;
  /**
   * Jobs gone for good, pending or parked, or with `state` only those in it: a job that a caller enqueued meanwhile, under the id
   * of a parked one, waits. Resolves with how many there were.
   */
  remove(
    queue: string,
    ids: readonly string[],
    options?: { readonly state?: 'pending' | 'parked' },
  ): Promise<number>;
}

/**
 * Where jobs wait during an outage. Implement it to keep them wherever you like: these are all the calls the queue makes.
 * Several queues and processes may use one store at once. A call that rejects has changed nothing; a store that cannot tell
 * rejects with an error whose `fate` is `unknown`. Every call may be given up on after the queue's `backupDeadlineMs`, and
 * may still take effect.
 */
export interface BackupStore {
  readonly durability: BackupDurability;
  /**
   * Keeps `jobs`, all or none; resolves when they are as durable as {@link durability} says. For each job `added`, or
   * `present` when its id is pending or leased here: then the one that is here stays as it is. A parked job of the same id
   * gives way to the new one, which is `replaced`. An answer without one of these words for each job says of none of them
   * whether it is kept.
   */
  append(queue: string, jobs: readonly JobRecord[]): Promise<readonly AppendOutcome[]>;
  /**
   * Up to `limit` jobs, oldest first, that nobody else holds, for `leaseMs` by the store's own clock; undefined when there are
   * none. A lease that ends further ahead than its `leaseMs` counts as expired (the clock was set back). The jobs handed out
   * are as they were; what the store keeps is marked as attempted now (`lastAttemptAt`, unless it has one: the first attempt is
   * the first to be forgotten), because the holder may die after it has sent them.
   */
  lease(queue: string, limit: number, leaseMs: number): Promise<Lease | undefined>;
  /**
   * Jobs that are surely delivered (or expired) are gone. Ids already gone are no error. With an outdated token nothing need
   * change, and no job may go but those that were leased under it: whoever holds them now will find them delivered.
   */
  acknowledge(token: string, ids: readonly string[]): Promise<void>;
  /** Back, at their old place. An outdated token changes nothing. */
  release(token: string, ids: readonly string[]): Promise<void>;
  /** Set aside with a reason. An outdated token changes nothing. */
  park(token: string, ids: readonly string[], reason: string): Promise<void>;
  stats(queue: string): Promise<BackupStats>;
  /** Called by the last queue that closes. */
  close(): Promise<void>;
  readonly admin?: BackupAdmin;
}

/** What {@link BackupStore.append} did with a job. */
export type AppendOutcome = 'added' | 'present' | 'replaced';
