import { setTimeout as sleep } from 'node:timers/promises';
import { type JobsOptions, Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type FromBullMqOptions, fromBullMq } from '../../../src/bullmq/index.js';
import { EnqueueManyError, MemoryBackupStore } from '../../../src/index.js';
import { BullMqTransport } from '../../../src/transport/bullmq.js';
import { bullMqSite } from '../../support/bullmq/bullmq-site.js';
import { bullMq5, bullMq6, bullMqKinds } from '../../support/bullmq/kinds.js';
import { freePort } from '../../support/free-port.js';
import { RedisServer } from '../../support/redis-server.js';
import { waitFor } from '../../support/wait-for.js';

describe.each(bullMqKinds)('a service that adds jobs to BullMQ, moved: $name', (kind) => {
  async function setUp(options: Partial<FromBullMqOptions> = {}) {
    const site = await bullMqSite(kind);
    // Of both majors, what the examples use has the same types.
    const queue = site.bullMq as unknown as Queue;
    const paint = fromBullMq(queue, { backup: new MemoryBackupStore(), ...options });
    onTestFinished(async () => void (await paint.resilientQueue.close({ timeoutMs: 100 })));
    return { ...site, paint };
  }

  it("runs what BullMQ's own examples of a producer add", async () => {
    const { paint, work, ran, hasRun } = await setUp();
    const startedAt = Date.now();
    // As the guide has it, topic by topic: https://docs.bullmq.io
    await paint.add('cars', { color: 'blue' });
    await paint.add('cars', { color: 'red' }, { removeOnComplete: true, removeOnFail: 1000 });
    await paint.add('house', { color: 'white' }, { delay: 1000 });
    await paint.add('wall', { color: 'pink' }, { priority: 10 });
    await paint.add('wall', { color: 'green' }, { lifo: true });
    await paint.add('wall', { color: 'yellow' }, { jobId: 'my-job-id' });
    await paint.add('wall', { color: 'again' }, { jobId: 'my-job-id' });
    await paint.add('retry', { qux: 'baz' }, { attempts: 3, backoff: { type: 'exponential', delay: 1000 } });
    const jobs = await paint.addBulk([
      { name: 'job-in-bulk', data: { paint: 'car' } },
      { name: 'job-in-bulk', data: { paint: 'house' }, opts: { priority: 5 } },
      { name: 'job-in-bulk', data: { paint: 'boat' }, opts: { keepLogs: 10 } },
    ]);
    expect(jobs.map(({ name, data }) => [name, data.paint])).toEqual([
      ...[
        ['job-in-bulk', 'car'],
        ['job-in-bulk', 'house'],
        ['job-in-bulk', 'boat'],
      ],
    ]);
    await work();
    await hasRun(10);
    expect(ran.map(({ data }) => Object.values(data as object)[0])).toEqual([
      ...['green', 'blue', 'red', 'yellow', 'baz', 'car', 'boat', 'house', 'pink', 'white'],
    ]);
    expect(Date.now() - startedAt).toBeGreaterThanOrEqual(1000);
    expect(ran.find(({ name }) => name === 'retry')?.opts).toMatchObject({
      ...{ attempts: 3, backoff: { type: 'exponential', delay: 1000 } },
    });
    expect(ran.find(({ id }) => id === 'my-job-id')?.data).toEqual({ color: 'yellow' });
  });

  it('is answered with the job, and with what it survives', async () => {
    const { paint, work, ran, hasRun } = await setUp();
    const data = { color: 'blue' };
    const opts = { jobId: 'mine', attempts: 2 };
    const receipt = { id: 'mine', outcome: 'enqueued', durability: 'acked' };
    expect(await paint.add('cars', data, opts)).toEqual({ id: 'mine', name: 'cars', data, opts, receipt });
    expect((await paint.add('cars', data, opts)).receipt).toEqual({ id: 'mine', outcome: 'duplicate' });
    const plain = await paint.add('cars', undefined);
    expect(plain).toMatchObject({ name: 'cars', opts: {} });
    await work();
    await hasRun(2);
    // What BullMQ makes of nothing.
    expect(ran[1]).toMatchObject({ id: plain.id, data: {} });
    expect(await paint.bullMqQueue.getJob('mine')).toMatchObject({ id: 'mine', name: 'cars', data });
  });

  it('adds through an outage, and a delay counts from when it was added', async () => {
    const { paint, work, ran, hasRun } = await setUp();
    const isolation = paint.resilientQueue.isolate();
    const addedAt = Date.now();
    const job = await paint.add('cars', { color: 'blue' }, { delay: 2000 });
    const bulk = await paint.addBulk([{ name: 'cars', data: { color: 'red' }, opts: { jobId: 'red' } }]);
    expect([job, ...bulk].map(({ receipt }) => receipt.outcome)).toEqual(['backed-up', 'backed-up']);
    await sleep(1000);
    isolation.dispose();
    await work();
    await hasRun(2);
    expect(ran.map(({ data }) => data)).toEqual([{ color: 'red' }, { color: 'blue' }]);
    expect(Date.now() - addedAt).toBeGreaterThanOrEqual(2000);
    expect(Date.now() - addedAt).toBeLessThan(2900);
    expect(paint.resilientQueue.health().totals).toMatchObject({ accepted: 2, delivered: 2 });
  });

  it('has no delay where it asks for none, whatever the queue gives to all jobs', async () => {
    const { bullMq, server } = await bullMqSite(kind, { defaultJobOptions: { delay: 3_600_000 } });
    const paint = fromBullMq(bullMq as unknown as Queue, { backup: new MemoryBackupStore() });
    onTestFinished(async () => void (await paint.resilientQueue.close({ timeoutMs: 100 })));
    const { id } = await paint.add('now', {}, { delay: 0 });
    await paint.add('in an hour', {});
    expect(await server.command('LRANGE', 'bull:orders:wait', '0', '-1')).toEqual([id]);
  });

  it('closes the BullMQ queue with its own, in this order', async () => {
    const { paint, bullMq } = await setUp();
    await bullMq.waitUntilReady();
    const isolation = paint.resilientQueue.isolate();
    await paint.add('cars', { color: 'blue' }, { jobId: 'last' });
    isolation.dispose();
    expect(await paint.close()).toEqual({ pending: 0 });
    expect((bullMq as unknown as { closing: unknown }).closing).toBeInstanceOf(Promise);
    await expect(paint.add('cars', { color: 'red' })).rejects.toMatchObject({ code: 'QUEUE_CLOSED' });
  });

  it('closes also if Redis was never there', async () => {
    const { queue: bullMq, end } = kind.make('orders', await freePort());
    onTestFinished(end);
    const paint = fromBullMq(bullMq as unknown as Queue, { backup: new MemoryBackupStore() });
    expect((await paint.add('cars', {})).receipt.outcome).toBe('backed-up');
    expect(await paint.close()).toEqual({ pending: 1 });
  });
});

