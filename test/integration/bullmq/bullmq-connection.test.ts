import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { createPostgresBackend, Queue } from 'bullmq';
import { createNodeRedisClient, Queue as Queue5 } from 'bullmq5';
import { Cluster, Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis5';
import { createClient } from 'redis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { MemoryBackupStore, type QueueOptions, ResilientQueue } from '../../../src/index.js';
import { BullMqTransport } from '../../../src/transport/bullmq.js';
import { bullMqSite, openQueue } from '../../support/bullmq/bullmq-site.js';
import { type AnyQueue, bullMq6, bullMqKinds } from '../../support/bullmq/kinds.js';
import { FaultProxy } from '../../support/fault-proxy.js';
import { RedisServer } from '../../support/redis-server.js';
import { RespConnection } from '../../support/resp-connection.js';
import { waitFor } from '../../support/wait-for.js';

describe.each(bullMqKinds)('the connection of a queue: $name', (kind) => {
  it('takes nothing while Redis was never up, and everything once it is', async () => {
    const port = await RedisServer.reservePort();
    const { queue: bullMq, end } = kind.make('orders', port);
    onTestFinished(end);
    const { queue, isUp } = openQueue(bullMq);
    expect(queue.health().redis).toMatchObject({ reachable: false, writable: false });
    const first = await queue.enqueue('job', 1);
    expect(first.outcome).toBe('backed-up');
    expect(queue.health()).toMatchObject({ status: 'degraded', breaker: 'open' });
    const server = await RedisServer.start({ port });
    onTestFinished(() => server.stop());
    await isUp();
    // Had BullMQ been given it, it would have been there already.
    expect(queue.health().totals).toMatchObject({ accepted: 1, delivered: 1, recognised: 0 });
    expect(await server.command('LRANGE', 'bull:orders:wait', '0', '-1')).toEqual([first.id]);
  });

  it('tells of a password that was wrong from the start, and is used once it is right', async () => {
    const server = await RedisServer.start({ appendOnly: 'no' });
    onTestFinished(() => server.stop());
    const admin = new RespConnection({ port: server.port });
    onTestFinished(() => admin.close());
    await admin.send('CONFIG', 'SET', 'requirepass', 'secret');
    const { queue: bullMq, end } = kind.make('orders', server.port);
    onTestFinished(end);
    const { queue, errors, isUp } = openQueue(bullMq);
    expect(await queue.enqueue('job', 1)).toMatchObject({ outcome: 'backed-up' });
    await waitFor(() => errors.some((error) => error.kind === 'auth'), { what: 'the event' });
    await admin.send('CONFIG', 'SET', 'requirepass', '');
    await isUp();
    expect(await server.command('LLEN', 'bull:orders:wait')).toBe(1);
  });

  it('carries the canary and what the service executes, and none of the keys of recognition', async () => {
    const { open, keys, bullMq } = await bullMqSite(kind);
    await bullMq.waitUntilReady();
    const { queue } = open();
    await expect
      .poll(async () => (await queue.check()).redis)
      .toMatchObject({ reachable: true, writable: true });
    const pong = await queue.execute((client: { ping(): Promise<string> }) => client.ping());
    expect(pong).toBe('PONG');
    await queue.enqueue('job', 1, { id: 'mine' });
    expect(await keys('rsq:*')).toEqual(['rsq:{orders}:canary']);
  });

  it('is looked at without traffic', async () => {
    const { open, server, bullMq } = await bullMqSite(kind);
    await bullMq.waitUntilReady();
    const { queue, isUp } = open();
    await queue.check();
    await server.kill();
    await waitFor(() => queue.health().status === 'degraded', { what: 'the outage to be seen' });
    await server.restart();
    await isUp();
    expect((await queue.enqueue('job', 1)).outcome).toBe('enqueued');
  });

  it("is the service's own: closing our queue leaves BullMQ's open", async () => {
    const { open, bullMq } = await bullMqSite(kind);
    const { queue } = open();
    await queue.enqueue('job', 1);
    await queue.close();
    await expect(bullMq.add('job' as never, {} as never)).resolves.toMatchObject({ name: 'job' });
  });

  it('that the service closed takes nothing: jobs go to the backup, and an event says so', async () => {
    const { open, bullMq, server } = await bullMqSite(kind);
    const backup = new MemoryBackupStore();
    const { queue, errors } = open({ backup });
    await queue.enqueue('job', 1);
    await bullMq.close();
    const kept = await queue.enqueue('job', 2, { id: 'kept' });
    expect(kept.outcome).toBe('backed-up');
    await waitFor(() => errors.length > 0, { what: 'the event' });
    expect(errors.map(({ kind, error }) => [kind, error.message])).toEqual([
      [
        'configuration',
        expect.stringMatching(/^The BullMQ queue was closed.+Close the ResilientQueue first/),
      ],
    ]);
    const again = kind.make('orders', server.port);
    onTestFinished(again.end);
    const { isUp, queue: next } = openQueue(again.queue, { backup });
    await waitFor(() => next.health().totals.delivered === 1, { what: 'the job to be replayed' });
    await isUp();
    expect(await server.command('EXISTS', 'bull:orders:kept')).toBe(1);
  });
});

it('of BullMQ 5 may be node-redis, through its adapter', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const client = createClient({ socket: { port: server.port } });
  client.on('error', () => {});
  onTestFinished(() => client.destroy());
  const bullMq = new Queue5('orders', { connection: createNodeRedisClient(client) });
  const { queue } = openQueue(bullMq);
  expect(await queue.enqueue('job', 1, { id: 'mine' })).toMatchObject({ outcome: 'enqueued' });
  expect(await queue.enqueue('job', 1, { id: 'mine' })).toMatchObject({ outcome: 'duplicate' });
});

