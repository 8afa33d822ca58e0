import { randomUUID } from 'node:crypto';
import type { Clock } from '../../clock/clock.js';
import type { JobRecord } from '../../job/job-record.js';
import type { AppendOutcome, BackupAdmin, BackupStats, BackupStore, Lease } from '../backup-store.js';
import { appendJobs, draftJobs } from './append-jobs.js';
import { handOut } from './hand-out.js';
import { type LmdbBackupOptions, resolveLmdbOptions } from './lmdb-options.js';
import { leaveBackup, type OpenBackup, openBackup } from './open-backup.js';
import { listParked, listPending, queueNames, removeJobs, unparkJobs } from './queue-admin.js';
import { readQueue } from './queue-row.js';
import { queueStats } from './queue-stats.js';
import { type Settlement, settleJobs } from './settle-jobs.js';
import { storeError } from './store-error.js';
import { takeLease } from './take-lease.js';

/** So many jobs are settled in one transaction: others get their turn in between. */
const SETTLE_JOBS = 1024;

/**
 * Keeps jobs in a folder of this machine's disk, in an LMDB file: they survive Redis, the end of the process by `kill -9`, and
 * that of the machine. Several queues, processes and threads may use one folder at once. Needs the package `lmdb`.
 *
 * - `append()` resolves when the jobs are flushed to the disk; appends that come together share a flush.
 * - The constructor throws a `BackupFileError` for a file that is damaged, a newer release's, or on a network file system, and
 *   leaves it as it is. It looks at the whole file first, which takes about a second for a million jobs.
 * - A job whose own bytes are damaged does not hold up the others: it is handed out as one of version 0, which is parked.
 * - A full disk is a `BACKUP_FULL` error; it goes on by itself when there is room. What is kept can be replayed meanwhile.
 */
export class LmdbBackupStore implements BackupStore {
  readonly durability = 'fsynced';
  readonly admin: BackupAdmin;
  readonly #clock: Clock;
  readonly #backup: OpenBackup;
  #closing: Promise<void> | undefined;

  constructor(options: LmdbBackupOptions) {
    const { path, clock } = resolveLmdbOptions(options);
    this.#clock = clock;
    this.#backup = openBackup(path);
    this.admin = {
      queues: async () => this.#read(() => queueNames(this.#backup.tree)),
      list: async (queue, state, { limit, cursor }) =>
        this.#read(() =>
          state === 'parked'
            ? listParked(this.#backup.tree, queue, limit, cursor)
            : listPending(this.#backup.tree, queue, limit, cursor),
        ),
      unpark: (queue, ids, { asNew } = {}) =>
        this.#change(() => unparkJobs(this.#backup.tree, queue, ids, asNew)),
      remove: (queue, ids, { state } = {}) =>
        this.#change(() => removeJobs(this.#backup.tree, queue, ids, state)),
    };
  }

  async append(queue: string, jobs: readonly JobRecord[]): Promise<readonly AppendOutcome[]> {
    this.#checkOpen();
    if (jobs.length === 0) return [];
    const { tree, room } = this.#backup;
    const draft = draftJobs(jobs);
    return this.#change(() => {
      room.makeFor(draft.bytes);
      return appendJobs(tree, queue, draft);
    });
  }

  async lease(queue: string, limit: number, leaseMs: number): Promise<Lease | undefined> {
    // Most looks find nothing; they need no transaction.
    if (this.#read(() => readQueue(this.#backup.tree, queue)?.pending ?? 0) === 0) return undefined;
    const { tree, leases } = this.#backup;
    const token = randomUUID();
    let now = 0;
    const taken = await this.#change(() => {
      now = this.#clock.now();
      return takeLease(tree, queue, { token, limit, leaseMs, now });
    });
    if (taken.length === 0) return undefined;
    const { jobs, handedOut } = await handOut(tree, queue, now + leaseMs, taken);
    // Those whose holder gave up are of no use to anybody any more.
    for (const [old, { endsAt }] of leases) if (endsAt + leaseMs < now) leases.delete(old);
    leases.set(token, handedOut);
    return { token, jobs };
  }

  async acknowledge(token: string, ids: readonly string[]): Promise<void> {
    await this.#settle(token, ids, { action: 'acknowledge' });
  }

  async release(token: string, ids: readonly string[]): Promise<void> {
    await this.#settle(token, ids, { action: 'release' });
  }

  async park(token: string, ids: readonly string[], reason: string): Promise<void> {
    await this.#settle(token, ids, { action: 'park', reason, parkedAt: this.#clock.now() });
  }

  async stats(queue: string): Promise<BackupStats> {
    return this.#read(() => queueStats(this.#backup.tree, queue, this.#clock.now()));
  }

  close(): Promise<void> {
    this.#closing ??= leaveBackup(this.#backup);
    return this.#closing;
  }

  async #settle(token: string, ids: readonly string[], settlement: Settlement): Promise<void> {
    this.#checkOpen();
    const { tree, leases } = this.#backup;
    const handedOut = leases.get(token);
    if (!handedOut) return;
    for (let from = 0; from < ids.length; from += SETTLE_JOBS) {
      const some = ids.slice(from, from + SETTLE_JOBS);
      await this.#change(() => settleJobs(tree, token, handedOut, some, settlement));
      for (const id of some) handedOut.jobs.delete(id);
    }
    if (handedOut.jobs.size === 0) leases.delete(token);
  }

  async #change<T>(change: () => T): Promise<T> {
    this.#checkOpen();
    return this.#backup.committer.commit(change);
  }

  #read<T>(read: () => T): T {
    this.#checkOpen();
    try {
      return read();
    } catch (error) {
      throw storeError(error);
    }
  }

  #checkOpen(): void {
    if (this.#closing) throw new Error('LmdbBackupStore is closed.');
  }
}
