import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { expect, it, onTestFinished } from 'vitest';
import { createHealth } from '../../src/health/index.js';
import {
  type BreakerState,
  type FailureKind,
  type HealthStatus,
  MemoryBackupStore,
  type OutageEvent,
  type QueueOptions,
  ResilientQueue,
} from '../../src/index.js';
import { RedisServer } from '../support/redis-server.js';
import { waitFor } from '../support/wait-for.js';
import { jobRecord } from '../unit/support/job-record.js';

// What is said of Redis while it is asked about all the time, and while nobody asks.

const NAME = 'truthful';
const clients = ['ioredis', 'node-redis'] as const;

interface Options extends Partial<QueueOptions> {
  readonly client?: (typeof clients)[number];
  readonly password?: string;
}

function open(port: number, { client = 'ioredis', password, ...options }: Options = {}) {
  const queue = new ResilientQueue(NAME, {
    redis: options.redis ?? connect(client, port, password),
    backup: new MemoryBackupStore(),
    // Longer than a busy machine keeps an answer waiting.
    ...{ deadlineMs: 2000, attemptTimeoutMs: 1000 },
    ...options,
  });
  onTestFinished(async () => void (await queue.close({ timeoutMs: 100 })));
  queue.on('error', () => {});
  const outages: Pick<OutageEvent, 'phase' | 'kind'>[] = [];
  queue.on('outage', ({ phase, kind }) => outages.push({ phase, kind }));
  const breaker: BreakerState[] = [];
  queue.on('breaker', ({ state }) => breaker.push(state));
  return { queue, outages, breaker, phases: () => outages.map(({ phase }) => phase) };
}

function connect(kind: (typeof clients)[number], port: number, password: string | undefined) {
  const secret = password === undefined ? {} : { password };
  if (kind === 'ioredis') {
    const client = new Redis({ port, retryStrategy: () => 50, ...secret });
    client.on('error', () => {});
    onTestFinished(() => client.disconnect());
    return client;
  }
  const client = createClient({ socket: { port, host: '127.0.0.1', reconnectStrategy: 50 }, ...secret });
  client.connect().catch(() => {});
  onTestFinished(() => client.destroy());
  return client;
}

