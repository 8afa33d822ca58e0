import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { createHealth, type Health, type HealthProbe, type NodeHandler } from '../../../src/health/index.js';
import { MemoryBackupStore, type QueueOptions, type QueuePhase, ResilientQueue } from '../../../src/index.js';
import { RedisServer } from '../../support/redis-server.js';
import { waitFor } from '../../support/wait-for.js';

/** For what is not about time: as long as a busy machine may keep an answer waiting. */
const patient = { timeoutMs: 20_000, cacheMs: 0 };

function open(port: number, options: Partial<QueueOptions> = {}, name = 'orchestrator') {
  const redis = new Redis({ port, ...(name === 'secret' && { password: 'redis-password' }) });
  redis.on('error', () => {});
  onTestFinished(() => redis.disconnect());
  const queue = new ResilientQueue(name, {
    redis,
    backup: new MemoryBackupStore(),
    ...{ deadlineMs: 1000, attemptTimeoutMs: 1000 },
    ...options,
  });
  queue.on('error', () => {});
  onTestFinished(async () => void (await queue.close({ timeoutMs: 100 })));
  return queue;
}

/** Waits until a probe is answered so. */
function becomes(health: Health, probe: HealthProbe, status: string) {
  return waitFor(
    async () => {
      const result = await health.check(probe);
      return result.status === status && result;
    },
    { what: `${probe} to be ${status}`, timeoutMs: 20_000 },
  );
}

async function canariesOf(server: RedisServer): Promise<number> {
  const stats = String(await server.command('INFO', 'commandstats'));
  return Number(/cmdstat_set:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

async function statuses(health: Health) {
  const of = async (probe: HealthProbe) => (await health.respond(probe)).status;
  return {
    liveness: await of('liveness'),
    readiness: await of('readiness'),
    startup: await of('startup'),
    redis: await of('redis'),
    simple: (await health.respond('redis', { format: 'simple' })).status,
  };
}

it('passes while Redis is up, warns while the backup takes jobs, fails when that is full, and passes again', async () => {
  await using server = await RedisServer.start();
  const queue = open(server.port, { backupLimit: { jobs: 10 } });
  const health = createHealth(queue, patient);
  await queue.enqueue('job');
  expect(await becomes(health, 'readiness', 'pass')).toEqual({
    ...{ probe: 'readiness', status: 'pass', message: 'Jobs go to Redis' },
    ...{ checkedAt: expect.any(Number), ageMs: expect.any(Number) },
    queues: [
      {
        ...{ queue: 'orchestrator', status: 'pass', state: 'up', redis: { reachable: true, writable: true } },
        backup: { pending: 0, capacity: 10, jobsLeft: 10, secondsUntilFull: undefined },
      },
    ],
  });
  const well = { liveness: 200, readiness: 200, startup: 200, redis: 200, simple: 200 };
  expect(await statuses(health)).toEqual(well);

  await server.kill();
  await Promise.all(Array.from({ length: 4 }, () => queue.enqueue('job')));
  expect(await becomes(health, 'readiness', 'warn')).toMatchObject({
    message: 'Jobs wait in the backup until Redis takes them',
    queues: [
      {
        state: 'degraded',
        redis: { reachable: false, writable: false },
        backup: { pending: 4, jobsLeft: 6 },
      },
    ],
  });
  expect(await statuses(health)).toEqual({ ...well, redis: 503, simple: 500 });

  await Promise.all(Array.from({ length: 6 }, () => queue.enqueue('job')));
  expect(await becomes(health, 'readiness', 'fail')).toMatchObject({
    message: 'Neither Redis nor the backup takes jobs',
    queues: [{ state: 'down', backup: { pending: 10, jobsLeft: 0 } }],
  });
  // It has started before, and a restart would lose the backlog.
  expect(await statuses(health)).toEqual({ ...well, readiness: 503, redis: 503, simple: 500 });
  expect((await health.respond('readiness')).headers).toMatchObject({ 'retry-after': '5' });

  await server.restart();
  await becomes(health, 'readiness', 'pass');
  expect(await statuses(health)).toEqual(well);
});

it('warns of a queue that is isolated by hand, whose Redis is well', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const queue = open(server.port);
  const health = createHealth(queue, patient);
  await queue.enqueue('job');
  const isolation = queue.isolate();
  expect(await health.check('readiness')).toMatchObject({ status: 'warn', queues: [{ state: 'degraded' }] });
  expect(await health.check('redis')).toMatchObject({ status: 'pass' });
  isolation.dispose();
  expect(await becomes(health, 'readiness', 'pass')).toMatchObject({ queues: [{ state: 'up' }] });
});

it('warns while the backlog is being replayed', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const queue = open(server.port, { replay: { auto: false } });
  const health = createHealth(queue, patient);
  const isolation = queue.isolate();
  await queue.enqueue('job');
  isolation.dispose();
  expect(await becomes(health, 'redis', 'pass')).toBeDefined();
  expect(await health.check('readiness')).toMatchObject({
    ...{ status: 'warn', message: 'Redis is back, and the backlog is being replayed' },
    queues: [{ state: 'recovering', backup: { pending: 1 } }],
  });
  await queue.replay();
  expect(await health.check('readiness')).toMatchObject({ status: 'pass' });
});