it('that sends again what had no answer does not take our own job for another', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  await using proxy = await FaultProxy.start({ port: server.port });
  const connection = new Redis(proxy.port);
  connection.on('error', () => {});
  onTestFinished(() => connection.disconnect());
  const bullMq = new Queue('orders', { connection });
  bullMq.on('error', () => {});
  await bullMq.waitUntilReady();
  const { queue } = openQueue(bullMq, { deadlineMs: 10_000, attemptTimeoutMs: 9000 });
  await queue.enqueue('job', 1);
  proxy.cutReplies();
  const again = queue.enqueue('job', 2, { id: 'mine' });
  await waitFor(() => server.command('EXISTS', 'bull:orders:mine'), { what: 'the job to be laid down' });
  await waitFor(() => connection.status !== 'ready', { what: 'the connection to be lost' });
  proxy.heal();
  expect(await again).toMatchObject({ outcome: 'enqueued' });
  expect(queue.health().totals).toMatchObject({ accepted: 2, duplicates: 0, recognised: 1 });
  expect(await queue.enqueue('job', 2, { id: 'mine' })).toMatchObject({ outcome: 'duplicate' });
});

/** A client that never waits, with which BullMQ does not wait either. */
const failFast = { enableOfflineQueue: false, maxRetriesPerRequest: 0, host: '127.0.0.1' };

const broken: readonly [string, (port: number) => { readonly queue: AnyQueue; end(): void }][] = [
  [
    'BullMQ 6',
    (port) => {
      const connection = new Redis({ ...failFast, port });
      return {
        queue: new Queue('orders', { connection, skipWaitingForReady: true }),
        end: () => connection.disconnect(),
      };
    },
  ],
  [
    'BullMQ 5',
    (port) => {
      const connection = new Redis5({ ...failFast, port });
      return {
        queue: new Queue5('orders', { connection, skipWaitingForReady: true }),
        end: () => connection.disconnect(),
      };
    },
  ],
];

