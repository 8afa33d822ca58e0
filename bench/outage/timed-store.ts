import type { AppendOutcome, BackupStats, BackupStore, JobRecord, Lease } from '@morningai/resilient-queue';

/** A store that notes when replayed jobs are acknowledged: they were laid down just before. */
export class TimedStore implements BackupStore {
  readonly durability: BackupStore['durability'];
  readonly #inner: BackupStore;
  /** By `performance.now()`; NaN before the first. */
  firstReplayedAt = Number.NaN;
  lastReplayedAt = Number.NaN;

  constructor(inner: BackupStore) {
    this.#inner = inner;
    this.durability = inner.durability;
  }

  append(queue: string, jobs: readonly JobRecord[]): Promise<readonly AppendOutcome[]> {
    return this.#inner.append(queue, jobs);
  }

  lease(queue: string, limit: number, leaseMs: number): Promise<Lease | undefined> {
    return this.#inner.lease(queue, limit, leaseMs);
  }

  acknowledge(token: string, ids: readonly string[]): Promise<void> {
    this.lastReplayedAt = performance.now();
    if (Number.isNaN(this.firstReplayedAt)) this.firstReplayedAt = this.lastReplayedAt;
    return this.#inner.acknowledge(token, ids);
  }

  release(token: string, ids: readonly string[]): Promise<void> {
    return this.#inner.release(token, ids);
  }

  park(token: string, ids: readonly string[], reason: string): Promise<void> {
    return this.#inner.park(token, ids, reason);
  }

  stats(queue: string): Promise<BackupStats> {
    return this.#inner.stats(queue);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}
