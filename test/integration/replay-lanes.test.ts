import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import {
  type Delivery,
  type DeliveryContext,
  type JobRecord,
  type Lease,
  MemoryBackupStore,
  type QueueOptions,
  type RedisConnection,
  ResilientQueue,
  StreamsTransport,
  streamKey,
} from '../../src/index.js';
import { RedisServer } from '../support/redis-server.js';
import { readStream } from '../support/stream.js';
import { waitFor } from '../support/wait-for.js';

/** Knows which leases are held, and lets others have their turn in each call as a store on a disk does. */
class WatchedStore extends MemoryBackupStore {
  /** By token: how many jobs of it are not settled yet. */
  readonly held = new Map<string, number>();
  readonly leased: (readonly string[])[] = [];
  mostHeld = 0;
  emptyLeases = 0;
  failingLease = -1;

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
  const server = await RedisServer.start({ appendOnly: 'no' });
  onTestFinished(() => server.stop());
  const redis = new Redis(server.port);
  onTestFinished(() => redis.disconnect());
  const store = new WatchedStore();
  const queue = new ResilientQueue('lanes', { redis, backup: store, ...options });
  onTestFinished(async () => void (await queue.close()));
  const errors: string[] = [];
  queue.on('error', ({ kind }) => errors.push(kind));
  const isolation = queue.isolate();
  const receipts = await Promise.all(Array.from({ length: jobs }, (_, n) => queue.enqueue('job', n)));
  const idsInRedis = async () =>
    (await readStream(server, streamKey('lanes'))).map(({ fields }) => fields.id as string);
  return { ...{ queue, store, errors, isolation, idsInRedis }, ids: receipts.map(({ id }) => id) };
}

it('works a large backlog off in two lanes, each job once', async () => {
  const { queue, store, isolation, ids, idsInRedis } = await setUp(5000, {
    replay: { batchSize: 64, auto: false },
  });
  isolation.dispose();
  expect(await queue.replay()).toMatchObject({ replayed: 5000, recognised: 0, remaining: 0 });
  expect(store.mostHeld).toBe(2);
  expect(store.held.size).toBe(0);
  expect((await idsInRedis()).sort()).toEqual([...ids].sort());
});

it('keeps to one lane in order', async () => {
  const { queue, store, isolation, ids, idsInRedis } = await setUp(2000, {
    ordering: 'queue',
    replay: { batchSize: 64 },
  });
  isolation.dispose();
  await waitFor(() => queue.health().status === 'up', { what: 'the replay to end' });
  expect(store.mostHeld).toBe(1);
  expect(await idsInRedis()).toEqual(ids);
});

it('is not stopped by a lane whose store fails, and says so', async () => {
  const { queue, store, errors, isolation, ids, idsInRedis } = await setUp(1000, {
    replay: { batchSize: 16 },
  });
  // The second lane's first is the second of all.
  store.failingLease = 1;
  isolation.dispose();
  await waitFor(() => queue.health().status === 'up', { what: 'the replay to end' });
  expect(errors).toEqual(['backup']);
  expect(store.mostHeld).toBe(2);
  expect((await idsInRedis()).sort()).toEqual([...ids].sort());
});

it('does not end before the second lane has, whose jobs may come back', async () => {
  let store: WatchedStore | undefined;
  let isRefused = false;
  /** Fails with the second lane's first batch, once the first lane has found nothing more to do. */
  class Refusing extends StreamsTransport {
    override async deliver(
      connection: RedisConnection,
      jobs: readonly JobRecord[],
      context: DeliveryContext,
    ): Promise<Delivery> {
      const isSecond = store?.leased[1]?.includes(jobs[0]?.id ?? '') ?? false;
      if (isSecond && !isRefused) {
        await waitFor(() => (store as WatchedStore).emptyLeases > 0, { what: 'an empty lease' });
        isRefused = true;
        throw Object.assign(new Error("READONLY You can't write against a read only replica."), {
          name: 'ReplyError',
        });
      }
      return super.deliver(connection, jobs, context);
    }
  }
  const setting = await setUp(60, {
    transport: new Refusing(),
    replay: { batchSize: 10, auto: false },
    attemptTimeoutMs: 10_000,
    deadlineMs: 20_000,
  });
  store = setting.store;
  setting.isolation.dispose();
  expect(await setting.queue.replay()).toMatchObject({ replayed: 60, remaining: 0 });
  expect(isRefused).toBe(true);
  expect(store.mostHeld).toBe(2);
  expect((await setting.idsInRedis()).sort()).toEqual([...setting.ids].sort());
});

it('is waited for by close()', async () => {
  let store: WatchedStore | undefined;
  let isUnderWay = false;
  let isOver = false;
  let goOn = () => {};
  const gate = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  class Slow extends StreamsTransport {
    override async deliver(
      connection: RedisConnection,
      jobs: readonly JobRecord[],
      context: DeliveryContext,
    ): Promise<Delivery> {
      const isSecond = store?.leased[1]?.includes(jobs[0]?.id ?? '') ?? false;
      isUnderWay ||= isSecond;
      if (isSecond) await gate;
      const delivery = await super.deliver(connection, jobs, context);
      isOver ||= isSecond;
      return delivery;
    }
  }
  const setting = await setUp(20_000, {
    transport: new Slow(),
    replay: { batchSize: 10 },
    attemptTimeoutMs: 10_000,
    deadlineMs: 20_000,
  });
  store = setting.store;
  setting.isolation.dispose();
  await waitFor(() => isUnderWay, { what: 'the second lane to lay jobs down' });
  const closing = setting.queue.close({ timeoutMs: 0 });
  setTimeout(goOn, 200);
  await closing;
  expect(isOver).toBe(true);
});
