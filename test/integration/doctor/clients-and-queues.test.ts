import { Redis, type RedisOptions } from 'ioredis';
import { Redis as Redis5 } from 'ioredis5';
import { createClient } from 'redis';
import { createClient as createClient5 } from 'redis5';
import { describe, expect, it, onTestFinished } from 'vitest';
import { diagnose } from '../../../src/doctor/index.js';
import { MemoryBackupStore, ResilientQueue } from '../../../src/index.js';
import { ioredisStrict } from '../../support/clients.js';
import { checkOf, startRedis } from '../../support/doctor.js';
import { freePort } from '../../support/free-port.js';
import { waitFor } from '../../support/wait-for.js';

/** The verdict of each check of the client's settings that was made. */
async function settingsOf(client: object) {
  const report = await diagnose(client, { timeoutMs: 1000 });
  const made = report.checks.filter(({ group, verdict }) => group === 'client' && verdict !== 'skipped');
  return Object.fromEntries(made.map(({ id, verdict }) => [id.replace('client.', ''), verdict]));
}

async function ioredis(options: Omit<RedisOptions, 'replyMapping'> = {}) {
  const { port } = await startRedis();
  const client = new Redis({ port, ...options });
  client.on('error', () => {});
  onTestFinished(() => client.disconnect());
  await waitFor(() => client.status === 'ready', { what: 'the client to be ready' });
  return client;
}

describe('the settings of ioredis', () => {
  it('that docs/doctor.md recommends pass', async () => {
    const { port } = await startRedis();
    const { client, end } = ioredisStrict.make({ port });
    onTestFinished(end);
    await waitFor(() => (client as Redis).status === 'ready', { what: 'the client to be ready' });
    expect(new Set(Object.values(await settingsOf(client)))).toEqual(new Set(['pass']));
  });

  it('that it has by default are warned of: the promise holds with them, other calls suffer', async () => {
    expect(await settingsOf(await ioredis())).toEqual({
      'offline-queue': 'warn',
      retries: 'warn',
      resend: 'warn',
      'command-timeout': 'warn',
      'connect-timeout': 'warn',
      'socket-timeout': 'warn',
      reconnect: 'pass',
      'error-listener': 'pass',
      'key-prefix': 'pass',
    });
  });

  it('with which promises are never settled, or nothing connects again, fail', async () => {
    const client = await ioredis({
      autoResendUnfulfilledCommands: false,
      retryStrategy: null,
      keyPrefix: 'x:',
    });
    expect(await settingsOf(client)).toMatchObject({
      resend: 'fail',
      reconnect: 'fail',
      'key-prefix': 'warn',
    });
  });

  it('are read of ioredis 5, too', async () => {
    const { port } = await startRedis();
    const client = new Redis5({ port });
    onTestFinished(() => client.disconnect());
    await waitFor(() => client.status === 'ready', { what: 'the client to be ready' });
    expect(await settingsOf(client)).toMatchObject({ 'offline-queue': 'warn', 'error-listener': 'warn' });
  });
});

describe('the settings of node-redis', () => {
  it('that it has by default are warned of, and a missing error listener fails', async () => {
    const { port } = await startRedis();
    const client = createClient({ socket: { port, host: '127.0.0.1' } });
    await client.connect();
    onTestFinished(() => client.destroy());
    expect(await settingsOf(client)).toMatchObject({
      'offline-queue': 'warn',
      'command-timeout': 'warn',
      'socket-timeout': 'warn',
      'ping-interval': 'warn',
      reconnect: 'pass',
      'error-listener': 'fail',
    });
  });

  it.each([
    { major: 6, make: createClient },
    { major: 5, make: createClient5 as unknown as typeof createClient },
  ])('that docs/doctor.md recommends pass in $major', async ({ make }) => {
    const { port } = await startRedis();
    const client = make({
      ...{ disableOfflineQueue: true, pingInterval: 500, commandOptions: { timeout: 1000 } },
      socket: {
        ...{ port, host: '127.0.0.1', connectTimeout: 1000, socketTimeout: 2000 },
        reconnectStrategy: (attempt) => Math.min(50 * 2 ** attempt, 1000),
      },
    });
    client.on('error', () => {});
    await client.connect();
    onTestFinished(() => client.destroy());
    expect(new Set(Object.values(await settingsOf(client)))).toEqual(new Set(['pass']));
  });

  it('with which it closes for good fail', async () => {
    const { port } = await startRedis();
    const client = createClient({ socket: { port, host: '127.0.0.1', socketTimeout: 2000 } });
    client.on('error', () => {});
    await client.connect();
    onTestFinished(() => client.destroy());
    expect(await settingsOf(client)).toMatchObject({ reconnect: 'fail' });
  });
});