it.each([
  { state: 'is read-only', spoil: ['REPLICAOF', '127.0.0.1', '1'] },
  { state: 'is full', spoil: ['CONFIG', 'SET', 'maxmemory', '1'] },
  { state: 'pauses writes', spoil: ['CLIENT', 'PAUSE', '60000', 'WRITE'] },
])('finds out that Redis $state, although it would answer a PING', async ({ spoil }) => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const queue = open(server.port);
  const health = createHealth(queue, patient);
  await queue.enqueue('job');
  await becomes(health, 'redis', 'pass');
  await server.command(...spoil);
  expect(await server.command('PING')).toBe('PONG');
  expect((await health.check('redis')).status).toBe('fail');
  expect((await becomes(health, 'readiness', 'warn')).queues).toMatchObject([{ state: 'degraded' }]);
});

it('finds a Redis that refuses the password', async () => {
  await using server = await RedisServer.start({ args: ['--requirepass', 'another-password'] });
  const health = createHealth(open(server.port, {}, 'secret'), patient);
  expect(await health.check('redis')).toMatchObject({ status: 'fail' });
  expect((await becomes(health, 'readiness', 'warn')).queues).toMatchObject([{ state: 'degraded' }]);
});

it('answers at the timeout while Redis hangs, and liveness at once', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const queue = open(server.port, { deadlineMs: 20_000, attemptTimeoutMs: 20_000, lossWindow: false });
  const health = createHealth(queue, { timeoutMs: 300, cacheMs: 0 });
  await queue.enqueue('job');
  server.pause();
  const startedAt = performance.now();
  const checking = health.check('redis');
  const first = await Promise.race([checking, health.check('liveness')]);
  expect(first).toMatchObject({ probe: 'liveness', status: 'pass', queues: [] });
  expect(await checking).toMatchObject({ status: 'fail', message: 'Failed to connect to Redis' });
  const tookMs = performance.now() - startedAt;
  expect(tookMs).toBeGreaterThan(290);
  // Not by the canary's end.
  expect(tookMs).toBeLessThan(10_000);
  server.resume();
  await becomes(health, 'redis', 'pass');
});

it('has a thousand probes at once share one canary, and those that follow, its answer', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const queue = open(server.port);
  const health = createHealth(queue, { ...patient, cacheMs: 60_000 });
  await queue.enqueue('job');
  const before = await canariesOf(server);
  const probes: HealthProbe[] = ['redis', 'readiness', 'startup', 'liveness'];
  const results = await Promise.all(
    Array.from({ length: 1000 }, (_, n) => health.check(probes[n % probes.length] as HealthProbe)),
  );
  expect(new Set(results.map(({ status }) => status))).toEqual(new Set(['pass']));
  expect(await canariesOf(server)).toBe(before + 1);

  const later = await waitFor(
    async () => {
      const result = await health.check('redis');
      return result.ageMs >= 20 && result;
    },
    { what: 'an answer to be 20 ms old' },
  );
  expect(later.checkedAt).toBe(results[0]?.checkedAt);
  expect(await canariesOf(server)).toBe(before + 1);
});

it('has a thousand probes answered in time while Redis hangs', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const queue = open(server.port, { deadlineMs: 20_000, attemptTimeoutMs: 20_000 });
  const health = createHealth(queue, { timeoutMs: 300 });
  await queue.enqueue('job');
  server.pause();
  const startedAt = performance.now();
  const results = await Promise.all(Array.from({ length: 1000 }, () => health.check('redis')));
  expect(performance.now() - startedAt).toBeLessThan(10_000);
  expect(new Set(results.map(({ status }) => status))).toEqual(new Set(['fail']));
  server.resume();
});

it('is as well as the worst of several queues', async () => {
  await using well = await RedisServer.start({ appendOnly: 'no' });
  await using ill = await RedisServer.start({ appendOnly: 'no' });
  const queues = [open(well.port, {}, 'first'), open(ill.port, {}, 'second')];
  const health = createHealth(queues, patient);
  await becomes(health, 'readiness', 'pass');
  await ill.kill();
  expect((await becomes(health, 'readiness', 'warn')).queues).toMatchObject([
    { queue: 'first', status: 'pass' },
    { queue: 'second', status: 'warn' },
  ]);
  expect(await health.check('redis')).toMatchObject({
    status: 'fail',
    queues: [
      { queue: 'first', status: 'pass', redis: { writable: true } },
      { queue: 'second', status: 'fail', redis: { writable: false } },
    ],
  });
});

