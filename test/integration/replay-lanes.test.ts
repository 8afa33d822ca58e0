import { expect, it } from 'vitest';
import { type JobRecord, type Lease, MemoryBackupStore, type QueueOptions } from '../../src/index.js';
import { HookedTransport } from '../support/hooked-transport.js';
import { queueOnRedis } from '../support/queue-on-redis.js';
import { waitFor } from '../support/wait-for.js';

/** Knows which leases are held, and lets others have their turn in each call as a store on a disk does. */
class WatchedStore extends MemoryBackupStore {
  /** By token: how many jobs of it are not settled yet. */
  readonly held = new Map<string, number>();
  readonly leased: (readonly string[])[] = [];
  mostHeld = 0;
  emptyLeases = 0;
  failingLease = -1;

  isOfSecondLease(jobs: readonly JobRecord[]): boolean {
    return this.leased[1]?.includes(jobs[0]?.id ?? '') ?? false;
  }

  override async lease(queue: string, limit: number, leaseMs: number): Promise<Lease | undefined> {
    await new Promise(setImmediate);
    if (this.leased.length === this.failingLease) {
      this.failingLease = -1;
      throw new Error('The disk is gone.');
    }
    const lease = await super.lease(queue, limit, leaseMs);
    if (!lease) this.emptyLeases += 1;
    else {
      this.held.set(lease.token, lease.jobs.length);
      this.leased.push(lease.jobs.map(({ id }) => id));
      this.mostHeld = Math.max(this.mostHeld, this.held.size);
    }
    return lease;
  }

  override async acknowledge(token: string, ids: readonly string[]): Promise<void> {
    await new Promise(setImmediate);
    await super.acknowledge(token, ids);
    this.#settled(token, ids);
  }

  override async release(token: string, ids: readonly string[]): Promise<void> {
    await super.release(token, ids);
    this.#settled(token, ids);
  }

  #settled(token: string, ids: readonly string[]): void {
    const left = (this.held.get(token) ?? 0) - ids.length;
    if (left > 0) this.held.set(token, left);
    else this.held.delete(token);
  }
}

async function setUp(jobs: number, options: Partial<QueueOptions> = {}) {
  const store = new WatchedStore();
  const setting = await queueOnRedis('lanes', { backup: store, ...options });
  const { queue } = setting;
  const isolation = queue.isolate();
  const receipts = await Promise.all(Array.from({ length: jobs }, (_, n) => queue.enqueue('job', n)));
  return { ...setting, store, isolation, ids: receipts.map(({ id }) => id) };
}

it('works a backlog off in two lanes, each job once', async () => {
  const { queue, store, isolation, ids, idsInRedis } = await setUp(800, {
    replay: { batchSize: 64, auto: false },
  });
  isolation.dispose();
  expect(await queue.replay()).toMatchObject({ replayed: 800, recognised: 0, remaining: 0 });
  expect(store.mostHeld).toBe(2);
  expect(store.leased.every((lease) => lease.length <= 64)).toBe(true);
  expect(store.held.size).toBe(0);
  expect((await idsInRedis()).sort()).toEqual([...ids].sort());
});

it('works a large backlog off in four lanes, with leases of several batches, each job once', async () => {
  const { queue, store, isolation, ids, idsInRedis } = await setUp(5000, {
    replay: { batchSize: 64, auto: false },
  });
  isolation.dispose();
  expect(await queue.replay()).toMatchObject({ replayed: 5000, recognised: 0, remaining: 0 });
  expect(store.mostHeld).toBe(4);
  expect(Math.max(...store.leased.map((lease) => lease.length))).toBe(4 * 64);
  expect(store.held.size).toBe(0);
  expect((await idsInRedis()).sort()).toEqual([...ids].sort());
});

it('keeps to one lane in order', async () => {
  const { store, isolation, ids, idsInRedis, isUp } = await setUp(2000, {
    ordering: 'queue',
    replay: { batchSize: 64 },
  });
  isolation.dispose();
  await isUp();
  expect(store.mostHeld).toBe(1);
  expect(await idsInRedis()).toEqual(ids);
});

it('is not stopped by a lane whose store fails, and says so', async () => {
  const { store, errors, isolation, ids, idsInRedis, isUp } = await setUp(1000, {
    replay: { batchSize: 16 },
  });
  // The second lane's first is the second of all.
  store.failingLease = 1;
  isolation.dispose();
  await isUp();
  expect(errors.map(({ kind }) => kind)).toEqual(['backup']);
  expect(store.mostHeld).toBe(4);
  expect((await idsInRedis()).sort()).toEqual([...ids].sort());
});

it('does not end before the second lane has, whose jobs may come back', async () => {
  const transport = new HookedTransport();
  const { queue, store, isolation, ids, idsInRedis } = await setUp(60, {
    ...{ transport, attemptTimeoutMs: 10_000, deadlineMs: 20_000 },
    replay: { batchSize: 10, auto: false },
  });
  // The second lane's first batch fails, once the first lane has found nothing more to do.
  let isRefused = false;
  transport.before = async (jobs) => {
    if (isRefused || !store.isOfSecondLease(jobs)) return;
    await waitFor(() => store.emptyLeases > 0, { what: 'an empty lease' });
    isRefused = true;
    const error = new Error("READONLY You can't write against a read only replica.");
    throw Object.assign(error, { name: 'ReplyError' });
  };
  isolation.dispose();
  expect(await queue.replay()).toMatchObject({ replayed: 60, remaining: 0 });
  expect(isRefused).toBe(true);
  expect(store.mostHeld).toBe(2);
  expect((await idsInRedis()).sort()).toEqual([...ids].sort());
});

it('is waited for by close()', async () => {
  const transport = new HookedTransport();
  const { queue, store, isolation } = await setUp(20_000, {
    ...{ transport, attemptTimeoutMs: 10_000, deadlineMs: 20_000 },
    replay: { batchSize: 10 },
  });
  let isUnderWay = false;
  let isOver = false;
  let goOn = () => {};
  const gate = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  transport.before = async (jobs) => {
    if (!store.isOfSecondLease(jobs)) return;
    isUnderWay = true;
    await gate;
  };
  transport.after = (delivery, jobs) => {
    isOver ||= store.isOfSecondLease(jobs);
    return delivery;
  };
  isolation.dispose();
  await waitFor(() => isUnderWay, { what: 'the second lane to lay jobs down' });
  const closing = queue.close({ timeoutMs: 0 });
  setTimeout(goOn, 200);
  await closing;
  expect(isOver).toBe(true);
});
