import { inspect } from 'node:util';
import { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  type AppendOutcome,
  type BackupStats,
  type BackupStore,
  type ErrorEvent,
  type JobRecord,
  type Lease,
  MemoryBackupStore,
  type QueueOptions,
  ResilientQueue,
  type ResilientQueueError,
  streamKey,
} from '../../src/index.js';
import { Ledger } from '../support/ledger.js';
import { RedisServer } from '../support/redis-server.js';
import { RespConnection } from '../support/resp-connection.js';
import { readStream } from '../support/stream.js';
import { waitFor } from '../support/wait-for.js';

const NAME = 'failing';
const SECRETS = [
  'payload-secret',
  'redis-password',
  'store-password',
  '127.0.0.1',
  'redis://',
  'postgres://',
];

type Method = 'append' | 'lease' | 'acknowledge' | 'release' | 'park' | 'stats';

/**
 * A memory store in a bad way: `fails` rejects without an effect; `hangs` answers, and has its effect, only once `wake()` is
 * called; `mute` has its effect at once and answers only then.
 */
class AilingStore implements BackupStore {
  readonly durability = 'memory';
  readonly inner = new MemoryBackupStore();
  readonly ails = new Map<Method, 'fails' | 'hangs' | 'mute'>();
  readonly calls = new Map<Method, number>();
  #wake!: () => void;
  #awake = new Promise<void>((resolve) => {
    this.#wake = resolve;
  });

  /** Cures the store and lets go of what hangs. */
  wake(): void {
    this.ails.clear();
    this.#wake();
    this.#awake = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  append(queue: string, jobs: readonly JobRecord[]): Promise<readonly AppendOutcome[]> {
    return this.#call('append', () => this.inner.append(queue, jobs));
  }

  lease(queue: string, limit: number, leaseMs: number): Promise<Lease | undefined> {
    return this.#call('lease', () => this.inner.lease(queue, limit, leaseMs));
  }

  acknowledge(token: string, ids: readonly string[]): Promise<void> {
    return this.#call('acknowledge', () => this.inner.acknowledge(token, ids));
  }

  release(token: string, ids: readonly string[]): Promise<void> {
    return this.#call('release', () => this.inner.release(token, ids));
  }

  park(token: string, ids: readonly string[], reason: string): Promise<void> {
    return this.#call('park', () => this.inner.park(token, ids, reason));
  }

  stats(queue: string): Promise<BackupStats> {
    return this.#call('stats', () => this.inner.stats(queue));
  }

  close(): Promise<void> {
    return this.inner.close();
  }

  async #call<T>(method: Method, work: () => Promise<T>): Promise<T> {
    this.calls.set(method, (this.calls.get(method) ?? 0) + 1);
    const ailment = this.ails.get(method);
    const awake = this.#awake;
    if (ailment === 'fails') {
      // As a database's driver would: the address in its text, the row in a field.
      const error = new Error('cannot reach postgres://app:store-password@127.0.0.1:5432/jobs');
      throw Object.assign(error, { code: 'ESTORE', row: '{"payload":"payload-secret"}' });
    }
    if (ailment === 'hangs') await awake;
    const result = await work();
    if (ailment === 'mute') await awake;
    return result;
  }
}

interface Setup {
  readonly client: Redis;
  readonly server: RedisServer;
  readonly store: AilingStore;
  readonly queue: ResilientQueue;
  readonly ledger: Ledger;
  readonly errors: ErrorEvent[];
}

async function setUp(options: Partial<QueueOptions> = {}): Promise<Setup & AsyncDisposable> {
  const server = await RedisServer.start({ args: ['--requirepass', 'redis-password'] });
  const client = new Redis(`redis://:redis-password@127.0.0.1:${server.port}`);
  client.on('error', () => {});
  onTestFinished(() => client.disconnect());
  const store = new AilingStore();
  const queue = new ResilientQueue(NAME, {
    redis: client,
    backup: store,
    deadlineMs: 500,
    attemptTimeoutMs: 200,
    backupDeadlineMs: 300,
    replay: { pollMs: 100, leaseMs: 1000 },
    ...options,
  });
  const errors: ErrorEvent[] = [];
  queue.on('error', (event) => errors.push(event));
  const ledger = new Ledger();
  await ledger.track('first', queue.enqueue('first', 'payload-secret', { id: 'first' }));
  return {
    ...{ server, client, store, queue, ledger, errors },
    async [Symbol.asyncDispose]() {
      store.wake();
      await queue.close({ timeoutMs: 200 });
      await server.stop();
    },
  };
}

