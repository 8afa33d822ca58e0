import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { expect, it, onTestFinished } from 'vitest';
import {
  type HealthReport,
  MemoryBackupStore,
  type OutageEvent,
  type QueueOptions,
  ResilientQueue,
  streamKey,
} from '../../src/index.js';
import { Ledger } from '../support/ledger.js';
import { runLoad, settleWithin } from '../support/load.js';
import { RedisServer } from '../support/redis-server.js';
import { readStream } from '../support/stream.js';
import { waitFor } from '../support/wait-for.js';
import { IdleConnection } from '../unit/support/idle-connection.js';

const NAME = 'health';

function open(port: number, options: Partial<QueueOptions> = {}) {
  const client = new Redis({ port });
  client.on('error', () => {});
  onTestFinished(() => client.disconnect());
  const queue = new ResilientQueue(NAME, {
    redis: client,
    backup: new MemoryBackupStore(),
    deadlineMs: 500,
    attemptTimeoutMs: 200,
    ...options,
  });
  queue.on('error', () => {});
  const health: HealthReport[] = [];
  const outages: OutageEvent[] = [];
  queue.on('health', (report) => health.push(report));
  queue.on('outage', (event) => outages.push(event));
  return { queue, client, health, outages };
}

function nodeRedis(port: number) {
  const client = createClient({ socket: { port, host: '127.0.0.1' } });
  client.connect().catch(() => {});
  onTestFinished(() => client.destroy());
  return client;
}

const isUp = (queue: ResilientQueue) =>
  waitFor(() => queue.health().status === 'up', { what: 'the queue to be up by itself' });

function expectBalance(queue: ResilientQueue): void {
  const { accepted, inherited, delivered, pending, parked, dropped } = queue.health().totals;
  expect(accepted + inherited).toBe(delivered + pending + parked + dropped);
}

async function timed<T>(work: Promise<T>): Promise<{ value: T; tookMs: number }> {
  const startedAt = performance.now();
  const value = await work;
  return { value, tookMs: performance.now() - startedAt };
}

it('says up of a Redis that takes writes', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const { queue } = open(server.port);
  await queue.enqueue('job');
  const report = await queue.check();
  expect(report).toMatchObject({
    ...{ status: 'up', queue: NAME, breaker: 'closed' },
    redis: { reachable: true, writable: true, lastError: undefined },
    backup: {
      ...{ pending: 0, unknown: 0, parked: 0, writable: true, capacity: 1_000_000, durability: 'memory' },
    },
    replay: { active: false, remaining: 0 },
    totals: { accepted: 1, delivered: 1 },
  });
  expect(report.redis.latencyMs).toBeGreaterThan(0);
  expect(JSON.parse(JSON.stringify(report))).toMatchObject({ status: 'up' });
  expect(await queue.close()).toEqual({ pending: 0 });
});

it('answers at its timeout while Redis hangs, and says that Redis did not answer', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  // A canary that is on its way already, for the loss window's sake, would end earlier.
  const { queue } = open(server.port, { lossWindow: false });
  await queue.enqueue('job');
  server.pause();
  const usual = await timed(queue.check());
  expect(usual.tookMs).toBeGreaterThan(190);
  expect(usual.tookMs).toBeLessThan(600);
  expect(usual.value.redis).toMatchObject({ reachable: false, writable: false });
  const short = await timed(queue.check({ timeoutMs: 50 }));
  expect(short.tookMs).toBeLessThan(300);
  expect(short.value.redis).toMatchObject({ reachable: false, writable: false });
  const controller = new AbortController();
  const aborted = timed(queue.check({ timeoutMs: 5000, signal: controller.signal }));
  controller.abort();
  expect((await aborted).tookMs).toBeLessThan(300);
  expect((await timed(queue.check({ signal: AbortSignal.abort() }))).tookMs).toBeLessThan(300);
  server.resume();
  await waitFor(async () => (await queue.check()).redis.writable, { what: 'a check that finds Redis well' });
  await isUp(queue);
  expect(await queue.close()).toEqual({ pending: 0 });
});

