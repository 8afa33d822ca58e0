import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { checkRedis, type RedisCheck } from '../../../src/health/index.js';
import {
  type ClientKind,
  ioredis5Default,
  ioredisDefault,
  ioredisStrict,
  nodeRedis5Default,
  nodeRedisDefault,
} from '../../support/clients.js';
import { RedisServer } from '../../support/redis-server.js';
import { waitFor } from '../../support/wait-for.js';

const kinds = [ioredis5Default, ioredisDefault, ioredisStrict, nodeRedis5Default, nodeRedisDefault];

const CANARY_KEY = 'rsq:canary';
const DOWN = { status: 'error', message: 'Failed to connect to Redis' };
/** As long as a busy machine may keep an answer waiting. */
const PATIENCE_MS = 20_000;
const UP = { status: 'success', message: 'Redis is up', kind: undefined };

function open(kind: ClientKind, server: RedisServer, credentials = {}) {
  const { client, end } = kind.make({ port: server.port, ...credentials });
  onTestFinished(end);
  return client;
}

async function timed(work: Promise<RedisCheck>): Promise<{ check: RedisCheck; tookMs: number }> {
  const startedAt = performance.now();
  const check = await work;
  return { check, tookMs: performance.now() - startedAt };
}

async function callsOf(server: RedisServer, command: string): Promise<number> {
  const stats = String(await server.command('INFO', 'commandstats'));
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}

const isConnected = (client: Parameters<typeof checkRedis>[0]) =>
  waitFor(async () => (await checkRedis(client)).status === 'success', {
    ...{ what: 'the client to be connected', timeoutMs: 20_000 },
  });

describe.each(kinds)('with $name', (kind) => {
  it('finds a Redis that is up, killed, and back', async () => {
    await using server = await RedisServer.start({ appendOnly: 'no' });
    const client = open(kind, server);
    // It is only just connecting.
    const first = await checkRedis(client, { write: true, timeoutMs: PATIENCE_MS });
    expect(first).toEqual({ ...UP, latencyMs: expect.any(Number), checkedAt: expect.any(Number) });
    expect(await checkRedis(client, { timeoutMs: PATIENCE_MS })).toMatchObject(UP);

    await server.kill();
    await waitFor(async () => (await checkRedis(client)).kind === 'disconnected', {
      what: 'the client to have tried in vain',
    });
    const { check, tookMs } = await timed(checkRedis(client, { timeoutMs: PATIENCE_MS }));
    expect(check).toMatchObject({ ...DOWN, kind: 'disconnected' });
    // It knows, so there is nothing to wait for.
    expect(tookMs).toBeLessThan(PATIENCE_MS / 2);

    await server.restart();
    await isConnected(client);
  });

  it('leaves nothing in an offline queue while Redis is away', async () => {
    await using server = await RedisServer.start({ appendOnly: 'no' });
    await server.kill();
    const client = open(kind, server);
    for (let n = 0; n < 5; n++) {
      expect(await checkRedis(client, { write: true, timeoutMs: 50 })).toMatchObject(DOWN);
    }
    await server.restart();
    await isConnected(client);
    expect(await callsOf(server, 'set')).toBe(0);
  });

  it('answers at the timeout when Redis hangs', async () => {
    await using server = await RedisServer.start({ appendOnly: 'no' });
    const client = open(kind, server);
    await checkRedis(client, { timeoutMs: PATIENCE_MS });
    server.pause();
    const { check, tookMs } = await timed(checkRedis(client, { timeoutMs: 300 }));
    expect(check).toMatchObject({
      ...{ status: 'error', message: 'Redis did not answer in time', kind: 'timeout' },
    });
    expect(check.latencyMs).toBeGreaterThanOrEqual(299);
    expect(tookMs).toBeLessThan(PATIENCE_MS / 2);
    server.resume();
    await isConnected(client);
  });

  it('answers at the timeout when Redis hangs before the client is connected', async () => {
    await using server = await RedisServer.start({ appendOnly: 'no' });
    server.pause();
    const { check, tookMs } = await timed(checkRedis(open(kind, server), { timeoutMs: 300, write: true }));
    expect(check).toMatchObject({ ...DOWN, kind: 'disconnected' });
    expect(tookMs).toBeLessThan(PATIENCE_MS / 2);
    server.resume();
  });

  it.each([
    {
      ...{ state: 'read-only', spoil: ['REPLICAOF', '127.0.0.1', '1'] },
      ...{ kind: 'readonly', message: 'Redis is read-only' },
    },
    {
      ...{ state: 'full', spoil: ['CONFIG', 'SET', 'maxmemory', '1'] },
      ...{ kind: 'oom', message: 'Redis is out of memory' },
    },
    {
      ...{ state: 'paused for writes', spoil: ['CLIENT', 'PAUSE', '60000', 'WRITE'] },
      ...{ kind: 'timeout', message: 'Redis did not answer in time' },
    },
    {
      ...{ state: 'closed to this user', spoil: ['ACL', 'SETUSER', 'default', '-set'] },
      ...{ kind: 'noperm', message: 'Redis does not permit the check' },
    },
  ])('says of a Redis that is $state that it answers, and takes no writes', async (fault) => {
    await using server = await RedisServer.start({ appendOnly: 'no' });
    const client = open(kind, server);
    expect(await checkRedis(client, { write: true, timeoutMs: PATIENCE_MS })).toMatchObject(UP);
    await server.command(...fault.spoil);
    expect(await checkRedis(client, { timeoutMs: PATIENCE_MS })).toMatchObject(UP);
    const check = await checkRedis(client, { write: true, timeoutMs: 300 });
    expect(check).toMatchObject({ status: 'error', message: fault.message, kind: fault.kind });
  });

  it('names a wrong password, and nothing of it', async () => {
    await using server = await RedisServer.start({ args: ['--requirepass', 'the-right-one'] });
    const client = open(kind, server, { username: 'default', password: 'the-wrong-one' });
    const check = await waitFor(
      async () => {
        const check = await checkRedis(client);
        return check.kind === 'auth' && check;
      },
      { what: 'the password to be refused' },
    );
    expect(check).toMatchObject({ status: 'error', message: 'Redis refuses the credentials' });
    const text = JSON.stringify(check);
    for (const secret of ['wrong', 'right', '127.0.0.1', String(server.port)]) {
      expect(text).not.toContain(secret);
    }
  });

  it('writes one key, which expires', async () => {
    await using server = await RedisServer.start({ appendOnly: 'no' });
    await checkRedis(open(kind, server), { write: true, timeoutMs: PATIENCE_MS });
    expect(await server.command('KEYS', '*')).toEqual([CANARY_KEY]);
    const leftMs = Number(await server.command('PTTL', CANARY_KEY));
    expect(leftMs).toBeGreaterThan(0);
    expect(leftMs).toBeLessThanOrEqual(60_000);
  });

  it('takes a thousand checks at once, with no listener for each', async () => {
    await using server = await RedisServer.start({ appendOnly: 'no' });
    const warnings: unknown[] = [];
    const warned = (warning: unknown) => warnings.push(warning);
    process.on('warning', warned);
    onTestFinished(() => void process.off('warning', warned));
    const client = open(kind, server);
    const checks = await Promise.all(
      Array.from({ length: 1000 }, () => checkRedis(client, { timeoutMs: PATIENCE_MS })),
    );
    expect(new Set(checks.map(({ status }) => status))).toEqual(new Set(['success']));
    expect(warnings).toEqual([]);
  });
});