function enqueue({ queue, ledger }: Setup, count: number, prefix: string): Promise<ResilientQueueError[]> {
  const errors: ResilientQueueError[] = [];
  const calls = Array.from({ length: count }, (_, n) => {
    const id = n % 2 === 0 ? `${prefix}-${n}` : undefined;
    const enqueued = queue.enqueue('job', { secret: 'payload-secret', n }, { id });
    enqueued.catch((error) => errors.push(error));
    return ledger.track(id, enqueued);
  });
  return Promise.all(calls).then(() => errors);
}

/** Fills the backup through an outage that is over by then, while the store ails where replay needs it. */
async function backlogOf(setup: Setup, count: number): Promise<void> {
  await setup.server.kill();
  expect(await enqueue(setup, count, 'backlog')).toEqual([]);
  expect(setup.queue.health().backup.pending).toBe(count);
}

async function idsIn(server: RedisServer): Promise<string[]> {
  return (await readStream(server, streamKey(NAME))).map((entry) => entry.fields.id as string);
}

async function restart(server: RedisServer): Promise<void> {
  await server.restart(['--requirepass', 'redis-password']);
}

function expectBalance(queue: ResilientQueue): void {
  const { accepted, inherited, delivered, pending, parked, dropped } = queue.health().totals;
  expect(accepted + inherited).toBe(delivered + pending + parked + dropped);
}

/**
 * Everything is in the stream once, and the books, the store and the stream say the same. `unseen` jobs Redis executed after
 * their callers had been told that their fate is unknown: the books know them as duplicates only.
 */
async function expectAllDelivered(setup: Setup, accepted: number, unseen = 0): Promise<void> {
  const { server, queue, store, ledger } = setup;
  await waitFor(async () => queue.health().status === 'up' && (await store.inner.stats(NAME)).pending === 0, {
    what: 'the queue to be up and the store empty',
  });
  const connection = new RespConnection({ port: server.port });
  await connection.send('AUTH', 'redis-password');
  await connection.send('CONFIG', 'SET', 'requirepass', '');
  connection.close();
  ledger.delivered(await idsIn(server));
  const told = `${ledger}\n${JSON.stringify(queue.health())}`;
  expect(ledger.summary(), told).toMatchObject({
    ...{ accepted, delivered: accepted, lost: 0, doubled: 0, ghosts: 0, unsettled: 0 },
  });
  expectBalance(queue);
  const { totals } = queue.health();
  expect(totals, told).toMatchObject({ delivered: accepted - unseen, pending: 0, parked: 0, dropped: 0 });
}

/** Neither the error, nor what it was caused by, nor their stacks name an address, a password or a payload. */
function expectNoSecret(value: unknown): void {
  const text = inspect(value, { depth: Number.POSITIVE_INFINITY, showHidden: true, getters: true });
  for (const secret of SECRETS) expect(text).not.toContain(secret);
}

