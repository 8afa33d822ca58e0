import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import {
  type Delivery,
  type DeliveryContext,
  type DroppedEvent,
  JOB_RECORD_VERSION,
  type JobRecord,
  MemoryBackupStore,
  type ParkedEvent,
  type QueueOptions,
  type RedisConnection,
  ResilientQueue,
  StreamsTransport,
  streamKey,
  type Transport,
} from '../../src/index.js';
import { Ledger } from '../support/ledger.js';
import { settleWithin } from '../support/load.js';
import { RedisServer } from '../support/redis-server.js';
import { readStream } from '../support/stream.js';
import { waitFor } from '../support/wait-for.js';

const NAME = 'parking';
const HOUR_MS = 3_600_000;

function open(server: RedisServer, options: Partial<QueueOptions> = {}, store = new MemoryBackupStore()) {
  const client = new Redis({ port: server.port });
  client.on('error', () => {});
  onTestFinished(() => client.disconnect());
  const queue = new ResilientQueue(NAME, {
    redis: client,
    backup: store,
    deadlineMs: 500,
    replay: { pollMs: 100 },
    ...options,
  });
  const parked: ParkedEvent[] = [];
  const dropped: DroppedEvent[] = [];
  queue.on('parked', (event) => parked.push(event));
  queue.on('dropped', (event) => dropped.push(event));
  queue.on('error', () => {});
  return { queue, client, store, parked, dropped };
}

let records = 0;

/** A record as an earlier process may have left it. */
function record(id: string, fields: Partial<JobRecord> = {}): JobRecord {
  return {
    version: JOB_RECORD_VERSION,
    queue: NAME,
    id,
    delivery: `${'0123456789a'}${'b'.repeat(16)}-${records++}`,
    name: 'job',
    payload: JSON.stringify({ id }),
    fate: 'not-delivered',
    enqueuedAt: Date.now() - 1000,
    transport: 'streams',
    ...fields,
  };
}

/** Kills Redis, and waits until the client knows: until then it writes to a dead socket, and resends that later. */
async function kill(server: RedisServer, client: Redis): Promise<void> {
  await server.kill();
  await waitFor(() => client.status !== 'ready', { what: 'the client to notice' });
}

async function idsIn(server: RedisServer): Promise<string[]> {
  return (await readStream(server, streamKey(NAME))).map((entry) => entry.fields.id as string);
}

function expectBalance(queue: ResilientQueue): void {
  const { accepted, inherited, delivered, pending, parked, dropped } = queue.health().totals;
  expect(accepted + inherited).toBe(delivered + pending + parked + dropped);
}

async function parkedIn(store: MemoryBackupStore) {
  return (await store.admin.list(NAME, 'parked', { limit: 1000 })).jobs;
}

it('drops and reports a job that expires during an outage, and never delivers it', async () => {
  await using server = await RedisServer.start();
  const { queue, client, store, dropped } = open(server);
  const ledger = new Ledger();
  await ledger.track('first', queue.enqueue('first', undefined, { id: 'first' }));
  await kill(server, client);
  const expiresAt = Date.now() + 1200;
  const expiring = Array.from({ length: 50 }, (_, n) => `expires-${n}`);
  const receipts = expiring.map((id) => queue.enqueue('expires', undefined, { id, expiresAt }));
  for (let n = 0; n < 50; n++) void ledger.track(`${n}`, queue.enqueue('job', n, { id: `${n}` }));
  const later = new Date(Date.now() + HOUR_MS);
  void ledger.track('later', queue.enqueue('later', undefined, { id: 'later', expiresAt: later }));
  for (const receipt of await Promise.all(receipts)) expect(receipt.outcome).toBe('backed-up');
  expect(await settleWithin(ledger, 5000)).toBe(true);
  expect(dropped).toEqual([]);
  await waitFor(() => Date.now() > expiresAt, { what: 'the expiry' });
  await server.restart();
  await waitFor(() => queue.health().status === 'up', { what: 'the queue to be up' });

  expect(dropped).toHaveLength(50);
  expect(dropped).toContainEqual({ queue: NAME, id: 'expires-7', name: 'expires', reason: 'expired' });
  expect(dropped.map(({ id }) => id).sort()).toEqual([...expiring].sort());
  ledger.delivered(await idsIn(server));
  expect(ledger.summary(), `${ledger}`).toMatchObject({
    ...{ accepted: 52, delivered: 52, lost: 0, doubled: 0, ghosts: 0, errors: {} },
  });
  expect(queue.health().totals).toMatchObject({ accepted: 102, delivered: 52, dropped: 50, pending: 0 });
  expectBalance(queue);
  expect(await store.stats(NAME)).toMatchObject({ pending: 0, leased: 0, parked: 0 });
  expect(await queue.close()).toEqual({ pending: 0 });
});

