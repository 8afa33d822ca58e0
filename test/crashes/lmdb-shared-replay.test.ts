import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { LmdbBackupStore } from '../../src/backup/lmdb.js';
import { ResilientQueue, streamKey } from '../../src/index.js';
import { BundledProgram, type RunningProgram } from '../support/bundled-program.js';
import { FaultProxy } from '../support/fault-proxy.js';
import { RedisServer } from '../support/redis-server.js';
import { readStream } from '../support/stream.js';
import { waitFor } from '../support/wait-for.js';
import { temporaryFolder } from '../unit/support/temporary-folder.js';

const QUEUE = 'shared';
const JOBS = 4000;
const LEASE_MS = 1000; // the workers'

let worker: BundledProgram;
beforeAll(async () => {
  worker = await BundledProgram.build(new URL('worker.ts', import.meta.url));
});
afterAll(() => worker[Symbol.asyncDispose]());

/** A backlog that its process left, and a Redis that takes its time. */
async function leaveBacklog() {
  const server = await RedisServer.start();
  const proxy = await FaultProxy.start({ port: server.port });
  const path = temporaryFolder();
  const redis = new Redis({ port: proxy.port });
  redis.on('error', () => {});
  const queue = new ResilientQueue(QUEUE, { redis, backup: new LmdbBackupStore({ path }), deadlineMs: 50 });
  await proxy.refuse();
  const isolation = queue.isolate();
  const receipts = await Promise.all(
    Array.from({ length: JOBS }, (_, n) => queue.enqueue('shared.job', { n })),
  );
  expect(await queue.close()).toEqual({ pending: JOBS });
  isolation.dispose();
  redis.disconnect();
  await proxy.accept();
  proxy.latency(5);
  const settings = { port: proxy.port, path, queue: QUEUE, callers: 0, batchSize: 64, attemptTimeoutMs: 200 };
  return {
    ids: receipts.map(({ id }) => id),
    proxy,
    store: new LmdbBackupStore({ path }),
    start: (name: string): RunningProgram => worker.start({ ...settings, name }),
    standing: async () =>
      (await readStream(server, streamKey(QUEUE))).map(({ fields }) => fields.id as string),
    stop: async () => {
      await proxy.stop();
      await server.stop();
    },
  };
}

const replayed = (store: LmdbBackupStore, share: number) =>
  waitFor(async () => (await store.stats(QUEUE)).pending <= JOBS * (1 - share), {
    what: `a share of ${share} to be replayed`,
    timeoutMs: 40_000,
    everyMs: 2,
  });

it('lays each job down once when three processes replay one backlog and one is killed in the middle', async () => {
  const { ids, proxy, store, start, standing, stop } = await leaveBacklog();
  try {
    // Until all are there: on a busy machine the first two are done before the third has started.
    await proxy.refuse();
    const workers = ['a', 'b', 'c'].map(start);
    await waitFor(() => workers.every((one) => one.lines().includes('ready')), {
      ...{ what: 'all to be ready', timeoutMs: 20_000 },
    });
    await proxy.accept();
    await replayed(store, 0.4);
    await workers[0]?.kill();
    expect((await store.stats(QUEUE)).pending).toBeGreaterThan(0);
    await replayed(store, 1);
    expect((await standing()).sort()).toEqual([...ids].sort());
    const shares = workers.map(
      (one) => one.lines().filter((line) => line.startsWith('replay started')).length,
    );
    expect(Math.min(...shares)).toBeGreaterThan(0);
  } finally {
    await store.close();
    await stop();
  }
});

it('lays each job down once when a process is stopped for longer than its lease, and goes on', async () => {
  const { ids, store, start, standing, stop } = await leaveBacklog();
  try {
    const sleeper = start('sleeper');
    await replayed(store, 0.2);
    await stopBetweenWrites(sleeper, store);
    expect((await store.stats(QUEUE)).leased).toBeGreaterThan(0);
    const startedAt = performance.now();
    start('other');
    await replayed(store, 1);
    expect(performance.now() - startedAt).toBeGreaterThan(LEASE_MS / 2);
    const before = sleeper.lines().length;
    sleeper.signal('SIGCONT');
    await waitFor(
      () =>
        sleeper
          .lines()
          .slice(before)
          .some((line) => line.startsWith('replay finished')),
      {
        what: 'the process that was stopped to finish its replay',
      },
    );
    expect((await standing()).sort()).toEqual([...ids].sort());
    expect(await store.stats(QUEUE)).toMatchObject({ pending: 0, leased: 0, parked: 0 });
  } finally {
    await store.close();
    await stop();
  }
});

/** A process that is stopped while it writes keeps all others from writing until it goes on: not what is looked at here. */
async function stopBetweenWrites(program: RunningProgram, store: LmdbBackupStore): Promise<void> {
  for (;;) {
    program.signal('SIGSTOP');
    const write = store.admin.remove('nobody', ['nothing']);
    const isFree = await Promise.race([write.then(() => true), sleep(300).then(() => false)]);
    if (isFree && (await store.stats(QUEUE)).leased > 0) return;
    program.signal('SIGCONT');
    await write;
    await sleep(5);
  }
}