it('rejects with both reasons, and no secret, while Redis is dead and the store fails', async () => {
  await using setup = await setUp();
  const { server, client, store, queue, errors } = setup;
  await server.kill();
  // Until the client knows, it writes to a dead socket, and the fate is unknown.
  await waitFor(() => client.status !== 'ready', { what: 'the client to notice' });
  store.ails.set('append', 'fails');
  const first = await enqueue(setup, 10, 'first');
  await waitFor(() => queue.health().status === 'down', { what: 'the queue to be down' });
  const later = await enqueue(setup, 10, 'later');
  expect([...first, ...later]).toHaveLength(20);
  for (const error of [...first, ...later]) {
    expect(error).toMatchObject({ code: 'UNAVAILABLE', fate: 'not-delivered' });
    expect(error.jobId).toBeTypeOf('string');
    expect(error.cause).toBeInstanceOf(AggregateError);
    expect((error.cause as AggregateError).errors).toEqual([
      expect.objectContaining({ name: 'RedisFailure', kind: 'disconnected' }),
      expect.objectContaining({ message: expect.stringContaining('cannot reach'), code: 'ESTORE' }),
    ]);
    expectNoSecret(error);
  }
  expect(errors.map(({ kind }) => kind)).toEqual(['backup']);
  expectNoSecret(errors);
  expectNoSecret(queue.health());
  expect(queue.health()).toMatchObject({ status: 'down', backup: { pending: 0, writable: false } });
  expect(queue.health().totals).toMatchObject({ accepted: 1, rejected: 20, pending: 0 });
  expectBalance(queue);

  store.wake();
  expect(await enqueue(setup, 10, 'cured')).toEqual([]);
  expect(queue.health()).toMatchObject({ status: 'degraded', backup: { pending: 10, writable: true } });
  await restart(server);
  await waitFor(() => queue.health().status === 'up', { what: 'the queue to be up' });
  expect(await enqueue(setup, 10, 'first')).toEqual([]);
  await expectAllDelivered(setup, 1 + 10 + 10);
});

it('does not know the fate of a job that Redis was sent when the store fails', async () => {
  await using setup = await setUp();
  const { server, store, ledger, queue } = setup;
  store.ails.set('append', 'fails');
  server.pause();
  const errors = await enqueue(setup, 10, 'sent');
  expect(errors).toHaveLength(10);
  for (const error of errors) {
    expect(error).toMatchObject({ code: 'UNAVAILABLE', fate: 'unknown' });
    expectNoSecret(error);
  }
  server.resume();
  store.wake();
  for (const { jobId: id } of errors) await ledger.track(id, queue.enqueue('job', 'again', { id }));
  await expectAllDelivered(setup, 11, 10);
});

it('gives a hanging store its deadline, then refuses at once, and replays what it kept after all', async () => {
  await using setup = await setUp({ backupDeadlineMs: 600 });
  const { server, store, queue, ledger } = setup;
  await server.kill();
  await enqueue(setup, 1, 'opens-the-breaker');
  await waitFor(() => queue.health().breaker === 'open', { what: 'the breaker to open' });
  store.ails.set('append', 'hangs');

  // Each call is an append of its own, until every place is taken.
  const hanging: Promise<ResilientQueueError[]>[] = [];
  const startedAt = performance.now();
  for (let n = 0; n < 4; n++) {
    hanging.push(enqueue(setup, 3, `hanging-${n}`));
    await waitFor(() => store.calls.get('append') === n + 2, { what: 'the append to begin' });
  }
  const unknown = (await Promise.all(hanging)).flat();
  expect(performance.now() - startedAt).toBeGreaterThan(590);
  expect(performance.now() - startedAt).toBeLessThan(1500);
  expect(unknown).toHaveLength(12);
  for (const error of unknown) {
    expect(error).toMatchObject({ code: 'UNAVAILABLE', fate: 'unknown' });
    expectNoSecret(error);
  }
  const refusedAt = performance.now();
  const refused = await enqueue(setup, 100, 'refused');
  expect(performance.now() - refusedAt).toBeLessThan(200);
  expect(refused).toHaveLength(100);
  for (const error of refused) expect(error).toMatchObject({ code: 'UNAVAILABLE', fate: 'not-delivered' });
  expect(store.calls.get('append')).toBe(5);
  expect(queue.health()).toMatchObject({ status: 'down', backup: { pending: 1, writable: false } });
  expectBalance(queue);

  store.wake();
  await waitFor(() => queue.health().totals.inherited === 12, { what: 'the late appends to be counted' });
  expect(queue.health()).toMatchObject({ status: 'degraded', backup: { pending: 13, writable: true } });
  expect(await store.inner.stats(NAME)).toMatchObject({ pending: 13 });
  expectBalance(queue);
  // Under the same id it is known to be here.
  const [{ jobId } = { jobId: undefined }] = unknown;
  await ledger.track(jobId, queue.enqueue('job', 'again', { id: jobId }));
  expect(queue.health().totals).toMatchObject({ duplicates: 1, inherited: 12, pending: 13 });

  await restart(server);
  await waitFor(() => queue.health().status === 'up', { what: 'the queue to be up' });
  for (const { jobId: id } of unknown) await ledger.track(id, queue.enqueue('job', 'again', { id }));
  await expectAllDelivered(setup, 2 + 12);
});