it('leaves no listener of its own on a client that it shared, once it is closed', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const connection = new Redis(server.port, { maxRetriesPerRequest: null });
  onTestFinished(() => connection.disconnect());
  const events = ['ready', 'close', 'error'];
  const listeners = () => events.map((event) => connection.listenerCount(event));
  const before = listeners();
  const paint = fromBullMq(new Queue('orders', { connection }), { backup: new MemoryBackupStore() });
  await paint.add('cars', { color: 'blue' });
  expect(listeners()).not.toEqual(before);
  await paint.close();
  expect(listeners()).toEqual(before);
  await expect(connection.ping()).resolves.toBe('PONG');
});

it.each([bullMq6, bullMq5])('closes also while Redis hangs: $name', async (kind) => {
  const server = await RedisServer.start({ appendOnly: 'no' });
  onTestFinished(() => server.stop());
  const { queue: bullMq } = kind.make('orders', server.port);
  const paint = fromBullMq(bullMq as unknown as Queue, { backup: new MemoryBackupStore() });
  await paint.add('cars', { color: 'blue' });
  const client = await paint.resilientQueue.execute(async (client: { readonly status: string }) => client);
  server.pause();
  await paint.add('cars', { color: 'red' });
  const startedAt = performance.now();
  expect(await paint.close()).toEqual({ pending: 1 });
  expect(performance.now() - startedAt).toBeLessThan(5000);
  // Nothing is left that would keep the process alive.
  await expect.poll(() => client.status, { timeout: 5000 }).toBe('end');
});