it('tells a Redis that answers but takes no writes from one that is gone', async () => {
  await using server = await RedisServer.start();
  const { queue } = open(server.port);
  await queue.enqueue('job');
  await server.command('REPLICAOF', '127.0.0.1', '1');
  expect((await queue.check()).redis).toMatchObject({
    ...{ reachable: true, writable: false, lastError: { kind: 'readonly', at: expect.any(Number) } },
  });
  await server.command('REPLICAOF', 'NO', 'ONE');
  expect((await queue.check()).redis).toMatchObject({ reachable: true, writable: true });
  await isUp(queue);

  await server.kill();
  await waitFor(async () => !(await queue.check()).redis.reachable, { what: 'a check that finds nobody' });
  const gone = await timed(queue.check());
  expect(gone.tookMs).toBeLessThan(400);
  expect(gone.value.redis).toMatchObject({ reachable: false, writable: false });
  await server.restart();
  await waitFor(async () => (await queue.check()).redis.writable, { what: 'a check that finds Redis well' });
  await isUp(queue);
  expect(await queue.close()).toEqual({ pending: 0 });
});

it('a thousand checks at once share one canary', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  // Longer than a busy machine keeps an answer waiting.
  const { queue } = open(server.port, { attemptTimeoutMs: 400 });
  await queue.enqueue('job');
  await queue.check();
  const canaries = async () =>
    Number(/cmdstat_set:calls=(\d+)/.exec(String(await server.command('INFO', 'commandstats')))?.[1]);
  const before = await canaries();
  const reports = await Promise.all(Array.from({ length: 1000 }, () => queue.check()));
  expect(await canaries()).toBe(before + 1);
  for (const report of reports) expect(report.redis.writable).toBe(true);
  await queue.check();
  expect(await canaries()).toBe(before + 2);

  // As many while Redis hangs: one canary a time, and everybody has an answer in time.
  server.pause();
  const { tookMs, value } = await timed(Promise.all(Array.from({ length: 1000 }, () => queue.check())));
  // Not one after the other.
  expect(tookMs).toBeLessThan(10_000);
  expect(value).toHaveLength(1000);
  server.resume();
  await isUp(queue);
  expect(await queue.close()).toEqual({ pending: 0 });
});

it.each(['ioredis', 'node-redis'])(
  'notices without traffic that %s lost its connection, and that it is back',
  async (kind) => {
    await using server = await RedisServer.start();
    const { queue, health, outages } = open(server.port, {
      deadlineMs: 400,
      ...(kind === 'node-redis' && { redis: nodeRedis(server.port) }),
    });
    await queue.enqueue('first');
    await isUp(queue);
    // A busy machine may have taken longer than that to connect.
    health.length = 0;
    outages.length = 0;
    await server.kill();
    await waitFor(() => health.length > 0, { what: 'the outage to be noticed', timeoutMs: 3000 });
    // As it was when it was told: a moment later a canary may be on its way, and the breaker half open.
    expect(health[0]).toMatchObject({
      ...{ status: 'degraded', breaker: 'open', redis: { reachable: false, writable: false } },
    });
    await server.restart();
    await isUp(queue);
    expect(health.map(({ status }) => status)).toEqual(['degraded', 'up']);
    expect(outages.map(({ phase, kind: what }) => [phase, what])).toEqual([
      ['started', 'disconnected'],
      ['ended', 'disconnected'],
    ]);
    expect(queue.health().redis).toMatchObject({ reachable: true, writable: true });
    expect(await queue.close()).toEqual({ pending: 0 });
  },
);

it('a short gap without traffic is no outage', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  // One attempt may take longer than a busy machine keeps an answer waiting.
  const { queue, health, outages } = open(server.port, { deadlineMs: 2000, attemptTimeoutMs: 1000 });
  await queue.enqueue('first');
  for (let n = 0; n < 3; n++) {
    await server.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await queue.enqueue('job', n);
  }
  expect(outages).toEqual([]);
  expect(health).toEqual([]);
  expect(queue.health().status).toBe('up');
  expect(await queue.close()).toEqual({ pending: 0 });
});

it.each(['ioredis', 'node-redis'])(
  'does not take a connection that %s is just making for an outage',
  async (kind) => {
    await using server = await RedisServer.start({ appendOnly: 'no' });
    // A busy machine takes its time to connect.
    const { queue, outages } = open(server.port, {
      ...{ deadlineMs: 5000, attemptTimeoutMs: 2000 },
      ...(kind === 'node-redis' && { redis: nodeRedis(server.port) }),
    });
    expect((await queue.check()).redis).toMatchObject({
      reachable: true,
      writable: true,
      lastError: undefined,
    });
    expect(outages).toEqual([]);
    expect(await queue.close()).toEqual({ pending: 0 });
  },
);