it('tries a store that hangs for ever with one job at a time: no more is kept for its sake', async () => {
  await using setup = await setUp({ backupDeadlineMs: 50 });
  const { server, store, queue } = setup;
  await server.kill();
  await enqueue(setup, 1, 'opens-the-breaker');
  await waitFor(() => queue.health().breaker === 'open', { what: 'the breaker to open' });
  store.ails.set('append', 'hangs');
  const sizes: number[] = [];
  const append = store.append.bind(store);
  store.append = (name, jobs) => {
    sizes.push(jobs.length);
    return append(name, jobs);
  };
  let round = 0;
  const isTriedOften = async () => {
    round += 1;
    expect(await enqueue(setup, 50, `round-${round}`)).toHaveLength(50);
    return sizes.length >= 12;
  };
  await waitFor(isTriedOften, { what: 'the store to be tried again and again' });
  // Four may hang before the store is given up.
  expect(sizes.slice(4)).toEqual(new Array(sizes.length - 4).fill(1));
  store.wake();
  await restart(server);
  await waitFor(() => queue.health().status === 'up', { what: 'the queue to be up' });
});

it('loses nothing when a store says that it does not know whether it kept a job', async () => {
  await using setup = await setUp();
  const { server, store, queue } = setup;
  await server.kill();
  await enqueue(setup, 1, 'opens-the-breaker');
  const append = store.inner.append.bind(store.inner);
  store.inner.append = async (name, jobs) => {
    await append(name, jobs);
    throw Object.assign(new Error('connection lost during commit'), { fate: 'unknown' });
  };
  const errors = await enqueue(setup, 5, 'unsure');
  expect(errors).toHaveLength(5);
  for (const error of errors) expect(error).toMatchObject({ code: 'UNAVAILABLE', fate: 'unknown' });
  store.inner.append = append;
  await restart(server);
  await waitFor(async () => (await store.inner.stats(NAME)).pending === 0, { what: 'the store to be empty' });
  await waitFor(() => queue.health().status === 'up', { what: 'the queue to be up' });
  for (const { jobId: id } of errors) await setup.ledger.track(id, queue.enqueue('job', 'again', { id }));
  expect(setup.ledger.summary().errors).toEqual({ UNAVAILABLE: 5 });
  await waitFor(() => queue.health().totals.pending === 0, {
    what: 'the books to know of the jobs replayed',
  });
  await expectAllDelivered(setup, 2 + 5);
});

it.each([
  ['lease', 'fails'],
  ['lease', 'hangs'],
  ['lease', 'mute'],
  ['acknowledge', 'fails'],
  ['acknowledge', 'hangs'],
  ['acknowledge', 'mute'],
  ['stats', 'fails'],
  ['stats', 'hangs'],
] as const)(
  'loses and doubles nothing while the store %s %s, and goes on when it works again',
  async (method, ailment) => {
    await using setup = await setUp();
    const { server, store, queue, errors } = setup;
    await backlogOf(setup, 600);
    store.ails.set(method, ailment);
    const before = store.calls.get(method) ?? 0;
    await restart(server);
    await waitFor(() => (store.calls.get(method) ?? 0) >= before + 2, {
      what: `${method} to be tried again`,
    });
    // Live traffic goes on meanwhile.
    await waitFor(() => queue.health().breaker === 'closed', { what: 'the breaker to close' });
    expect(await enqueue(setup, 20, 'live')).toEqual([]);
    if (method !== 'stats') expect(errors.some(({ kind }) => kind === 'backup')).toBe(true);
    expectBalance(queue);
    store.wake();
    await expectAllDelivered(setup, 621);
  },
);