it('has a lazy client of ioredis connect, and asks it then', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const client = new Redis({ port: server.port, lazyConnect: true });
  onTestFinished(() => client.disconnect());
  expect(await checkRedis(client, { write: true, timeoutMs: PATIENCE_MS })).toMatchObject(UP);
});

it('leaves nothing with a lazy client of ioredis that cannot connect', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  await server.kill();
  const client = new Redis({ port: server.port, lazyConnect: true });
  onTestFinished(() => client.disconnect());
  expect(await checkRedis(client, { write: true })).toMatchObject(DOWN);
  await server.restart();
  await isConnected(client);
  expect(await callsOf(server, 'set')).toBe(0);
});

it('does not connect a client of node-redis that its owner has not', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const client = createClient({ socket: { port: server.port, host: '127.0.0.1' } });
  expect(await checkRedis(client, { timeoutMs: 100 })).toMatchObject({ ...DOWN, kind: 'disconnected' });
  expect(client.isOpen).toBe(false);
});

it('says that Redis is up to a user who may not PING', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const client = open(ioredisDefault, server);
  await checkRedis(client, { timeoutMs: PATIENCE_MS });
  await server.command('ACL', 'SETUSER', 'default', '-ping');
  expect(await checkRedis(client, { timeoutMs: PATIENCE_MS })).toMatchObject(UP);
});

it('ends with the reason of its signal, and with nothing sent', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  server.pause();
  const client = open(ioredisDefault, server);
  const reason = new Error('The request was closed');
  const controller = new AbortController();
  const checking = checkRedis(client, { signal: controller.signal, timeoutMs: 60_000, write: true });
  controller.abort(reason);
  await expect(checking).rejects.toBe(reason);
  await expect(checkRedis(client, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  server.resume();
  await isConnected(client);
  expect(await callsOf(server, 'set')).toBe(0);
});
