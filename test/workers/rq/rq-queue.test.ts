import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, Redis } from 'ioredis';
import { createClient } from 'redis';
import { createClient as createClient5 } from 'redis5';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  type DroppedEvent,
  type EnqueueOptions,
  MemoryBackupStore,
  type QueueOptions,
  type RedisDataLossEvent,
  ResilientQueue,
} from '../../../src/index.js';
import { RqTransport } from '../../../src/transport/rq.js';
import { RedisServer } from '../../support/redis-server.js';
import { RqSite } from '../../support/rq/rq-site.js';
import { waitFor } from '../../support/wait-for.js';
import { rqQueue } from './rq-queue.js';

const NAME = 'orchestrator';

describe('the same id enqueued twice', () => {
  it('runs once, also after the job has finished and its result has expired', async () => {
    const { queue, site, server } = await rqQueue(NAME);
    const options = { id: 'task-1', transport: { resultTtlSeconds: 1 } };
    const outcome = async () => (await queue.enqueue('jobs.note', [], options)).outcome;
    expect(await outcome()).toBe('enqueued');
    expect(await outcome()).toBe('duplicate');
    await site.burst(NAME);
    expect(await outcome()).toBe('duplicate');
    await waitFor(async () => (await server.command('EXISTS', 'rq:job:task-1')) === 0, {
      what: 'the result to expire',
    });
    expect(await outcome()).toBe('duplicate');
    await site.burst(NAME);
    expect(site.ran()).toEqual(['task-1']);
  });

  it('runs once when a Python service enqueued it first, and again when that has ended', async () => {
    const { queue, site } = await rqQueue(NAME);
    const enqueue = [
      `q = Queue("${NAME}", connection=connection, serializer=serializer)`,
      'q.enqueue("jobs.note", job_id="task-1"); answer = None',
    ];
    await site.ask(...enqueue);
    expect(await queue.enqueue('jobs.note', [], { id: 'task-1' })).toEqual({
      id: 'task-1',
      outcome: 'duplicate',
    });
    const isolation = queue.isolate();
    expect(await queue.enqueue('jobs.note', [], { id: 'task-1' })).toMatchObject({ outcome: 'backed-up' });
    isolation.dispose();
    await waitFor(() => queue.health().status === 'up', { what: 'the replay' });
    expect(queue.health().totals).toMatchObject({ delivered: 1, recognised: 1, duplicates: 1 });
    await site.burst(NAME);
    expect(site.ran()).toEqual(['task-1']);
    expect(await queue.enqueue('jobs.note', [], { id: 'task-1' })).toMatchObject({ outcome: 'enqueued' });
    await site.burst(NAME);
    expect(site.ran()).toEqual(['task-1', 'task-1']);
  });
});

it('runs once when a Python service’s job of its id has expired in line', async () => {
  const { queue, site, server } = await rqQueue(NAME);
  await site.ask(
    `q = Queue("${NAME}", connection=connection, serializer=serializer)`,
    'q.enqueue("jobs.note", job_id="task-1", ttl=1); answer = None',
  );
  await waitFor(async () => (await server.command('EXISTS', 'rq:job:task-1')) === 0, {
    what: 'the job to expire',
  });
  expect(await queue.enqueue('jobs.note', [], { id: 'task-1' })).toMatchObject({ outcome: 'enqueued' });
  await site.burst(NAME);
  expect(site.ran()).toEqual(['task-1']);
});

it('runs once when a Python service enqueued its id more than once and that has run once only', async () => {
  const { queue, site, waiting, server } = await rqQueue(NAME);
  await site.ask(
    'from datetime import timedelta',
    `q = Queue("${NAME}", connection=connection, serializer=serializer)`,
    'for _ in range(3): q.enqueue("jobs.note", job_id="task-1")',
    'q.enqueue_in(timedelta(hours=1), "jobs.note", job_id="task-2")',
    'q.enqueue("jobs.note", job_id="task-2", at_front=True); answer = None',
  );
  await site.burst(NAME, { maxJobs: 2 });
  expect(site.ran()).toEqual(['task-2', 'task-1']);
  expect(await waiting()).toEqual(['task-1', 'task-1']);
  const scheduled = () => server.command('ZRANGE', `rq:scheduled:${NAME}`, '0', '-1');
  expect(await scheduled()).toEqual(['task-2']);
  for (const id of ['task-1', 'task-2']) {
    expect(await queue.enqueue('jobs.note', [], { id })).toMatchObject({ outcome: 'enqueued' });
  }
  await site.burst(NAME);
  expect(site.ran()).toEqual(['task-2', 'task-1', 'task-1', 'task-2']);
  expect(await scheduled()).toEqual([]);
});