it('takes jobs although the store hangs in stats from the start', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const store = new AilingStore();
  store.ails.set('stats', 'hangs');
  const client = new Redis({ port: server.port });
  client.on('error', () => {});
  onTestFinished(() => client.disconnect());
  await store.inner.append(NAME, [
    {
      ...{ version: 1, queue: NAME, id: 'left', delivery: `${'0'.repeat(27)}-0`, name: 'job', payload: '1' },
      ...{ fate: 'not-delivered', enqueuedAt: Date.now(), transport: 'streams' },
    },
  ]);
  await using queue = new ResilientQueue(NAME, {
    redis: client,
    backup: store,
    backupDeadlineMs: 300,
    replay: { pollMs: 100 },
  });
  expect(await queue.enqueue('job', 1, { id: 'live' })).toMatchObject({ outcome: 'enqueued' });
  const maintenance = queue.isolate();
  expect(await queue.enqueue('job', 2, { id: 'backed-up' })).toMatchObject({ outcome: 'backed-up' });
  store.wake();
  maintenance.dispose();
  await waitFor(async () => (await idsIn(server)).length === 3, { what: 'every job to be laid down' });
  await waitFor(() => queue.health().status === 'up', { what: 'the queue to be up' });
  expect((await idsIn(server)).sort()).toEqual(['backed-up', 'left', 'live']);
  await waitFor(() => queue.health().totals.pending === 0, { what: 'the inheritance to be counted' });
  expect(queue.health().totals).toMatchObject({ accepted: 2, inherited: 1, delivered: 3, pending: 0 });
});

it('closes although the store hangs in everything', async () => {
  await using setup = await setUp();
  const { server, store, queue } = setup;
  await backlogOf(setup, 10);
  for (const method of ['append', 'lease', 'acknowledge', 'release', 'park', 'stats'] as const) {
    store.ails.set(method, 'hangs');
  }
  const late = enqueue(setup, 5, 'late');
  const closed = queue.close({ timeoutMs: 200 });
  const inTime = await Promise.race([
    closed.then(() => true),
    new Promise((resolve) => setTimeout(resolve, 5000, false)),
  ]);
  expect(inTime).toBe(true);
  expect(await late).toHaveLength(5);
  await server.stop();
});

it('keeps its books when a store kept nothing, did not know, and the caller came again', async () => {
  await using setup = await setUp();
  const { server, store, queue } = setup;
  await server.kill();
  await enqueue(setup, 1, 'opens-the-breaker');
  const append = store.inner.append.bind(store.inner);
  store.inner.append = async () => {
    throw Object.assign(new Error('connection lost before commit'), { fate: 'unknown' });
  };
  const errors = await enqueue(setup, 5, 'unsure');
  expect(errors).toHaveLength(5);
  store.inner.append = append;
  for (const { jobId: id } of errors) await setup.ledger.track(id, queue.enqueue('job', 'again', { id }));
  expect(queue.health().totals).toMatchObject({ inherited: 0, rejected: 5 });
  await restart(server);
  await waitFor(() => queue.health().status === 'up', { what: 'the queue to be up' });
  expect(queue.health().totals).toMatchObject({ inherited: 0, pending: 0 });
  await expectAllDelivered(setup, 2 + 5);
});

it('parks no job that Redis took, although it refuses the job when the store did not hear of that', async () => {
  await using setup = await setUp();
  const { client, store, queue } = setup;
  const maintenance = queue.isolate();
  await enqueue(setup, 1, 'taken');
  store.ails.set('acknowledge', 'fails');
  maintenance.dispose();
  await waitFor(async () => (await client.xlen(streamKey(NAME))) === 2, { what: 'the job to be laid down' });
  await waitFor(() => (store.calls.get('acknowledge') ?? 0) > 0, { what: 'the store to be told' });
  // From now on Redis refuses what it would have to read first.
  await client.del(streamKey(NAME));
  const bitmaps = await client.keys('rsq:*:seen:*');
  for (const key of bitmaps) await client.multi().del(key).rpush(key, 'of another type').exec();
  const toldBefore = store.calls.get('acknowledge') as number;
  await waitFor(() => (store.calls.get('acknowledge') as number) > toldBefore + 5, {
    what: 'the store to be told again',
  });
  store.ails.delete('acknowledge');
  await waitFor(() => queue.health().status === 'up', { what: 'the queue to be up' });
  expect(queue.health().totals).toMatchObject({ delivered: 2, pending: 0, parked: 0 });
});