it('waits for a connection that is just being made also while the queue is isolated', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const { queue } = open(server.port, { deadlineMs: 5000, attemptTimeoutMs: 2000 });
  const isolation = queue.isolate();
  expect((await queue.check()).redis).toMatchObject({ reachable: true, writable: true });
  isolation.dispose();
  expect(await queue.close()).toEqual({ pending: 0 });
});

it('does not make an outage of a gap by asking often, and has it noticed when it is one', async () => {
  // It gives no hint that it is away.
  const { queue, outages } = open(1, {
    ...{ redis: new IdleConnection(), attemptTimeoutMs: 50, deadlineMs: 2000 },
  });
  const startedAt = performance.now();
  while (performance.now() - startedAt < 1000) {
    expect((await queue.check()).redis).toMatchObject({ reachable: false, writable: false });
  }
  expect(outages).toEqual([]);
  await waitFor(() => outages.length > 0, { what: 'the outage to be noticed' });
  expect(outages).toMatchObject([{ phase: 'started', kind: 'disconnected' }]);
  expect(await queue.close()).toEqual({ pending: 0 });
});

it('tells each change of the status once', async () => {
  await using server = await RedisServer.start();
  const { queue, health } = open(server.port);
  await queue.enqueue('first');
  await server.kill();
  const killedAt = Date.now();
  await Promise.all(Array.from({ length: 500 }, (_, n) => queue.enqueue('job', n)));
  await waitFor(() => queue.health().breaker === 'open', { what: 'the breaker to open' });
  await Promise.all(Array.from({ length: 500 }, (_, n) => queue.enqueue('job', n)));
  await server.restart();
  await isUp(queue);
  // While jobs wait and Redis is dead, "recovering" would be a lie.
  expect(health.map(({ status }) => status)).toEqual(['degraded', 'recovering', 'up']);
  for (const report of health) expect(report.since).toBeGreaterThanOrEqual(killedAt);
  expect(queue.health()).toMatchObject({ status: 'up', since: health.at(-1)?.since });
  expect(await queue.close()).toEqual({ pending: 0 });
});

it('tells once that an outage began, and what became of its jobs when it is over', async () => {
  await using server = await RedisServer.start();
  // On a busy machine the first to fail would be a timeout.
  const { queue, outages } = open(server.port, { deadlineMs: 2000, attemptTimeoutMs: 2000 });
  const ledger = new Ledger();
  const ended = new AbortController();
  const load = runLoad({
    perSecond: 1000,
    ledger,
    signal: ended.signal,
    enqueue: (n) => queue.enqueue('job', { n }),
  });
  await waitFor(() => queue.health().totals.delivered >= 200, { what: 'jobs before Redis is killed' });
  await server.kill();
  await waitFor(() => queue.health().totals.pending >= 500, { what: 'jobs in the backup' });
  await server.restart();
  await waitFor(() => queue.health().backup.pending === 0, { what: 'the backlog to be replayed' });
  ended.abort();
  const { offered } = await load;
  expect(await settleWithin(ledger, 5000)).toBe(true);
  await isUp(queue);
  ledger.delivered((await readStream(server, streamKey(NAME))).map((entry) => entry.fields.id as string));
  const summary = ledger.summary();
  expect(summary, `${ledger}`).toMatchObject({
    ...{ accepted: offered, delivered: offered, lost: 0, doubled: 0, ghosts: 0, errors: {} },
  });
  expectBalance(queue);

  expect(outages.map(({ phase }) => phase)).toEqual(['started', 'ended']);
  const [started, over] = outages as [OutageEvent, OutageEvent];
  expect(started).toMatchObject({ queue: NAME, durationMs: 0 });
  expect(['disconnected', 'connection-lost']).toContain(started.kind);
  expect(over).toMatchObject({ kind: started.kind, startedAt: started.startedAt, rejected: 0 });
  expect(over.durationMs).toBeGreaterThan(0);
  expect(over.durationMs).toBeLessThanOrEqual(Date.now() - over.startedAt);
  // Every job that went to the backup did so because of it.
  expect(over.backedUp).toBe(summary.backedUp);
  expect(over.unknown).toBeLessThanOrEqual(over.backedUp);
  expect(await queue.close()).toEqual({ pending: 0 });
});