describe('what a moved service asks for and cannot have', () => {
  async function setUp() {
    const site = await bullMqSite(bullMq6);
    const paint = fromBullMq(site.bullMq as unknown as Queue, { backup: new MemoryBackupStore() });
    onTestFinished(async () => void (await paint.resilientQueue.close({ timeoutMs: 100 })));
    return { ...site, paint };
  }

  it.each<[JobsOptions | Record<string, unknown>, string, RegExp]>([
    [{ deduplication: { id: 'x' } }, 'OPTION_UNSUPPORTED', /"deduplication"/],
    [{ parent: { id: '1', queue: 'bull:q' } }, 'OPTION_UNSUPPORTED', /"parent"/],
    [{ failParentOnFailure: true }, 'OPTION_UNSUPPORTED', /"failParentOnFailure"/],
    [{ repeat: { pattern: '* * * * *' } }, 'OPTION_UNSUPPORTED', /"repeat".+upsertJobScheduler/],
    [{ debounce: { id: 'x' } }, 'OPTION_UNSUPPORTED', /"debounce"/],
    [{ delay: -1 }, 'OPTION_UNSUPPORTED', /"delay" must be/],
    [{ delay: Number.NaN }, 'OPTION_UNSUPPORTED', /"delay" must be/],
    [{ delay: '5' }, 'OPTION_UNSUPPORTED', /"delay" must be/],
    [{ jobId: '17' }, 'ID_INVALID', /whole number/],
    [{ jobId: 17 }, 'ID_INVALID', /number/],
  ])('is refused by name: %j', async (opts, code, message) => {
    const { paint, server } = await setUp();
    const refusal = expect.objectContaining({ code, message: expect.stringMatching(message) });
    await expect(paint.add('cars', {}, opts as JobsOptions)).rejects.toEqual(refusal);
    const bulk = [
      { name: 'cars', data: {} },
      { name: 'cars', data: {}, opts: opts as JobsOptions },
    ];
    // All are checked before any is sent.
    await expect(paint.addBulk(bulk)).rejects.toEqual(refusal);
    expect(await server.command('EXISTS', 'bull:orders:wait')).toBe(0);
  });

  it('a bulk that is no list rejects, and so does one of which a part is not taken', async () => {
    const { paint, server } = await setUp();
    await expect(paint.addBulk({ name: 'cars' } as never)).rejects.toMatchObject({
      code: 'OPTION_UNSUPPORTED',
    });
    await expect(paint.addBulk([null] as never)).rejects.toMatchObject({ code: 'OPTION_UNSUPPORTED' });
    await server.command('SET', 'bull:orders:prioritized', 'no sorted set');
    const part = [
      { name: 'cars', data: 1 },
      { name: 'cars', data: 2, opts: { priority: 1 } },
    ];
    await expect(paint.addBulk(part)).rejects.toBeInstanceOf(EnqueueManyError);
  });

  it('at its making, throws', async () => {
    const { bullMq } = await bullMqSite(bullMq6);
    expect(() => fromBullMq(undefined as never, { backup: new MemoryBackupStore() })).toThrow(TypeError);
    expect(() => fromBullMq(bullMq, undefined as never)).toThrow(/"backup"/);
    expect(() => fromBullMq(bullMq, { backup: new MemoryBackupStore(), deduplicationMs: 1 })).toThrow(
      RangeError,
    );
    expect(() => fromBullMq(bullMq, { backup: new MemoryBackupStore(), ttl: 1 } as never)).toThrow(/"ttl"/);
  });

  it.each(bullMqKinds)('and leaves no listener on the queue nor on its client: $name', async (kind) => {
    const { bullMq, server } = await bullMqSite(kind);
    const backup = new MemoryBackupStore();
    const emitter = (of: unknown) => of as { listenerCount(event: string): number };
    const before = emitter(bullMq).listenerCount('error');
    expect(() => fromBullMq(bullMq, { backup, deadlineMs: 1 })).toThrow(/"deadlineMs"/);
    expect(emitter(bullMq).listenerCount('error')).toBe(before);
    await bullMq.waitUntilReady();
    const probe = new BullMqTransport(bullMq);
    await waitFor(() => probe.connection.isReady, { what: 'BullMQ to be connected' });
    const client = emitter(probe.connection.client);
    const listeners = client.listenerCount('ready');
    expect(() => fromBullMq(bullMq, { backup, deadlineMs: 1 })).toThrow(/"deadlineMs"/);
    await server.command('PING');
    expect(client.listenerCount('ready')).toBe(listeners);
  });
});
