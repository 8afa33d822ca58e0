import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { MemoryBackupStore, type QueueOptions, ResilientQueue, streamKey } from '../../src/index.js';
import { RedisServer } from '../support/redis-server.js';
import { readStream } from '../support/stream.js';
import { waitFor } from '../support/wait-for.js';

async function setUp(options: Partial<QueueOptions> = {}) {
  const server = await RedisServer.start();
  const redis = new Redis(server.port);
  redis.on('error', () => {});
  const queue = new ResilientQueue('by-hand', { redis, backup: new MemoryBackupStore(), ...options });
  const errors: string[] = [];
  queue.on('error', ({ kind }) => errors.push(kind));
  return {
    server,
    queue,
    errors,
    async backUp(jobs: number) {
      const isolation = queue.isolate();
      await Promise.all(Array.from({ length: jobs }, (_, n) => queue.enqueue('job', { n })));
      return isolation;
    },
    async [Symbol.asyncDispose]() {
      await queue.close();
      redis.disconnect();
      await server.stop();
    },
  };
}

it('replays only when it is asked to, where auto is off, and says how far it is', async () => {
  await using setup = await setUp({ replay: { auto: false, pollMs: 20 } });
  const { server, queue, backUp } = setup;
  (await backUp(500)).dispose();
  const told: number[] = [];
  const replays: string[] = [];
  queue.on('replay', ({ phase }) => replays.push(phase));
  expect(await queue.check()).toMatchObject({ status: 'recovering', backup: { pending: 500 } });
  const result = await queue.replay({ onProgress: ({ remaining }) => told.push(remaining) });
  expect(result).toEqual({ replayed: 500, recognised: 0, parked: 0, dropped: 0, remaining: 0 });
  expect(told[0]).toBe(500);
  expect(told.at(-1)).toBe(0);
  expect(queue.health().status).toBe('up');
  expect(await readStream(server, streamKey('by-hand'))).toHaveLength(500);
  await waitFor(() => replays.includes('finished'), { what: 'the end to be told' });
});

it('resolves when nothing can be delivered, and loses nothing by it', async () => {
  await using setup = await setUp();
  const { server, queue, errors, backUp } = setup;
  await server.command('SET', streamKey('by-hand'), 'no stream');
  (await backUp(40)).dispose();
  expect(await queue.replay()).toMatchObject({ replayed: 0, parked: 0, remaining: 40 });
  expect(errors).toContain('wrongtype');
  await server.command('DEL', streamKey('by-hand'));
  await waitFor(() => queue.health().status === 'up', { what: 'the replay to go on by itself' });
  expect(await readStream(server, streamKey('by-hand'))).toHaveLength(40);
});

it('makes a pass of its own when one is under way that fails', async () => {
  const store = new MemoryBackupStore();
  const lease = store.lease.bind(store);
  const stats = store.stats.bind(store);
  let breakIt = (_: Error) => {};
  const broken = new Promise<never>((_, reject) => {
    breakIt = reject;
  });
  let leases = 0;
  let looks = 0;
  store.lease = (...args) => (leases++ === 0 ? broken : lease(...args));
  store.stats = (queue) => {
    looks += 1;
    return stats(queue);
  };
  await using setup = await setUp({ backup: store });
  const { queue, backUp } = setup;
  (await backUp(40)).dispose();
  await waitFor(() => leases === 1, { what: 'a pass to begin by itself' });
  looks = 0;
  const replay = queue.replay();
  // The last that it asks before it waits.
  await waitFor(() => looks > 0, { what: 'the store to be looked at' });
  await new Promise(setImmediate);
  breakIt(new Error('out of order'));
  expect(await replay).toMatchObject({ replayed: 40, remaining: 0 });
});

it('resolves with what remains when it is aborted, or Redis is down', async () => {
  await using setup = await setUp();
  const { server, queue, backUp } = setup;
  await server.kill();
  await backUp(10);
  expect(await queue.replay()).toMatchObject({ replayed: 0, remaining: 10 });
  expect(await queue.replay({ signal: AbortSignal.abort() })).toMatchObject({ replayed: 0, remaining: 10 });
});

it('is not changed by a progress listener that throws', async () => {
  await using setup = await setUp({ replay: { auto: false } });
  const { queue, errors, backUp } = setup;
  (await backUp(100)).dispose();
  const onProgress = () => {
    throw new Error('listener');
  };
  expect(await queue.replay({ onProgress })).toMatchObject({ replayed: 100, remaining: 0 });
  expect(errors).toContain('listener');
});

it('keeps an enqueue within both deadlines together, also behind a store that is slow and then hangs', async () => {
  const store = new MemoryBackupStore();
  const append = store.append.bind(store);
  let calls = 0;
  store.append = async (queue, jobs) => {
    calls += 1;
    if (calls > 4) return new Promise(() => {});
    await new Promise((resolve) => setTimeout(resolve, 500));
    return append(queue, jobs);
  };
  await using setup = await setUp({ backup: store, deadlineMs: 200, backupDeadlineMs: 700 });
  const { queue } = setup;
  queue.isolate();
  const durations: number[] = [];
  const large = 'x'.repeat(300_000); // four a megabyte: the fifth append waits in line
  const calling = Array.from({ length: 30 }, async () => {
    const startedAt = performance.now();
    await queue.enqueue('large', large).catch(() => {});
    durations.push(performance.now() - startedAt);
  });
  await Promise.all(calling);
  expect(calls).toBeGreaterThan(4);
  expect(Math.max(...durations)).toBeLessThan(200 + 700 + 250);
});