it('counts the jobs by which an outage was noticed, and none of a hiccup before it', async () => {
  await using server = await RedisServer.start();
  const { queue, outages } = open(server.port, { retry: { attempts: 0 }, attemptTimeoutMs: 300 });
  await queue.enqueue('first');
  await server.command('CLIENT', 'PAUSE', '60000', 'WRITE');
  expect(await queue.enqueue('hiccup')).toMatchObject({ outcome: 'backed-up' });
  await server.command('CLIENT', 'UNPAUSE');
  await isUp(queue);
  expect(await queue.enqueue('again')).toMatchObject({ outcome: 'enqueued' });
  expect(outages).toEqual([]);
  await server.command('CLIENT', 'PAUSE', '60000', 'WRITE');
  let backedUp = 0;
  while (outages.length === 0) {
    expect(await queue.enqueue('job')).toMatchObject({ outcome: 'backed-up' });
    backedUp += 1;
  }
  expect(backedUp).toBeGreaterThan(1);
  await server.command('CLIENT', 'UNPAUSE');
  await isUp(queue);
  expect(outages.at(-1)).toMatchObject({ phase: 'ended', kind: 'timeout', backedUp, unknown: backedUp });
});

it('counts the jobs that an outage left with neither', async () => {
  await using server = await RedisServer.start();
  const { queue, outages } = open(server.port, { backupLimit: { jobs: 10 } });
  await queue.enqueue('first');
  await server.kill();
  await waitFor(() => queue.health().breaker === 'open', { what: 'the outage to be noticed' });
  const results = await Promise.allSettled(Array.from({ length: 25 }, (_, n) => queue.enqueue('job', n)));
  expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(15);
  expect(queue.health()).toMatchObject({ status: 'down', backup: { pending: 10, writable: false } });
  expect(queue.health().backup.oldestAt).toBeLessThanOrEqual(Date.now());
  await server.restart();
  await isUp(queue);
  expect(outages.at(-1)).toMatchObject({ phase: 'ended', backedUp: 10, unknown: 0, rejected: 15 });
  expect(queue.health().totals).toMatchObject({ accepted: 11, delivered: 11, rejected: 15 });
  expectBalance(queue);
  expect(await queue.close()).toEqual({ pending: 0 });
});

it('names no address, password, payload or id in its report', async () => {
  await using server = await RedisServer.start({ args: ['--requirepass', 'redis-password'] });
  const client = new Redis(`redis://:redis-password@127.0.0.1:${server.port}`);
  client.on('error', () => {});
  onTestFinished(() => client.disconnect());
  const queue = new ResilientQueue(NAME, { redis: client, backup: new MemoryBackupStore(), deadlineMs: 300 });
  const events: unknown[] = [];
  const names = ['health', 'breaker', 'outage', 'replay', 'error'] as const;
  for (const name of names) queue.on(name, (event: unknown) => events.push(event));
  const payload = { secret: 'payload-secret' };
  await queue.enqueue('job', payload, { id: 'id-secret', headers: { traceparent: 'header-secret' } });
  await server.kill();
  await queue.enqueue('job', payload);
  events.push(queue.health(), await queue.check());
  // It comes back with another password: that is an outage with an alarm.
  await server.restart(['--requirepass', 'another-password']);
  await waitFor(() => queue.health().redis.lastError?.kind === 'auth', {
    what: 'the password to be refused',
  });
  events.push(queue.health());
  expect(queue.health().status).toBe('degraded');
  await server.restart(['--requirepass', 'redis-password']);
  await isUp(queue);
  events.push(queue.health());
  const text = events.map((event) => JSON.stringify(event, errorsToo)).join('\n');
  for (const secret of [
    'redis-password',
    'another-password',
    '-secret',
    '127.0.0.1',
    `${server.port}`,
    'redis://',
  ]) {
    expect(text).not.toContain(secret);
  }
  expect(text).toContain('"auth"');
  expect(await queue.close()).toEqual({ pending: 0 });
});

function errorsToo(_key: string, value: unknown): unknown {
  return value instanceof Error
    ? { ...value, message: value.message, stack: value.stack?.split('\n')[0] }
    : value;
}

it('leaves nothing behind that keeps on checking', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const { queue } = open(server.port);
  await queue.check();
  expect(await queue.close()).toEqual({ pending: 0 });
  const { tookMs } = await timed(queue.check());
  expect(tookMs).toBeLessThan(100);
  await sleep(0);
});
