import type { BackupStats, BackupStore } from '../backup/backup-store.js';
import { boundedCall } from '../backup/bounded-call.js';
import { recordBytes } from '../backup/record-bytes.js';
import type { Clock } from '../clock/clock.js';
import type { JobRecord } from '../job/job-record.js';

/**
 * What the store holds, as far as this process knows: kept up to date by what it does itself, and put right by the store's
 * own figures whenever nothing of its own is under way.
 */
export class Backlog {
  pending = 0;
  unknown = 0;
  parked = 0;
  bytes = 0;
  oldestAt: number | undefined = undefined;
  /** How often the store has been asked with success: what it holds by then is counted. */
  looks = 0;
  /** The store took its last append. */
  isStoreWell = true;
  /** The store says how many bytes it holds. */
  #hasBytes = false;
  /** Counts changes: figures that were asked for before one are out of date. */
  #changes = 0;
  readonly #store: BackupStore;
  readonly #queue: string;
  readonly #clock: Clock;
  readonly #deadlineMs: number;

  constructor(store: BackupStore, queue: string, clock: Clock, deadlineMs: number) {
    this.#store = store;
    this.#queue = queue;
    this.#clock = clock;
    this.#deadlineMs = deadlineMs;
  }

  get knownBytes(): number | undefined {
    return this.#hasBytes ? this.bytes : undefined;
  }

  added(job: JobRecord): void {
    this.#changes += 1;
    this.pending += 1;
    this.bytes += recordBytes(job);
    if (job.fate === 'unknown') this.unknown += 1;
    this.oldestAt = Math.min(this.oldestAt ?? job.enqueuedAt, job.enqueuedAt);
  }

  removed(job: JobRecord): void {
    this.#changes += 1;
    this.pending = Math.max(0, this.pending - 1);
    this.bytes = Math.max(0, this.bytes - recordBytes(job));
    if (job.fate === 'unknown') this.unknown = Math.max(0, this.unknown - 1);
    if (this.pending === 0) this.oldestAt = undefined;
  }

  parkedOne(job: JobRecord): void {
    this.removed(job);
    this.parked += 1;
  }

  /** Asks the store. Resolves with its figures; undefined when it did not answer, or they are out of date already. */
  async look(isAtRest: () => boolean): Promise<BackupStats | undefined> {
    const changes = this.#changes;
    let stats: BackupStats;
    try {
      stats = await boundedCall(this.#clock, this.#deadlineMs, this.#store.stats(this.#queue));
      if (!Number.isInteger(stats.pending) || !Number.isInteger(stats.parked))
        throw new TypeError('No figures');
    } catch {
      // What a store cannot do shows where it matters: in append(), and in a replay.
      return undefined;
    }
    if (this.#changes !== changes || !isAtRest()) {
      // The oldest job's age only the store knows.
      if (this.pending > 0 && stats.oldestAt !== undefined) this.oldestAt = stats.oldestAt;
      return undefined;
    }
    this.looks += 1;
    this.pending = stats.pending;
    this.unknown = stats.unknown;
    this.parked = stats.parked;
    this.oldestAt = stats.oldestAt;
    this.#hasBytes = stats.bytes !== undefined;
    this.bytes = stats.bytes ?? this.bytes;
    return stats;
  }
}