it('makes every check of the server through a client, whatever protocol that speaks', async () => {
  const { port } = await startRedis();
  const client = createClient({ socket: { port, host: '127.0.0.1' }, RESP: 3 });
  client.on('error', () => {});
  await client.connect();
  onTestFinished(() => client.destroy());
  for (const one of [client, await ioredis({ protocol: 3 }), await ioredis({ protocol: 2 })]) {
    const { coverage, reached } = await diagnose(one);
    expect(reached).toBe(true);
    expect(coverage).toMatchObject({ refused: 0, made: coverage.applicable });
  }
  expect(client.isReady).toBe(true);
});

it('says that a client has no connection, and sends nothing that would wait in it', async () => {
  const client = new Redis({ port: await freePort() });
  client.on('error', () => {});
  onTestFinished(() => client.disconnect());
  const report = await diagnose(client, { timeoutMs: 500 });
  expect(checkOf(report, 'connection.first-command')).toMatchObject({
    verdict: 'fail',
    cause: 'client-not-ready',
  });
  expect(checkOf(report, 'client.offline-queue').verdict).toBe('warn');
  expect(report.reached).toBe(false);
});

describe('our own backup', () => {
  it('is well with an idle queue, but that memory ends with the process', async () => {
    const redis = await ioredis();
    const queue = new ResilientQueue('orders', { redis, backup: new MemoryBackupStore() });
    onTestFinished(async () => void (await queue.close()));
    await queue.enqueue('job');
    const report = await diagnose(redis, { queue });
    const made = report.checks.filter(({ group }) => group === 'backup');
    expect(Object.fromEntries(made.map(({ id, verdict }) => [id, verdict]))).toEqual({
      'backup.breaker': 'pass',
      'backup.writable': 'pass',
      'backup.pending': 'pass',
      'backup.oldest': 'pass',
      'backup.parked': 'pass',
      'backup.durability': 'warn',
    });
    expect(checkOf(report, 'logs.last-error').verdict).toBe('pass');
  });

  it('is full during an outage', async () => {
    const server = await startRedis();
    const redis = new Redis({ port: server.port });
    redis.on('error', () => {});
    onTestFinished(() => redis.disconnect());
    const queue = new ResilientQueue('orders', {
      ...{ redis, backup: new MemoryBackupStore(), backupLimit: { jobs: 4 } },
    });
    queue.on('error', () => {});
    onTestFinished(async () => void (await queue.close({ timeoutMs: 100 })));
    await queue.enqueue('before');
    await server.kill();
    const examine = () => diagnose(redis, { queue, timeoutMs: 300 });
    for (let n = 0; n < 3; n++) expect((await queue.enqueue('during')).outcome).toBe('backed-up');
    await waitFor(() => queue.health().breaker === 'open', { what: 'the breaker to open' });
    const filling = await examine();
    expect(checkOf(filling, 'backup.pending')).toMatchObject({ verdict: 'warn', observed: 3 });
    expect(checkOf(filling, 'backup.breaker').verdict).toBe('fail');
    expect(checkOf(filling, 'logs.last-error').verdict).toBe('fail');

    await queue.enqueue('last');
    await expect(queue.enqueue('one too many')).rejects.toMatchObject({ code: 'BACKUP_FULL' });
    const full = await examine();
    expect(checkOf(full, 'backup.pending')).toMatchObject({ verdict: 'fail', observed: 4 });
    expect(checkOf(full, 'backup.writable').verdict).toBe('fail');
  });

  it('is held back by hand', async () => {
    const redis = await ioredis();
    const queue = new ResilientQueue('orders', { redis, backup: new MemoryBackupStore() });
    onTestFinished(async () => void (await queue.close()));
    const handle = queue.isolate();
    expect(checkOf(await diagnose(redis, { queue }), 'backup.breaker')).toMatchObject({
      verdict: 'warn',
      value: 'isolated',
    });
    handle.dispose();
  });
});