describe.each(broken)('a queue that %s has left broken for good', (_, make) => {
  async function setUp() {
    const port = await RedisServer.reservePort();
    const { queue: bullMq, end } = make(port);
    bullMq.on('error', () => {});
    onTestFinished(end);
    return { port, bullMq };
  }

  it('is found out: an event says what and why, and jobs wait in the backup', async () => {
    const { port, bullMq } = await setUp();
    const { queue, errors } = openQueue(bullMq);
    const server = await RedisServer.start({ port });
    onTestFinished(() => server.stop());
    await sleep(1500);
    // The client is well by now, and BullMQ is not.
    await expect(bullMq.add('job' as never, {} as never)).rejects.toThrow();
    expect(await queue.enqueue('job', 1)).toMatchObject({ outcome: 'backed-up' });
    expect(queue.health().status).toBe('degraded');
    const told = errors.filter(({ kind }) => kind === 'configuration').map(({ error }) => error.message);
    expect(told).toEqual([
      expect.stringMatching(/given this queue's connection up for good \(.+\)\. .*Make a new Queue/),
    ]);
    expect(told.join()).not.toMatch(new RegExp(`${port}|127\\.0\\.0\\.1`));
  });

  it('is told of also by a queue that is made later', async () => {
    const { bullMq } = await setUp();
    const transport = new BullMqTransport(bullMq);
    await sleep(200);
    const queue = new ResilientQueue('orders', { transport, backup: new MemoryBackupStore() });
    onTestFinished(async () => void (await queue.close({ timeoutMs: 100 })));
    const kinds: string[] = [];
    queue.on('error', ({ kind }) => kinds.push(kind));
    await waitFor(() => kinds.includes('configuration'), { what: 'the event' });
  });
});

describe('what is no queue to lay jobs down in', () => {
  const errorOf = (queue: unknown, options?: unknown) => {
    try {
      new BullMqTransport(queue as AnyQueue, options as never);
    } catch (error) {
      return error as Error;
    }
    throw new Error('It was taken.');
  };
  const likeAQueue = (more: object) => ({
    ...{ name: 'orders', keys: {}, client: Promise.resolve({}), toKey() {}, add() {} },
    ...{ removeDeduplicationKey() {}, ...more },
  });

  it.each<[string, unknown, RegExp]>([
    ['nothing', undefined, /needs a Queue of BullMQ/],
    ['a client', new Redis({ lazyConnect: true }), /needs a Queue of BullMQ/],
    [
      'a BullMQ without deduplication',
      { ...likeAQueue({}), removeDeduplicationKey: undefined },
      /5\.18 or later/,
    ],
    [
      'a queue of flows',
      likeAQueue({ defaultJobOptions: { failParentOnFailure: true } }),
      /"failParentOnFailure" in the queue's defaultJobOptions/,
    ],
    [
      'a deduplication of its own',
      likeAQueue({ defaultJobOptions: { deduplication: { id: 'x' } } }),
      /"deduplication" in the queue's/,
    ],
    [
      'a Cluster',
      likeAQueue({ opts: { connection: new Cluster([{ port: 1 }], { lazyConnect: true }) } }),
      /Redis Cluster/,
    ],
    [
      'a client that BullMQ 5 waits for in vain',
      likeAQueue({ opts: { connection: createClient() } }),
      /createNodeRedisClient/,
    ],
  ])('is refused, saying what to do: %s', (_, queue, message) => {
    const error = errorOf(queue);
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toMatch(message);
  });

  it.each<[object, typeof TypeError | typeof RangeError]>([
    [{ priority: 1.5 }, RangeError],
    [{ attempts: Number.POSITIVE_INFINITY }, RangeError],
    [{ keepLogs: Number.NaN }, RangeError],
    [{ backoff: { type: 'fixed', jitter: 2 } }, TypeError],
    [{ removeOnFail: { age: Number.NaN } }, TypeError],
    [{ delay: Number.POSITIVE_INFINITY }, RangeError],
  ])('is refused for its defaultJobOptions, naming the one: %o', (defaultJobOptions, kind) => {
    const error = errorOf(likeAQueue({ defaultJobOptions }));
    expect(error).toBeInstanceOf(kind);
    expect(error.message).toMatch(
      new RegExp(`^Option "${Object.keys(defaultJobOptions)[0]}" in the defaultJobOptions .+, got `),
    );
  });

  it('is refused on Postgres', async () => {
    // A pool of its user's: BullMQ has no other way to it without the package pg.
    const connection = Object.assign(new EventEmitter(), {
      options: { user: 'app', password: 'secret' },
      query: () => Promise.reject(new Error('away')),
      connect: () => Promise.reject(new Error('away')),
      end: () => Promise.resolve(),
    });
    const queue = new Queue('orders', { connection }, createPostgresBackend as never);
    queue.on('error', () => {});
    const error = errorOf(queue);
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toMatch(/on Redis.+createPostgresBackend/);
    expect(error.message).not.toContain('secret');
    await queue.close().catch(() => {});
  });

  it.each<[string, unknown, typeof TypeError | typeof RangeError, RegExp]>([
    ['another name', { ttl: 1 }, TypeError, /Unknown option "ttl"/],
    ['less than 2 hours', { deduplicationMs: 7_199_999 }, RangeError, /"deduplicationMs".+7200000/],
    ['more than a year', { deduplicationMs: 366 * 86_400_000 }, RangeError, /got 31622400000/],
    ['a fraction', { deduplicationMs: 86_400_000.5 }, RangeError, /whole number/],
    ['text', { deduplicationMs: '1 day' }, TypeError, /got a string/],
  ])('nor is an option taken: %s', (_, options, kind, message) => {
    const error = errorOf(likeAQueue({}), options);
    expect(error).toBeInstanceOf(kind);
    expect(error.message).toMatch(message);
  });
});

describe('options of the queue that a BullMQ queue cannot honour', () => {
  it.each<[string, object, RegExp]>([
    [
      'a client beside its own',
      { redis: new Redis({ lazyConnect: true }) },
      /"redis" must be left out.+"bullmq"/,
    ],
    ['an order', { ordering: 'queue' }, /"ordering".+"bullmq"/],
    ['a loss window', { lossWindow: {} }, /"lossWindow".+"bullmq"/],
    ['another recognition', { recognition: { callerMs: 1000 } }, /"recognition".+"bullmq"/],
  ])('throw by name: %s', async (_, options, message) => {
    const { bullMq } = await bullMqSite(bullMq6);
    const transport = new BullMqTransport(bullMq);
    const given = { transport, backup: new MemoryBackupStore(), ...options } as unknown as QueueOptions;
    expect(() => new ResilientQueue('orders', given)).toThrow(message);
  });
});