const asides = [
  { what: 'parked', method: 'park', change: { transport: 'another' } },
  { what: 'dropped', method: 'acknowledge', change: { expiresAt: 1 } },
] as const;
describe.each(asides)('tells once that a job is $what', ({ what, method, change }) => {
  /** Lets go of a job that is to be set aside, while the store ails. */
  async function begin({ store, queue }: Setup, ailment: 'fails' | 'hangs' | 'mute'): Promise<string[]> {
    const told: string[] = [];
    queue.on('parked', ({ id }) => told.push(`${id} is parked`));
    queue.on('dropped', ({ id }) => told.push(`${id} is dropped`));
    const maintenance = queue.isolate();
    await queue.enqueue('job', 1, { id: 'aside' });
    const [job] = (await store.inner.admin.list(NAME, 'pending', { limit: 1 })).jobs as JobRecord[];
    await store.inner.admin.remove(NAME, ['aside']);
    await store.inner.append(NAME, [{ ...(job as JobRecord), ...change }]);
    store.ails.set(method, ailment);
    maintenance.dispose();
    return told;
  }

  async function end({ store, queue }: Setup, told: readonly string[]): Promise<void> {
    store.wake();
    const parked = what === 'parked' ? 1 : 0;
    await waitFor(
      async () => {
        const stats = await store.inner.stats(NAME);
        return queue.health().status === 'up' && stats.pending === 0 && stats.parked === parked;
      },
      { what: 'the store to have heard of it', timeoutMs: 20_000 },
    );
    expect(told).toEqual([`aside is ${what}`]);
    expectBalance(queue);
    const dropped = 1 - parked;
    expect(queue.health().totals).toMatchObject({ accepted: 2, delivered: 1, pending: 0, parked, dropped });
  }

  it.each(['fails', 'hangs', 'mute'] as const)('when the store %s', async (ailment) => {
    await using setup = await setUp();
    const { store, errors } = setup;
    const told = await begin(setup, ailment);
    // When it had its effect, the job does not come again.
    const calls = ailment === 'mute' ? 1 : 3;
    await waitFor(() => (store.calls.get(method) ?? 0) >= calls && errors.length > 0, {
      what: 'the store to be told, and to be given up',
      timeoutMs: 20_000,
    });
    await end(setup, told);
  });

  it('when the store hears of it after a neighbour has taken the job', async () => {
    await using setup = await setUp({ backupDeadlineMs: 20_000 });
    const { store } = setup;
    const told = await begin(setup, 'hangs');
    await waitFor(() => store.calls.get(method) === 1, { what: 'the store to be told' });
    const isOver = async () => (await store.inner.stats(NAME)).leased === 0;
    await waitFor(isOver, { what: 'the lease to end' });
    expect((await store.inner.lease(NAME, 1, 100))?.jobs).toHaveLength(1);
    await end(setup, told);
  });
});

it('inherits once what it perhaps kept before the store first said what it holds', async () => {
  await using setup = await setUp();
  const { store } = setup;
  store.ails.set('stats', 'fails');
  const other = new ResilientQueue(NAME, {
    ...{ redis: setup.client, backup: store, backupDeadlineMs: 100, replay: { auto: false } },
  });
  const maintenance = other.isolate();
  const append = store.inner.append.bind(store.inner);
  store.inner.append = async (name, jobs) => {
    await append(name, jobs);
    throw Object.assign(new Error('connection lost after commit'), { fate: 'unknown' });
  };
  const enqueued = await other.enqueue('job', 1, { id: 'kept' }).catch((error: ResilientQueueError) => error);
  expect(enqueued).toMatchObject({ fate: 'unknown' });
  store.ails.clear();
  maintenance.dispose();
  await other.replay();
  expect(other.health().totals).toMatchObject({ inherited: 1, delivered: 1, pending: 0 });
  expectBalance(other);
  await other.close();
});