it.each([
  { when: 'runs', call: '"jobs.hold"', runs: 1 },
  { when: 'runs again', call: '"jobs.fail_once_then_hold", retry=Retry(max=1)', runs: 2 },
])(
  'is a duplicate of a job that was canceled while it $when, until its function has returned',
  async ({ call, runs }) => {
    const { queue, site, server } = await rqQueue(NAME);
    await site.ask(
      `q = Queue("${NAME}", connection=connection, serializer=serializer)`,
      `q.enqueue(${call}, job_id="task-1"); answer = None`,
    );
    await using _worker = await site.start(NAME);
    await waitFor(() => site.ran().length === runs, { what: 'the job to run', timeoutMs: 10_000 });
    const status = await site.ask(
      'job = Job.fetch("task-1", connection=connection, serializer=serializer)',
      'job.cancel(); answer = job.get_status()',
    );
    expect(status).toBe('canceled');
    const outcome = async () => (await queue.enqueue('jobs.note', [], { id: 'task-1' })).outcome;
    expect(await outcome()).toBe('duplicate');
    await writeFile(join(site.directory, 'go'), '');
    await waitFor(async () => (await server.command('HGET', 'rq:job:task-1', 'status')) === 'finished', {
      what: 'the function to return',
      timeoutMs: 10_000,
    });
    expect(await outcome()).toBe('enqueued');
    await waitFor(() => site.ran().length === runs + 1, { what: 'the new job to run', timeoutMs: 10_000 });
  },
);

describe('a ttl', () => {
  it('that passes in the backup drops the job, and tells of it', async () => {
    const { queue, site, isUp } = await rqQueue(NAME);
    const dropped: DroppedEvent[] = [];
    queue.on('dropped', (event) => dropped.push(event));
    const isolation = queue.isolate();
    await queue.enqueue('jobs.note', [], { id: 'short', transport: { ttlSeconds: 1 } });
    await queue.enqueue('jobs.note', [], { id: 'long', transport: { ttlSeconds: 60 } });
    await sleep(1100);
    isolation.dispose();
    await isUp();
    await site.burst(NAME);
    expect(site.ran()).toEqual(['long']);
    expect(dropped).toEqual([{ queue: NAME, id: 'short', name: 'jobs.note', reason: 'expired' }]);
    expect(queue.health().totals).toMatchObject({ accepted: 2, delivered: 1, dropped: 1, pending: 0 });
  });

  it('goes on counting while the job is in the backup', async () => {
    const { queue, server, isUp } = await rqQueue(NAME);
    const isolation = queue.isolate();
    await queue.enqueue('jobs.note', [], { id: 'waits', transport: { ttlSeconds: 60 } });
    await sleep(1100);
    isolation.dispose();
    await isUp();
    expect(Number(await server.command('HGET', 'rq:job:waits', 'ttl'))).toBeLessThan(60);
    expect(Number(await server.command('PTTL', 'rq:job:waits'))).toBeLessThan(58_900);
    expect(Number(await server.command('PTTL', 'rq:job:waits'))).toBeGreaterThan(30_000);
  });

  it('is over before a later expiresAt, and after an earlier one', async () => {
    const { queue, backup } = await rqQueue(NAME);
    queue.isolate();
    const at = Date.now();
    const transport = { ttlSeconds: 60 };
    await queue.enqueue('jobs.note', [], { id: 'later', expiresAt: at + 3_600_000, transport });
    await queue.enqueue('jobs.note', [], { id: 'earlier', expiresAt: at + 5000, transport });
    const lease = await backup.lease(NAME, 10, 30_000);
    const [later, earlier] = lease?.jobs ?? [];
    expect(later?.expiresAt).toBe((later?.enqueuedAt ?? 0) + 60_000);
    expect(earlier?.expiresAt).toBe(at + 5000);
  });
});

describe('what cannot be honoured', () => {
  it.each<[string, string, unknown, EnqueueOptions<RqTransport>, string]>([
    ['an id that RQ loses', 'jobs.note', [], { id: 'a:b' }, 'ID_INVALID'],
    ['no function', 'note', [], {}, 'NAME_INVALID'],
    ['no arguments', 'jobs.note', { question: 'why' }, {}, 'PAYLOAD_INVALID'],
    ['NaN', 'jobs.note', [Number.NaN], {}, 'PAYLOAD_INVALID'],
    ['an option that is none', 'jobs.note', [], { transport: { timeoutSeconds: 0 } }, 'OPTION_UNSUPPORTED'],
    ['headers', 'jobs.note', [], { headers: { a: 'b' } }, 'OPTION_UNSUPPORTED'],
    ['an ordering key', 'jobs.note', [], { orderingKey: 'a' }, 'OPTION_UNSUPPORTED'],
  ])('is refused at once, with nothing written: %s', async (_, name, payload, options, code) => {
    const { queue, server, backup } = await rqQueue(NAME);
    await expect(queue.enqueue(name, payload, options)).rejects.toMatchObject({
      code,
      fate: 'not-delivered',
    });
    expect(await server.command('KEYS', 'rq:*')).toEqual([]);
    expect(await backup.stats(NAME)).toMatchObject({ pending: 0 });
  });
});