it('has nothing internal in any answer, and the kind of failure only with details', async () => {
  await using server = await RedisServer.start({ args: ['--requirepass', 'redis-password'] });
  const queue = open(server.port, {}, 'secret');
  const payload = { question: 'payload-secret' };
  await queue.enqueue('job-secret', payload, { id: 'id-secret', headers: { a: 'header-secret' } });
  await server.restart(['--requirepass', 'another-password']);
  await queue.enqueue('job-secret', payload);
  await waitFor(() => queue.health().redis.lastError?.kind === 'auth', {
    what: 'the password to be refused',
  });

  const bodies = async (health: Health) => {
    const texts: string[] = [];
    for (const probe of ['liveness', 'readiness', 'startup', 'redis'] as const) {
      texts.push(
        JSON.stringify(await health.check(probe)),
        JSON.stringify(await health.nestIndicator(probe)()),
      );
      for (const format of ['health+json', 'simple'] as const) {
        texts.push(JSON.stringify(await health.respond(probe, { format })));
      }
    }
    return texts.join('\n');
  };
  const secrets = [
    'redis-password',
    'another-password',
    '-secret',
    '127.0.0.1',
    `${server.port}`,
    'redis://',
  ];
  const usual = await bodies(createHealth(queue));
  for (const secret of [...secrets, 'auth', 'WRONGPASS', 'lastError', 'totals', 'breaker']) {
    expect(usual).not.toContain(secret);
  }
  const detailed = await bodies(createHealth(queue, { details: true }));
  for (const secret of secrets) expect(detailed).not.toContain(secret);
  expect(detailed).toContain('"lastError":{"kind":"');
});

it('answers over HTTP through node:http, a HEAD without a body', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const queue = open(server.port);
  await queue.check();
  const health = createHealth(queue, patient);
  const handlers: Record<string, NodeHandler> = {
    '/ready': health.nodeHandler('readiness'),
    '/health/redis': health.nodeHandler('redis', { format: 'simple' }),
  };
  const http = createServer((request, response) => void handlers[request.url ?? '']?.(request, response));
  http.listen(0, '127.0.0.1');
  onTestFinished(() => void http.close());
  await once(http, 'listening');
  const ask = async (path: string, method = 'GET') => {
    const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}${path}`;
    const response = await fetch(url, { method, headers: { connection: 'close' } });
    return { status: response.status, headers: response.headers, body: await response.text() };
  };

  const ready = await ask('/ready');
  expect(ready.status).toBe(200);
  expect(ready.headers.get('content-type')).toBe('application/health+json');
  expect(ready.headers.get('cache-control')).toBe('no-store');
  expect(ready.headers.get('retry-after')).toBeNull();
  expect(JSON.parse(ready.body)).toMatchObject({ status: 'pass' });
  expect(await ask('/ready', 'HEAD')).toMatchObject({ status: 200, body: '' });

  await server.kill();
  await becomes(health, 'redis', 'fail');
  const failed = await ask('/health/redis');
  expect(failed.status).toBe(500);
  expect(failed.headers.get('content-type')).toBe('application/json');
  expect(failed.headers.get('retry-after')).toBe('5');
  expect(failed.body).toBe('{"status":"error","message":"Failed to connect to Redis"}');
  const head = await ask('/health/redis', 'HEAD');
  expect(head).toMatchObject({ status: 500, body: '' });
  expect(head.headers.get('retry-after')).toBe('5');
});

it('fails from the call of close() on, although Redis is well, and sounds no alarm', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const queue = open(server.port);
  const health = createHealth(queue, { cacheMs: 0 });
  const events: string[] = [];
  queue.on('health', ({ status }) => events.push(status));
  await queue.enqueue('job');
  expect(await health.check('startup')).toMatchObject({ status: 'pass' });
  expect(queue.health()).toMatchObject({ status: 'up', phase: 'open' });

  const expectClosed = async (phase: QueuePhase) => {
    expect(queue.health()).toMatchObject({ status: 'down', phase, breaker: 'closed' });
    expect(await health.check('readiness')).toMatchObject({
      ...{ status: 'fail', message: 'A queue is closed' },
      queues: [{ state: 'down', redis: { reachable: false, writable: false }, backup: { jobsLeft: 0 } }],
    });
    const failing = { readiness: 503, redis: 503, simple: 500 };
    expect(await statuses(health)).toEqual({ liveness: 200, startup: 200, ...failing });
    expect(await createHealth(queue).check('startup')).toMatchObject({ status: 'fail' });
  };
  const accepted = Array.from({ length: 1000 }, () => queue.enqueue('job'));
  const closing = queue.close();
  await expectClosed('closing');
  await Promise.all([closing, ...accepted]);
  await expectClosed('closed');
  expect(events).toEqual([]);
});

it('stays closed, without an event, while its backlog is replayed', async () => {
  await using server = await RedisServer.start();
  const queue = open(server.port);
  await queue.check();
  const isolation = queue.isolate();
  await Promise.all(Array.from({ length: 1000 }, () => queue.enqueue('job')));
  isolation.dispose();
  expect(queue.health().status).toBe('recovering');
  const events: string[] = [];
  queue.on('health', ({ status }) => events.push(status));
  expect(await queue.close()).toEqual({ pending: 0 });
  expect(queue.health()).toMatchObject({ status: 'down', phase: 'closed', totals: { delivered: 1000 } });
  expect(events).toEqual([]);
});