it('asks a store that hangs once, not for each batch, to keep what Redis lost, and then tells of each job', async () => {
  await using setup = await setUp();
  const { client, store, queue } = setup;
  await Promise.all(Array.from({ length: 3000 }, (_, n) => queue.enqueue('job', n)));
  const lost: string[] = [];
  queue.on('dropped', ({ id, reason }) => lost.push(`${reason} ${id}`));
  store.ails.set('append', 'hangs');
  // Redis is asked, and nothing is laid down again meanwhile.
  queue.isolate();
  await client.flushall();
  await queue.check();
  expect(await queue.close({ timeoutMs: 100 })).toEqual({ pending: 0 });
  expect(store.calls.get('append')).toBe(1);
  expect(lost).toHaveLength(3001);
  expect(lost).toContain('lost first');
  expect(queue.health().totals).toMatchObject({ accepted: 3001, delivered: 0, dropped: 3001 });
  expectBalance(queue);
});

it('lays down a job that comes again under its id after it was dropped, although the store had not answered', async () => {
  await using setup = await setUp();
  const { client, store, queue, errors } = setup;
  const dropped: string[] = [];
  queue.on('dropped', ({ id }) => dropped.push(id));
  const maintenance = queue.isolate();
  const expiresAt = Date.now() + 500;
  const { id } = await queue.enqueue('job', 1, { expiresAt });
  // One that stays, so that the store never says that it is empty.
  await queue.enqueue('job', 2, { id: 'stays' });
  await waitFor(() => Date.now() > expiresAt, { what: 'the job to expire' });
  const lease = store.inner.lease.bind(store.inner);
  store.ails.set('acknowledge', 'mute');
  maintenance.dispose();
  await waitFor(() => dropped.length === 1 && errors.length > 0, { what: 'the job to be dropped' });
  store.inner.lease = async () => undefined;
  store.ails.clear();
  const again = queue.isolate();
  expect(await queue.enqueue('job', 1, { id })).toMatchObject({ outcome: 'backed-up' });
  expect(await queue.enqueue('job', 1, { id })).toMatchObject({ outcome: 'duplicate' });
  store.inner.lease = lease;
  again.dispose();
  await waitFor(async () => (await client.xlen(streamKey(NAME))) === 3, { what: 'both to be laid down' });
  expect(dropped).toEqual([id]);
});

it('takes no job as a duplicate of one that was dropped, while the store has not confirmed that it is gone', async () => {
  await using setup = await setUp();
  const { client, store, queue, errors } = setup;
  const dropped: string[] = [];
  queue.on('dropped', ({ id }) => dropped.push(id));
  const maintenance = queue.isolate();
  const expiresAt = Date.now() + 500;
  await queue.enqueue('job', 1, { id: 'again', expiresAt });
  await waitFor(() => Date.now() > expiresAt, { what: 'the job to expire' });
  store.ails.set('acknowledge', 'fails');
  maintenance.dispose();
  await waitFor(() => dropped.length === 1 && errors.length > 0, { what: 'the job to be dropped' });
  const isolated = queue.isolate();
  const early = await queue.enqueue('job', 2, { id: 'again' }).catch((error: ResilientQueueError) => error);
  expect(early).toMatchObject({ code: 'UNAVAILABLE', fate: 'not-delivered', jobId: 'again' });
  isolated.dispose();
  store.wake();
  await waitFor(async () => (await store.inner.stats(NAME)).pending === 0, {
    what: 'the store to hear of it',
  });
  expect(await queue.enqueue('job', 2, { id: 'again' })).toMatchObject({ outcome: 'enqueued' });
  expect(await client.xlen(streamKey(NAME))).toBe(2);
  expect(dropped).toEqual(['again']);
  expectBalance(queue);
  expect(queue.health().totals).toMatchObject({ accepted: 3, delivered: 2, dropped: 1, rejected: 1 });
});