it('parks what it may not send, by name, and goes on with the others', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const client = new Redis({ port: server.port });
  client.on('error', () => {});
  onTestFinished(() => client.disconnect());
  const store = new MemoryBackupStore();
  const window = 7 * 24 * HOUR_MS;
  const now = Date.now();
  await store.append(NAME, [
    record('foreign', { transport: 'rq' }),
    record('one'),
    record('future', { version: JOB_RECORD_VERSION + 1 }),
    record('two', { fate: 'unknown', lastAttemptAt: now - window + 2 * HOUR_MS }),
    record('too-old', { fate: 'unknown', lastAttemptAt: now - window + HOUR_MS / 2 }),
    record('too-old-to-say', { fate: 'unknown', enqueuedAt: now - 2 * window }),
    record('old-but-never-sent', { enqueuedAt: now - 2 * window }),
    record('three'),
  ]);
  const parked: ParkedEvent[] = [];
  await using queue = new ResilientQueue(NAME, { redis: client, backup: store });
  queue.on('parked', (event) => parked.push(event));
  await waitFor(() => queue.health().status === 'up' && queue.health().totals.delivered === 4, {
    what: 'the others to be replayed',
  });
  expect(await idsIn(server)).toEqual(['one', 'two', 'old-but-never-sent', 'three']);
  expect(parked).toEqual([
    { queue: NAME, id: 'foreign', name: 'job', reason: 'foreign-transport', text: undefined },
    { queue: NAME, id: 'future', name: 'job', reason: 'unknown-version', text: undefined },
    { queue: NAME, id: 'too-old', name: 'job', reason: 'recognition-expired', text: undefined },
    { queue: NAME, id: 'too-old-to-say', name: 'job', reason: 'recognition-expired', text: undefined },
  ]);
  expect(await parkedIn(store)).toMatchObject([
    { job: { id: 'foreign' }, reason: 'foreign-transport' },
    { job: { id: 'future' }, reason: 'unknown-version' },
    { job: { id: 'too-old' }, reason: 'recognition-expired' },
    { job: { id: 'too-old-to-say' }, reason: 'recognition-expired' },
  ]);
  expect(queue.health()).toMatchObject({
    backup: { parked: 4, pending: 0 },
    totals: { accepted: 0, inherited: 8, delivered: 4, parked: 4, pending: 0 },
  });
  expectBalance(queue);
});

/** Streams, but for jobs named `poison`: with one in it, a batch ends in an error that nobody listed. */
class PoisonableTransport implements Transport<undefined> {
  readonly #inner = new StreamsTransport();
  readonly name = this.#inner.name;
  readonly capabilities = this.#inner.capabilities;
  /** Deliveries that had the job in them, by its id. */
  readonly tries = new Map<string, number>();

  check(job: JobRecord, options: undefined): void {
    this.#inner.check(job, options);
  }

  async deliver(
    connection: RedisConnection,
    jobs: readonly JobRecord[],
    context: DeliveryContext,
  ): Promise<Delivery> {
    const poison = jobs.filter(({ name }) => name === 'poison');
    for (const { id } of poison) this.tries.set(id, (this.tries.get(id) ?? 0) + 1);
    if (poison.length > 0) throw new Error('something nobody has seen before');
    return this.#inner.deliver(connection, jobs, context);
  }
}

it.each([
  ['at the head', 0, {}],
  ['in the middle', 150, {}],
  ['at the end', 300, {}],
  ['at the head, under a breaker that opens at once,', 0, { failures: 1 }],
])(
  'parks a poison job %s of the backlog with its text, and blocks none of the rest',
  { timeout: 40_000 },
  async (_, at, breaker) => {
    await using server = await RedisServer.start();
    const { queue, store, parked } = open(server, {
      transport: new PoisonableTransport(),
      breaker,
    } as object);
    const ledger = new Ledger();
    await ledger.track('first', queue.enqueue('first', undefined, { id: 'first' }));
    const maintenance = queue.isolate();
    for (let n = 0; n < 300; n++) {
      if (n === at) void queue.enqueue('poison', undefined, { id: 'poison' });
      void ledger.track(`${n}`, queue.enqueue('job', n, { id: `${n}` }));
    }
    if (at === 300) void queue.enqueue('poison', undefined, { id: 'poison' });
    expect(await settleWithin(ledger, 5000)).toBe(true);
    maintenance.dispose();
    await waitFor(() => parked.length > 0 && queue.health().status === 'up', {
      what: 'the poison job to be parked and the rest to be replayed',
      timeoutMs: 30_000,
    });
    expect(parked).toEqual([
      {
        ...{ queue: NAME, id: 'poison', name: 'poison', reason: 'unlisted-error' },
        text: 'something nobody has seen before',
      },
    ]);
    expect(await parkedIn(store)).toMatchObject([
      { job: { id: 'poison' }, reason: 'unlisted-error: something nobody has seen before' },
    ]);
    ledger.delivered(await idsIn(server));
    expect(ledger.summary(), `${ledger}`).toMatchObject({
      ...{ accepted: 301, delivered: 301, lost: 0, doubled: 0, ghosts: 0, errors: {} },
    });
    expect(queue.health().totals).toMatchObject({ accepted: 302, delivered: 301, parked: 1, pending: 0 });
    expectBalance(queue);
    expect(await queue.close()).toEqual({ pending: 0 });
  },
);

