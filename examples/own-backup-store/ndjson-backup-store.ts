import { randomUUID } from 'node:crypto';
import { type FileHandle, open, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { AppendOutcome, BackupStats, BackupStore, JobRecord, Lease } from '@morningai/resilient-queue';

/** One line of the file. A change is one line, so that a crash leaves all of it or none. */
type Change =
  | { readonly op: 'add'; readonly queue: string; readonly jobs: readonly JobRecord[] }
  | { readonly op: 'attempt'; readonly queue: string; readonly ids: readonly string[]; readonly at: number }
  | { readonly op: 'remove'; readonly queue: string; readonly ids: readonly string[] }
  | { readonly op: 'park'; readonly queue: string; readonly ids: readonly string[]; readonly reason: string };

interface Waiting {
  job: JobRecord;
  lease?: { readonly token: string; readonly from: number; readonly until: number } | undefined;
}

/** What the file says. A Map keeps its order: oldest first, and a released job never left its place. */
class Backlog {
  readonly pending = new Map<string, Waiting>();
  readonly parked = new Map<string, { readonly job: JobRecord; readonly reason: string }>();

  apply(change: Change): void {
    if (change.op === 'add') {
      for (const job of change.jobs) {
        this.parked.delete(job.id);
        this.pending.set(job.id, { job });
      }
      return;
    }
    for (const id of change.ids) {
      const waiting = this.pending.get(id);
      if (!waiting) continue;
      if (change.op === 'attempt') waiting.job = { ...waiting.job, lastAttemptAt: change.at };
      else this.pending.delete(id);
      if (change.op === 'park') this.parked.set(id, { job: waiting.job, reason: change.reason });
    }
  }
}

/**
 * Keeps jobs in a file of JSON lines, each change fsynced before it counts, with an index in memory. For one process at a
 * time: leases are not in the file, because they end with the process that holds them.
 */
export class NdjsonBackupStore implements BackupStore {
  readonly durability = 'fsynced';
  readonly #path: string;
  readonly #backlogs = new Map<string, Backlog>();
  #file: FileHandle | undefined;
  #size = 0;
  #broken: Error | undefined;
  #closing: Promise<void> | undefined;
  /** Calls take turns: each sees what the one before it has made durable. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(path: string) {
    this.#path = path;
  }

  /** Opens or makes the file, and finds what the last process left in it. */
  static async open(path: string): Promise<NdjsonBackupStore> {
    const store = new NdjsonBackupStore(path);
    await store.#recover();
    await store.#compact();
    return store;
  }

  append(queue: string, jobs: readonly JobRecord[]): Promise<readonly AppendOutcome[]> {
    return this.#inTurn(async () => {
      const { pending, parked } = this.#backlog(queue);
      const added = new Map<string, JobRecord>();
      const outcomes = jobs.map((job): AppendOutcome => {
        if (pending.has(job.id) || added.has(job.id)) return 'present';
        added.set(job.id, job);
        return parked.has(job.id) ? 'replaced' : 'added';
      });
      if (added.size > 0) await this.#commit({ op: 'add', queue, jobs: [...added.values()] });
      return outcomes;
    });
  }

  lease(queue: string, limit: number, leaseMs: number): Promise<Lease | undefined> {
    return this.#inTurn(async () => {
      const now = Date.now();
      const free: Waiting[] = [];
      for (const waiting of this.#backlog(queue).pending.values()) {
        if (free.length === limit) break;
        if (!isHeld(waiting, now)) free.push(waiting);
      }
      if (free.length === 0) return undefined;
      const jobs = free.map(({ job }) => job);
      await this.#commit({ op: 'attempt', queue, ids: jobs.map(({ id }) => id), at: now });
      // The token says which queue it is of: the calls that bring it back do not.
      const lease = { token: `${randomUUID()}${queue}`, from: now, until: now + leaseMs };
      for (const waiting of free) waiting.lease = lease;
      return { token: lease.token, jobs };
    });
  }

  acknowledge(token: string, ids: readonly string[]): Promise<void> {
    return this.#settle(token, ids, (queue, held) => this.#commit({ op: 'remove', queue, ids: held }));
  }

  release(token: string, ids: readonly string[]): Promise<void> {
    return this.#settle(token, ids, async (queue, held) => {
      const { pending } = this.#backlog(queue);
      for (const id of held) (pending.get(id) as Waiting).lease = undefined;
    });
  }

  park(token: string, ids: readonly string[], reason: string): Promise<void> {
    return this.#settle(token, ids, (queue, held) => this.#commit({ op: 'park', queue, ids: held, reason }));
  }

  stats(queue: string): Promise<BackupStats> {
    return this.#inTurn(async () => {
      const { pending, parked } = this.#backlog(queue);
      const now = Date.now();
      const all = [...pending.values()];
      return {
        pending: all.length,
        leased: all.filter((waiting) => isHeld(waiting, now)).length,
        unknown: all.filter(({ job }) => job.fate === 'unknown').length,
        parked: parked.size,
        ...(all[0] && { oldestAt: all[0].job.enqueuedAt }),
      };
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#inTurn(async () => {
      try {
        await this.#compact();
      } finally {
        await this.#file?.close();
        this.#file = undefined;
      }
    });
    return this.#closing;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(() => {
      if (this.#broken) throw this.#broken;
      if (!this.#file) throw new Error('NdjsonBackupStore is closed.');
      return work();
    });
    this.#turn = result.catch(() => {});
    return result;
  }

  /** Does `settle` for those of `ids` that are held under `token`: an outdated one holds none. */
  #settle(
    token: string,
    ids: readonly string[],
    settle: (queue: string, held: readonly string[]) => Promise<void>,
  ): Promise<void> {
    return this.#inTurn(async () => {
      const queue = token.slice(36);
      const { pending } = this.#backlog(queue);
      const held = ids.filter((id) => pending.get(id)?.lease?.token === token);
      if (held.length > 0) await settle(queue, held);
    });
  }

  /** First to the disk, then to the index: what is not durable did not happen. */
  async #commit(change: Change): Promise<void> {
    const file = this.#file as FileHandle;
    const line = Buffer.from(`${JSON.stringify(change)}\n`);
    try {
      await file.appendFile(line);
      await file.datasync();
    } catch (error) {
      await this.#takeBack(file, error);
    }
    this.#size += line.length;
    this.#backlog(change.queue).apply(change);
  }

  /** Half a line (a full disk) must not stay; where even that fails, nobody can tell what the disk has. */
  async #takeBack(file: FileHandle, cause: unknown): Promise<never> {
    try {
      await file.truncate(this.#size);
      await file.datasync();
    } catch {
      this.#broken = Object.assign(new Error(`${this.#path} is broken.`, { cause }), { fate: 'unknown' });
      await file.close().catch(() => {});
      throw this.#broken;
    }
    throw cause;
  }

  async #recover(): Promise<void> {
    const text = await readFile(this.#path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '';
      throw error;
    });
    const lines = text.split('\n');
    // After the last line end: nothing, or what a crash cut short, whose append() never resolved.
    lines.pop();
    for (const line of lines) {
      // A whole line that is no JSON is damage that nobody should overlook: open() rejects.
      const change = JSON.parse(line) as Change;
      this.#backlog(change.queue).apply(change);
    }
  }

  /** Writes what still counts into a new file that takes the old one's place. */
  async #compact(): Promise<void> {
    const lines: string[] = [];
    const keep = (change: Change) => lines.push(`${JSON.stringify(change)}\n`);
    for (const [queue, { pending, parked }] of this.#backlogs) {
      for (const { job, reason } of parked.values()) {
        keep({ op: 'add', queue, jobs: [job] });
        keep({ op: 'park', queue, ids: [job.id], reason });
      }
      for (const { job } of pending.values()) keep({ op: 'add', queue, jobs: [job] });
    }
    const next = `${this.#path}.next`;
    await writeFile(next, lines.join(''), { mode: 0o600, flush: true });
    await rename(next, this.#path);
    await syncFolder(dirname(this.#path));
    await this.#file?.close();
    this.#file = await open(this.#path, 'a');
    this.#size = (await this.#file.stat()).size;
  }

  #backlog(queue: string): Backlog {
    let backlog = this.#backlogs.get(queue);
    if (!backlog) {
      backlog = new Backlog();
      this.#backlogs.set(queue, backlog);
    }
    return backlog;
  }
}

function isHeld({ lease }: Waiting, now: number): boolean {
  // Before its beginning is after its end: somebody set the clock back.
  return lease !== undefined && now >= lease.from && now < lease.until;
}

/** A new name is durable only once its folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  await folder.sync().finally(() => folder.close());
}