it('knows a delivered job again although the store confirmed another one', async () => {
  await using setup = await setUp();
  const { client, store, queue, errors } = setup;
  const dropped: string[] = [];
  queue.on('dropped', ({ id }) => dropped.push(id));
  const maintenance = queue.isolate();
  const expiresAt = Date.now() + 1500;
  await queue.enqueue('job', 1, { id: 'older', expiresAt });
  await queue.enqueue('job', 2, { id: 'newer', expiresAt });
  // The store hears of the newer one only, and the answer is lost.
  const { inner } = store;
  const acknowledge = inner.acknowledge.bind(inner);
  inner.acknowledge = async (token, ids) => {
    await acknowledge(
      token,
      ids.filter((id) => id === 'newer'),
    );
    throw new Error('connection lost');
  };
  maintenance.dispose();
  await waitFor(() => errors.some(({ kind }) => kind === 'backup'), { what: 'the store to fail' });
  const again = queue.isolate();
  await waitFor(async () => (await client.xlen(streamKey(NAME))) === 3, { what: 'both to be laid down' });
  await waitFor(() => queue.health().backup.pending === 1, {
    what: 'the look that finds one gone',
    timeoutMs: 5000,
  });
  await waitFor(() => Date.now() > expiresAt, { what: 'the older job to expire' });
  inner.acknowledge = acknowledge;
  again.dispose();
  await waitFor(async () => (await inner.stats(NAME)).pending === 0, { what: 'the store to hear of it' });
  await waitFor(() => queue.health().status === 'up', { what: 'the queue to be up' });
  expect(dropped).toEqual([]);
  expectBalance(queue);
  expect(queue.health().totals).toMatchObject({ accepted: 3, delivered: 3, pending: 0, dropped: 0 });
});

it('inherits no job that it had counted before the store did not say whether it has it', async () => {
  await using setup = await setUp();
  const { store, queue } = setup;
  const maintenance = queue.isolate();
  await queue.enqueue('job', 1, { id: 'counted' });
  store.ails.set('append', 'hangs');
  const unknown = await queue
    .enqueue('job', 1, { id: 'counted' })
    .catch((error: ResilientQueueError) => error);
  expect(unknown).toMatchObject({ fate: 'unknown' });
  store.ails.clear();
  expect(await queue.enqueue('job', 1, { id: 'counted' })).toMatchObject({ outcome: 'duplicate' });
  maintenance.dispose();
  await waitFor(() => queue.health().status === 'up', { what: 'the queue to be up' });
  expect(queue.health().totals).toMatchObject({ accepted: 2, inherited: 0, delivered: 2, pending: 0 });
});

it.each(['replayed', 'enqueued again'])(
  'inherits a job once that was %s before the store answered',
  async (what) => {
    await using setup = await setUp();
    const { store, queue } = setup;
    const maintenance = queue.isolate();
    store.ails.set('append', 'mute');
    const unknown = await queue
      .enqueue('job', 1, { id: 'late' })
      .catch((error: ResilientQueueError) => error);
    expect(unknown).toMatchObject({ fate: 'unknown' });
    store.ails.clear();
    if (what === 'replayed') {
      maintenance.dispose();
      await waitFor(() => queue.health().totals.delivered === 2, { what: 'the job to be replayed' });
    } else {
      expect(await queue.enqueue('job', 1, { id: 'late' })).toMatchObject({ outcome: 'duplicate' });
    }
    store.wake();
    await new Promise(setImmediate);
    maintenance.dispose();
    await waitFor(() => queue.health().status === 'up', { what: 'the queue to be up' });
    expect(queue.health().totals).toMatchObject({ accepted: 1, inherited: 1, delivered: 2, pending: 0 });
  },
);

it('inherits a job that is replayed before the store was given up that kept it', async () => {
  await using setup = await setUp();
  const { store, queue } = setup;
  const maintenance = queue.isolate();
  await queue.enqueue('job', 1, { id: 'before' });
  store.ails.set('append', 'mute');
  const enqueued = queue.enqueue('job', 1, { id: 'early' }).catch((error: ResilientQueueError) => error);
  await waitFor(() => store.calls.get('append') === 2, { what: 'the store to be asked' });
  maintenance.dispose();
  await waitFor(() => queue.health().totals.delivered === 3, { what: 'both to be replayed' });
  expect(await enqueued).toMatchObject({ fate: 'unknown' });
  expectBalance(queue);
  expect(queue.health().totals).toMatchObject({ accepted: 2, inherited: 1, delivered: 3, pending: 0 });
});