describe.each<[string, (port: number) => { client: QueueOptions['redis']; end(): void }]>([
  [
    'node-redis 6',
    (port) => {
      const client = createClient({ socket: { port } });
      client.on('error', () => {});
      client.connect().catch(() => {});
      return { client, end: () => client.destroy() };
    },
  ],
  [
    'node-redis 5',
    (port) => {
      const client = createClient5({ socket: { port } });
      client.on('error', () => {});
      client.connect().catch(() => {});
      return { client, end: () => client.destroy() };
    },
  ],
])('%s', (_, makeClient) => {
  it('sends compressed pickles as they are', async () => {
    await using server = await RedisServer.start({ appendOnly: 'no' });
    await using site = await RqSite.open(server, 'pickle');
    const { client, end } = makeClient(server.port);
    const transport = new RqTransport({ serializer: 'pickle', compress: true });
    const queue = new ResilientQueue(NAME, { redis: client, backup: new MemoryBackupStore(), transport });
    try {
      const args = ['ž 😀', 0.5, null, { a: [true] }];
      await queue.enqueue('jobs.echo', args, { id: 'task', transport: { meta: { a: 'ž' } } });
      await site.burst(NAME);
      const answer = await site.ask('answer = Job.fetch("task", connection=connection).return_value()');
      expect(answer).toEqual({ args, kwargs: {}, meta: { a: 'ž' } });
    } finally {
      await queue.close();
      end();
    }
  });
});

it('never uses a client with a keyPrefix that a factory makes, says why, and takes the next', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  await using site = await RqSite.open(server);
  const clients: Redis[] = [];
  let keyPrefix = 'app:';
  const queue = new ResilientQueue(NAME, {
    redis: () => {
      const client = new Redis({ port: server.port, keyPrefix });
      clients.push(client);
      return client;
    },
    backup: new MemoryBackupStore(),
    transport: new RqTransport({ serializer: 'json' }),
    deadlineMs: 200,
  });
  onTestFinished(async () => void (await queue.close()));
  const errors: string[] = [];
  queue.on('error', ({ kind, error }) => errors.push(`${kind}: ${error.message}`));
  expect(await queue.enqueue('jobs.note', [], { id: 'one' })).toMatchObject({ outcome: 'backed-up' });
  expect(errors[0]).toMatch(/^configuration: .*RqTransport cannot use a client with a keyPrefix/);
  await waitFor(() => clients[0]?.status === 'end', { what: 'the client to be ended' });
  expect(await server.command('KEYS', '*')).toEqual([]);
  keyPrefix = '';
  await waitFor(() => queue.health().status === 'up', {
    what: 'a client that can be used',
    timeoutMs: 20_000,
  });
  await site.burst(NAME);
  expect(site.ran()).toEqual(['one']);
});

it('never uses a client of a cluster that a factory makes, and says why', async () => {
  const client = new Cluster([{ host: '127.0.0.1', port: 1 }], { lazyConnect: true });
  onTestFinished(() => client.disconnect());
  const transport = new RqTransport({ serializer: 'json' });
  const redis = (() => client) as unknown as QueueOptions['redis'];
  const queue = new ResilientQueue(NAME, { redis, backup: new MemoryBackupStore(), transport });
  onTestFinished(async () => void (await queue.close({ timeoutMs: 1 })));
  const errors: string[] = [];
  queue.on('error', ({ kind, error }) => errors.push(`${kind}: ${error.message}`));
  await waitFor(() => errors.length > 0, { what: 'an error event' });
  expect(errors[0]).toMatch(/^configuration: .*RqTransport cannot use a Redis Cluster/);
});

it('lays jobs down again that Redis had acknowledged and lost', async () => {
  const { queue, server, site } = await rqQueue(NAME);
  const losses: RedisDataLossEvent[] = [];
  queue.on('redis-data-loss', (event) => losses.push(event));
  await queue.enqueueMany(
    Array.from({ length: 20 }, (_, n) => ({
      ...{ name: 'jobs.note', payload: [n] },
      options: n % 2 ? { id: `mine-${n}`, transport: { ttlSeconds: 600 } } : {},
    })),
  );
  await server.command('FLUSHALL');
  const { id } = await queue.enqueue('jobs.note', [], { id: 'after' });
  await waitFor(() => losses.length > 0, { what: 'the loss to be told' });
  expect(losses[0]).toMatchObject({ remembered: 20, redelivered: 20 });
  await site.burst(NAME);
  const ran = site.ran();
  expect(ran).toHaveLength(21);
  expect(new Set(ran).size).toBe(21);
  expect(ran).toContain(id);
});

it('keeps the order of the calls through an outage, when asked', async () => {
  const { queue, waiting, isUp } = await rqQueue(NAME, { ordering: 'queue' });
  const enqueue = (n: number) => queue.enqueue('jobs.note', [n], { id: `n-${n}` });
  await enqueue(0);
  const isolation = queue.isolate();
  await Promise.all([1, 2, 3].map(enqueue));
  isolation.dispose();
  await Promise.all([4, 5, 6].map(enqueue));
  await isUp();
  expect(await waiting()).toEqual([0, 1, 2, 3, 4, 5, 6].map((n) => `n-${n}`));
});