/** Asks a queue how it is, again and again, until the test is over, and notes each answer that differs from the last. */
function ask(queue: ResilientQueue) {
  const statuses: HealthStatus[] = [];
  const kinds: (FailureKind | undefined)[] = [];
  let isOver = false;
  const asking = (async () => {
    while (!isOver) {
      const { status, redis } = await queue.check({ timeoutMs: 100 });
      if (statuses.at(-1) !== status) statuses.push(status);
      if (kinds.at(-1) !== redis.lastError?.kind) kinds.push(redis.lastError?.kind);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();
  onTestFinished(() => {
    isOver = true;
    return asking;
  });
  return { statuses, kinds };
}

const until = (what: string, condition: () => unknown) => waitFor(condition, { what, timeoutMs: 20_000 });

it.each(clients)(
  'is told of every outage, and of its end, while %s is asked all the time',
  async (client) => {
    await using server = await RedisServer.start();
    const { queue, outages, phases } = open(server.port, { client });
    await queue.enqueue('job');
    await until('the queue to be up', () => queue.health().status === 'up');
    const before = phases();
    const { statuses } = ask(queue);
    for (let round = 1; round <= 3; round++) {
      await (round === 2 ? server.pause() : server.kill());
      await until('the outage to be noticed', () => queue.health().status === 'degraded');
      expect(outages).toHaveLength(before.length + 2 * round - 1);
      await (round === 2 ? server.resume() : server.restart());
      await until('its end to be noticed', () => queue.health().status === 'up');
    }
    const each = ['started', 'ended'];
    expect(phases()).toEqual([...before, ...each, ...each, ...each]);
    expect(new Set(statuses)).toEqual(new Set(['up', 'degraded']));
  },
);

it.each(clients)(
  'names the cause for which %s has no connection, however often it is asked',
  async (client) => {
    await using server = await RedisServer.start({ args: ['--requirepass', 'another'] });
    const { queue, outages } = open(server.port, { client, password: 'mine', deadlineMs: 5000 });
    const { kinds } = ask(queue);
    await until('the password to be refused', () => kinds.at(-1) === 'auth');
    const since = kinds.length;
    await until('the outage to be noticed', () => outages.length > 0);
    const startedAt = performance.now();
    await until('a second to pass', () => performance.now() - startedAt > 1000);
    expect(kinds.slice(since - 1)).toEqual(['auth']);
    expect(outages).toEqual([{ phase: 'started', kind: 'auth' }]);
    expect(queue.health().redis).toMatchObject({ reachable: true, writable: false });

    await server.restart(['--requirepass', 'mine']);
    await until('the end of the outage', () => queue.health().status === 'up');
    await server.kill();
    await until('the next outage', () => outages.length === 3);
    // Of the password nothing is said any more.
    expect(outages[2]).toEqual({ phase: 'started', kind: 'disconnected' });
    expect(queue.health().redis).toMatchObject({ reachable: false });
  },
);

it('does not name a cause that has been mended since', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const user = { username: 'service', password: 'mine' };
  const redis = new Redis({ port: server.port, retryStrategy: () => 20, ...user });
  redis.on('error', () => {});
  onTestFinished(() => redis.disconnect());
  const { queue, outages } = open(server.port, { redis, deadlineMs: 10_000 });
  await until('the user to be refused', () => queue.health().redis.lastError?.kind === 'auth');
  await server.command('ACL', 'SETUSER', 'service', 'on', '>mine', '~*', '&*', '+@all');
  await until('the client to be connected', () => redis.status === 'ready');
  server.pause();
  redis.disconnect(true);
  await until('the client to be cut off', () => redis.status !== 'ready');
  const { redis: sight } = await queue.check({ timeoutMs: 5000 });
  expect(sight.lastError).toMatchObject({ kind: 'disconnected' });
  expect(outages).toEqual([]);
});

it('does not say that Redis is back of one that never was there', async () => {
  await using server = await RedisServer.start();
  await server.kill();
  const backup = new MemoryBackupStore();
  await backup.append(NAME, [jobRecord({ queue: NAME })]);
  const { queue, outages } = open(server.port, { backup });
  const heard: HealthStatus[] = [];
  queue.on('health', ({ status }) => heard.push(status));
  const health = createHealth(queue, { timeoutMs: 50, cacheMs: 0 });
  await until('the backlog to be seen', () => queue.health().backup.pending === 1);
  while (outages.length === 0) {
    expect(await health.check('readiness')).toMatchObject({
      ...{ status: 'warn', message: 'Jobs wait in the backup until Redis takes them' },
      queues: [{ state: 'degraded' }],
    });
  }
  await server.restart();
  await until('the replay', () => queue.health().status === 'up');
  expect(heard).toEqual(['degraded', 'recovering', 'up']);
});

it('does not say so either of one that is there and takes no writes', async () => {
  await using server = await RedisServer.start();
  await server.command('REPLICAOF', '127.0.0.1', '1');
  const redis = connect('ioredis', server.port, undefined) as Redis;
  await until('the client to be connected', () => redis.status === 'ready');
  const backup = new MemoryBackupStore();
  await backup.append(NAME, [jobRecord({ queue: NAME })]);
  const { queue } = open(server.port, { redis, backup });
  const heard: HealthStatus[] = [];
  queue.on('health', ({ status }) => heard.push(status));
  await until('the breaker to open', () => queue.health().breaker === 'open');
  expect(heard).toEqual(['degraded']);
  await server.command('REPLICAOF', 'NO', 'ONE');
  await until('the replay', () => queue.health().status === 'up');
  expect(heard).toEqual(['degraded', 'recovering', 'up']);
});

it('does not call an outage over that was on before the queue was isolated', async () => {
  await using server = await RedisServer.start();
  const { queue, outages, breaker, phases } = open(server.port, { breaker: { failures: 1 } });
  await queue.enqueue('job');
  await server.command('REPLICAOF', '127.0.0.1', '1');
  await queue.check();
  await until('the outage to be noticed', () => outages.length === 1);
  const isolation = queue.isolate();
  const heard: HealthStatus[] = [];
  queue.on('health', ({ status }) => heard.push(status));
  isolation.dispose();
  // Nobody asks, and nobody enqueues.
  await until('a test write of its own', () =>
    breaker.slice(breaker.indexOf('isolated')).includes('half-open'),
  );
  expect(phases()).toEqual(['started']);
  expect(heard).toEqual([]);
  expect(queue.health().status).toBe('degraded');
  await server.command('REPLICAOF', 'NO', 'ONE');
  await until('the end of the outage', () => outages.length === 2);
  expect(outages).toEqual([
    { phase: 'started', kind: 'readonly' },
    { phase: 'ended', kind: 'readonly' },
  ]);
  expect(heard).toEqual(['up']);
});

it('calls it over when Redis was found well while the queue was isolated', async () => {
  await using server = await RedisServer.start();
  const { queue, outages, breaker, phases } = open(server.port, { breaker: { failures: 1 } });
  await server.command('REPLICAOF', '127.0.0.1', '1');
  await until('the outage to be noticed', async () => {
    await queue.check();
    return outages.length === 1;
  });
  const isolation = queue.isolate();
  await server.command('REPLICAOF', 'NO', 'ONE');
  expect((await queue.check()).redis).toMatchObject({ writable: true });
  expect(phases()).toEqual(['started']);
  isolation.dispose();
  expect(phases()).toEqual(['started', 'ended']);
  expect(breaker.slice(breaker.indexOf('isolated'))).toEqual(['isolated', 'closed']);
});

it('notices without traffic that a new client of the factory does not connect', async () => {
  await using server = await RedisServer.start();
  let made = 0;
  const redis = () => {
    made += 1;
    return connect('ioredis', server.port, undefined);
  };
  const { queue, outages } = open(server.port, { redis, breaker: { failures: 100 }, lossWindow: false });
  await queue.enqueue('job');
  server.pause();
  await until('the client to be replaced', async () => {
    // Until it has its answer: one check more would notice.
    await queue.check({ timeoutMs: 5000 });
    return made === 2;
  });
  // The client itself gives up its try after ten seconds, and would tell then.
  await waitFor(() => outages.length === 1, { what: 'the outage to be noticed', timeoutMs: 8000 });
  server.resume();
  await until('its end to be noticed', () => queue.health().status === 'up');
});

it('does not call Redis writable by a canary that was refused', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const { queue, outages } = open(server.port);
  await until('Redis to take writes', async () => (await queue.check()).redis.writable);
  await server.command('ACL', 'SETUSER', 'default', '-set');
  expect((await queue.check()).redis).toMatchObject({
    ...{ reachable: true, writable: false, lastError: { kind: 'noperm' } },
  });
  expect(await createHealth(queue).check('redis')).toMatchObject({ status: 'fail' });
  // Nor an outage: jobs may be taken all the same.
  expect(outages).toEqual([]);
});
