import {
  type AppendOutcome,
  type BackupDurability,
  type BackupStats,
  type BackupStore,
  type JobRecord,
  type Lease,
  MemoryBackupStore,
} from '../../src/index.js';

type Call<Result> = (run: () => Promise<Result>, ids: readonly string[]) => Promise<Result>;

/** What a test steps into: it is given the call itself, to run it when it likes, and the ids of its jobs. */
interface Hooks {
  append?: Call<readonly AppendOutcome[]>;
  lease?: Call<Lease | undefined>;
  acknowledge?: Call<void>;
  park?: Call<void>;
  stats?: Call<BackupStats>;
}

/** The memory store, which says of itself what the test likes, and does as the test says. */
export class HookedStore implements BackupStore {
  readonly durability: BackupDurability;
  readonly inner = new MemoryBackupStore();
  hooks: Hooks = {};

  constructor(durability: BackupDurability = 'fsynced') {
    this.durability = durability;
  }

  append(queue: string, jobs: readonly JobRecord[]): Promise<readonly AppendOutcome[]> {
    const ids = jobs.map(({ id }) => id);
    return stepInto(this.hooks.append, () => this.inner.append(queue, jobs), ids);
  }

  lease(queue: string, limit: number, leaseMs: number): Promise<Lease | undefined> {
    return stepInto(this.hooks.lease, () => this.inner.lease(queue, limit, leaseMs), []);
  }

  acknowledge(token: string, ids: readonly string[]): Promise<void> {
    return stepInto(this.hooks.acknowledge, () => this.inner.acknowledge(token, ids), ids);
  }

  release(token: string, ids: readonly string[]): Promise<void> {
    return this.inner.release(token, ids);
  }

  park(token: string, ids: readonly string[], reason: string): Promise<void> {
    return stepInto(this.hooks.park, () => this.inner.park(token, ids, reason), ids);
  }

  stats(queue: string): Promise<BackupStats> {
    return stepInto(this.hooks.stats, () => this.inner.stats(queue), []);
  }

  close(): Promise<void> {
    return this.inner.close();
  }
}

function stepInto<Result>(
  hook: Call<Result> | undefined,
  run: () => Promise<Result>,
  ids: readonly string[],
): Promise<Result> {
  return hook ? hook(run, ids) : run();
}

/** The call never happens, or never ends. */
export const never = <T>() => new Promise<T>(() => {});
/** The call takes effect, and nobody is told. */
export const mute = async <T>(run: () => Promise<T>) => {
  await run();
  return never<T>();
};
export const fail = async (): Promise<never> => {
  throw new Error('The store is out of order.');
};