it('parks several poison jobs that came by themselves among live traffic', { timeout: 60_000 }, async () => {
  await using server = await RedisServer.start();
  const transport = new PoisonableTransport();
  const { queue, parked } = open(server, { transport, breaker: { failures: 100 } } as object);
  const ledger = new Ledger();
  const poison = ['poison-1', 'poison-2'];
  for (let n = 0; n < 200; n++) {
    void ledger.track(`${n}`, queue.enqueue('job', n, { id: `${n}` }));
    if (n % 100 === 50) {
      const receipt = queue.enqueue('poison', undefined, { id: poison[Math.floor(n / 100)] });
      await expect(receipt).resolves.toMatchObject({ outcome: 'backed-up' });
    }
  }
  expect(await settleWithin(ledger, 5000)).toBe(true);
  await waitFor(() => parked.length === 2 && queue.health().status === 'up', {
    what: 'the poison jobs to be parked and the rest to be replayed',
    timeoutMs: 50_000,
  });
  expect(parked.map(({ id }) => id).sort()).toEqual(poison);
  for (const id of poison) expect(transport.tries.get(id)).toBeGreaterThanOrEqual(5);
  ledger.delivered(await idsIn(server));
  expect(ledger.summary(), `${ledger}`).toMatchObject({
    ...{ accepted: 200, delivered: 200, lost: 0, doubled: 0, ghosts: 0, errors: {} },
  });
  expectBalance(queue);
  expect(await queue.close()).toEqual({ pending: 0 });
});

it('replaces a parked job by a new one of its id, and reports the old one as superseded', async () => {
  await using server = await RedisServer.start();
  const store = new MemoryBackupStore();
  await store.append(NAME, [record('again', { transport: 'rq', payload: '"old"' })]);
  const { queue, parked, dropped } = open(server, {}, store);
  await queue.enqueue('first', undefined, { id: 'first' });
  await waitFor(() => parked.length === 1, { what: 'the job to be parked' });
  expect(queue.health().backup.parked).toBe(1);
  expectBalance(queue);

  await server.kill();
  const receipt = await queue.enqueue('job', 'new', { id: 'again' });
  expect(receipt).toEqual({ id: 'again', outcome: 'backed-up', durability: 'memory' });
  expect(dropped).toEqual([{ queue: NAME, id: 'again', name: 'job', reason: 'superseded' }]);
  expect(await parkedIn(store)).toEqual([]);
  expect(queue.health()).toMatchObject({
    backup: { parked: 0, pending: 1 },
    totals: { parked: 0, dropped: 1, pending: 1 },
  });
  expectBalance(queue);
  await server.restart();
  await waitFor(() => queue.health().status === 'up', { what: 'the queue to be up' });
  const entries = await readStream(server, streamKey(NAME));
  expect(entries.map(({ fields }) => [fields.id, fields.name, fields.payload])).toEqual([
    ['first', 'first', 'null'],
    ['again', 'job', '"new"'],
  ]);
  expect(queue.health().totals).toMatchObject({ delivered: 2, pending: 0, parked: 0, dropped: 1 });
  expectBalance(queue);
  expect(await queue.close()).toEqual({ pending: 0 });
});

it.each([
  { when: 'once it has seen them', pollMs: 50 },
  { when: 'before it has', pollMs: 600_000 },
])('keeps its books of jobs that a person puts back in line, replayed $when', async ({ pollMs }) => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const store = new MemoryBackupStore();
  // By a predecessor.
  await store.append(NAME, [record('parked-1'), record('parked-2')]);
  const lease = await store.lease(NAME, 10, 10_000);
  await store.park(lease?.token as string, ['parked-1', 'parked-2'], 'rejected: for the test');
  const { queue } = open(server, { replay: { pollMs } }, store);
  await waitFor(() => queue.health().backup.parked === 2, { what: 'the store to be looked into' });

  const isolation = queue.isolate();
  await queue.enqueue('job', undefined, { id: 'own' });
  expect(await store.admin.unpark(NAME, ['parked-2'])).toBe(1);
  if (pollMs < 1000) await waitFor(() => queue.health().backup.pending === 2, { what: 'it to be seen' });
  isolation.dispose();
  await waitFor(() => queue.health().status === 'up' && queue.health().backup.parked === 1, {
    what: 'it to be replayed',
  });
  expect(await idsIn(server)).toEqual(['own', 'parked-2']);
  const seen = { accepted: 1, delivered: 2, pending: 0 };
  expect(queue.health().totals).toMatchObject(seen);
  expectBalance(queue);
  await queue.close();
});
