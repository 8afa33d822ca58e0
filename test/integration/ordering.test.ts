import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  type AppendOutcome,
  type BackupStats,
  type BackupStore,
  isResilientQueueError,
  type JobRecord,
  type Lease,
  MemoryBackupStore,
  type QueueOptions,
  type RedisConnection,
  ResilientQueue,
  streamKey,
} from '../../src/index.js';
import { IoredisConnection } from '../../src/redis/ioredis.js';
import { FaultProxy } from '../support/fault-proxy.js';
import { HookedTransport } from '../support/hooked-transport.js';
import { RedisServer } from '../support/redis-server.js';
import { readStream } from '../support/stream.js';
import { waitFor } from '../support/wait-for.js';

const NAME = 'orderly';

/** Keeps what it holds when its queue closes, as a store on disk does, and lets a test step in before each call. */
class KeptStore implements BackupStore {
  readonly durability = 'fsynced';
  readonly inner = new MemoryBackupStore();
  beforeAppend: (() => Promise<unknown> | undefined) | undefined;
  afterAppend: (() => Promise<unknown> | undefined) | undefined;
  beforeLease: (() => Promise<unknown> | undefined) | undefined;
  afterLease: (() => Promise<unknown> | undefined) | undefined;
  beforeAcknowledge: (() => Promise<unknown> | undefined) | undefined;
  beforeRelease: (() => Promise<unknown> | undefined) | undefined;
  beforePark: (() => Promise<unknown> | undefined) | undefined;

  async append(queue: string, jobs: readonly JobRecord[]): Promise<readonly AppendOutcome[]> {
    await this.beforeAppend?.();
    const outcomes = await this.inner.append(queue, jobs);
    await this.afterAppend?.();
    return outcomes;
  }

  async lease(queue: string, limit: number, leaseMs: number): Promise<Lease | undefined> {
    await this.beforeLease?.();
    const lease = await this.inner.lease(queue, limit, leaseMs);
    await this.afterLease?.();
    return lease;
  }

  async acknowledge(token: string, ids: readonly string[]): Promise<void> {
    await this.beforeAcknowledge?.();
    await this.inner.acknowledge(token, ids);
  }

  async release(token: string, ids: readonly string[]): Promise<void> {
    await this.beforeRelease?.();
    await this.inner.release(token, ids);
  }

  async park(token: string, ids: readonly string[], reason: string): Promise<void> {
    await this.beforePark?.();
    await this.inner.park(token, ids, reason);
  }

  stats(queue: string): Promise<BackupStats> {
    return this.inner.stats(queue);
  }

  async close(): Promise<void> {}
}

/** Lets a test refuse a batch instead of delivering it. */
class MoodyTransport extends HookedTransport {
  refuses: (jobs: readonly JobRecord[]) => string | undefined = () => undefined;
  refusals = 0;

  override before = (jobs: readonly JobRecord[]): void => {
    const refusal = this.refuses(jobs);
    if (refusal === undefined) return;
    this.refusals += 1;
    throw new Error(refusal);
  };
}

const numberOf = (job: JobRecord) => (JSON.parse(job.payload) as { n: number }).n;
const includes = (n: number) => (jobs: readonly JobRecord[]) => jobs.some((job) => numberOf(job) === n);

/** Numbers its jobs in the order of the calls, and knows which were accepted. */
class Caller {
  readonly accepted: number[] = [];
  readonly errors: unknown[] = [];
  readonly #calls: Promise<unknown>[] = [];
  #next = 0;

  constructor(public queue: ResilientQueue) {}

  enqueue(count: number, options: { readonly id?: string; readonly signal?: AbortSignal } = {}): void {
    for (let i = 0; i < count; i++) {
      const n = this.#next++;
      const call = this.queue.enqueue('job', { n }, options);
      this.#calls.push(
        call.then(
          ({ outcome }) => {
            if (outcome !== 'duplicate') this.accepted.push(n);
          },
          (error: unknown) => this.errors.push(error),
        ),
      );
    }
  }

  /** A few at a time, until `until()` says that it is enough. */
  async enqueueUntil(until: () => unknown): Promise<void> {
    const endsAt = performance.now() + 20_000;
    while (!until()) {
      if (performance.now() > endsAt) throw new Error('Waited 20 s while enqueueing');
      this.enqueue(3);
      await sleep(5);
    }
  }

  async settled(): Promise<void> {
    await Promise.all(this.#calls);
  }
}

interface Setup {
  readonly server: RedisServer;
  readonly proxy: FaultProxy;
  readonly store: KeptStore;
  readonly transport: MoodyTransport;
  readonly queue: ResilientQueue;
  readonly caller: Caller;
  /** Another queue object of the same name, on the same store. */
  open(options?: Partial<QueueOptions>): ResilientQueue;
}

type Send = RedisConnection['send'];

/** `around` may step in between the library and its client. */
async function setUp(
  options: Partial<QueueOptions> = {},
  around: (send: Send) => Send = (send) => send,
): Promise<Setup & AsyncDisposable> {
  const server = await RedisServer.start({ args: ['--enable-debug-command', 'yes'] });
  const proxy = await FaultProxy.start(server);
  const store = new KeptStore();
  const transport = new MoodyTransport();
  const queues: ResilientQueue[] = [];
  const open = (more: Partial<QueueOptions> = {}) => {
    const client = new Redis({ port: proxy.port, host: '127.0.0.1', retryStrategy: () => 50 });
    client.on('error', () => {});
    onTestFinished(() => client.disconnect());
    const connection = new IoredisConnection(client);
    const send = around((args) => IoredisConnection.prototype.send.call(connection, args));
    Object.assign(connection, { send });
    const queue = new ResilientQueue(NAME, {
      ...{ redis: connection, backup: store, transport, ordering: 'queue' },
      ...{ deadlineMs: 600, attemptTimeoutMs: 250, backupDeadlineMs: 300 },
      replay: { leaseMs: 1000, pollMs: 100 },
      ...options,
      ...more,
    });
    queue.on('error', () => {});
    queues.push(queue);
    return queue;
  };
  const queue = open();
  return {
    ...{ server, proxy, store, transport, queue, open, caller: new Caller(queue) },
    async [Symbol.asyncDispose]() {
      for (const queue of queues) await queue.close({ timeoutMs: 200 });
      await proxy.stop();
      await server.stop();
    },
  };
}

const isUp = (queue: ResilientQueue) =>
  waitFor(() => queue.health().status === 'up', { what: 'the queue to be up', timeoutMs: 20_000 });

async function outage({ server, queue }: Setup): Promise<void> {
  await server.command('CLIENT', 'PAUSE', '60000', 'WRITE');
  await waitFor(() => queue.health().breaker === 'open', { what: 'the outage to be seen' });
}

const heal = ({ server }: Setup) => server.command('CLIENT', 'UNPAUSE');

/** Redis refuses writes, and jobs for the backup are enqueued. */
async function backUp(setup: Setup, count: number): Promise<void> {
  setup.caller.enqueue(1);
  await setup.caller.settled();
  const seen = outage(setup);
  setup.caller.enqueue(3);
  await sleep(1); // a batch of their own
  setup.caller.enqueue(count);
  await setup.caller.enqueueUntil(() => setup.queue.health().breaker !== 'closed');
  await seen;
  await setup.caller.settled();
}

/** Jobs for the backup that Redis has never seen; the function returned lets go of them. */
async function hold({ queue, caller }: Setup, count: number): Promise<() => void> {
  const isolation = queue.isolate();
  caller.enqueue(count);
  await caller.settled();
  return () => isolation.dispose();
}

/** Something that a test lets happen. */
function gate(): { readonly isOpen: Promise<void>; readonly open: () => void } {
  let open = () => {};
  const isOpen = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { isOpen, open };
}

/** Every accepted job stands in the stream, in the order of the calls; others may stand anywhere. */
async function expectOrder({ server, caller }: Setup, except: readonly number[] = []): Promise<void> {
  await caller.settled();
  await isUp(caller.queue);
  const entries = await readStream(server, streamKey(NAME));
  const laidDown = entries.map((entry) => (JSON.parse(entry.fields.payload as string) as { n: number }).n);
  const accepted = new Set(caller.accepted.filter((n) => !except.includes(n)));
  const ours = laidDown.filter((n) => accepted.has(n));
  expect({
    inversions: ours.filter((n, i) => i > 0 && n < (ours[i - 1] as number)),
    lost: [...accepted].filter((n) => !laidDown.includes(n)),
    doubled: laidDown.filter((n, i) => laidDown.indexOf(n) !== i),
    unwanted: laidDown.filter((n) => except.includes(n)),
  }).toEqual({ inversions: [], lost: [], doubled: [], unwanted: [] });
}

it('lays down what a former queue object left, before jobs of its own', async () => {
  await using setup = await setUp();
  const { caller, queue, open } = setup;
  await backUp(setup, 600);
  expect((await queue.close({ timeoutMs: 100 })).pending).toBeGreaterThan(600);
  await heal(setup);
  caller.queue = open();
  caller.enqueue(300); // at once: the store has not said what it holds
  await isUp(caller.queue);
  caller.enqueue(300);
  await isUp(caller.queue);
  expect(caller.errors).toEqual([]);
  await expectOrder(setup);
});

it('waits for jobs that a former process held when it died', async () => {
  await using setup = await setUp();
  const { caller, queue, open, store } = setup;
  await backUp(setup, 100);
  await queue.close({ timeoutMs: 100 });
  await heal(setup);
  expect((await store.lease(NAME, 50, 1000))?.jobs).toHaveLength(50);
  caller.queue = open();
  const startedAt = performance.now();
  await caller.enqueueUntil(() => performance.now() - startedAt > 700);
  expect(caller.queue.health().totals.delivered).toBe(0);
  await isUp(caller.queue);
  await expectOrder(setup);
});

it('closes in an outage and goes on where it ended, with a batch that Redis executes late', async () => {
  await using setup = await setUp();
  const { caller, queue, open, server } = setup;
  caller.enqueue(10);
  await caller.settled();
  server.pause();
  caller.enqueue(500);
  await sleep(50);
  caller.enqueue(100);
  expect((await queue.close({ timeoutMs: 100 })).pending).toBe(600);
  caller.queue = open();
  caller.enqueue(100);
  await sleep(100);
  server.resume();
  await caller.enqueueUntil(() => caller.queue.health().status === 'up');
  await expectOrder(setup);
  expect(caller.accepted.length).toBeGreaterThan(710);
});

it('is isolated in the middle of a batch, and goes on', async () => {
  await using setup = await setUp();
  const { caller, queue, proxy } = setup;
  caller.enqueue(1);
  await caller.settled();
  proxy.latency(40);
  for (let round = 0; round < 4; round++) {
    caller.enqueue(20);
    await sleep(10 + 15 * round); // before, and after, the batch is executed
    const isolation = queue.isolate();
    caller.enqueue(20);
    await sleep(30);
    caller.enqueue(5);
    isolation.dispose();
    caller.enqueue(5);
    await isUp(queue);
  }
  await expectOrder(setup);
});

it('keeps the order when other calls open the breaker in the middle of a batch', async () => {
  await using setup = await setUp({ breaker: { failures: 1, probeAfterMs: 20 } });
  const { caller, queue, proxy } = setup;
  caller.enqueue(1);
  await caller.settled();
  proxy.latency(40);
  for (let round = 0; round < 4; round++) {
    caller.enqueue(20);
    await sleep(5 + 15 * round);
    caller.enqueue(20);
    await queue.execute(() => Promise.reject(new Error('LOADING of a call'))).catch(() => {});
    expect(queue.health().breaker).not.toBe('closed');
    caller.enqueue(20);
    await queue.check({ timeoutMs: 20 });
    caller.enqueue(20);
    await isUp(queue);
  }
  await expectOrder(setup);
});

it('keeps the order of a thousand calls in one turn when one attempt may take the whole deadline', async () => {
  await using setup = await setUp({ deadlineMs: 500, attemptTimeoutMs: 500 });
  const { caller, queue, server } = setup;
  caller.enqueue(1);
  await caller.settled();
  server.pause();
  caller.enqueue(1000);
  await caller.settled();
  server.resume();
  await caller.enqueueUntil(() => queue.health().status === 'up');
  expect(caller.errors).toEqual([]);
  await expectOrder(setup);
});

it('refuses jobs while the backup is full or fails, and keeps the order of the others', async () => {
  await using setup = await setUp({ backupLimit: { jobs: 1500 } });
  const { caller, queue, store } = setup;
  await backUp(setup, 100);
  let appends = 0;
  store.beforeAppend = () =>
    ++appends % 3 === 0 ? Promise.reject(new Error('the disk has failed')) : undefined;
  await caller.enqueueUntil(() => queue.health().backup.pending >= 1500);
  caller.enqueue(50);
  await heal(setup);
  await caller.enqueueUntil(() => queue.health().status === 'up');
  store.beforeAppend = undefined;
  await caller.settled();
  await isUp(queue);
  const codes = new Set(caller.errors.map((error) => isResilientQueueError(error) && error.code));
  expect(codes).toEqual(new Set(['BACKUP_FULL', 'UNAVAILABLE']));
  await expectOrder(setup);
});

it('is not stopped for ever by an append that never answers', async () => {
  await using setup = await setUp();
  const { caller, queue, store } = setup;
  await backUp(setup, 50);
  const hung = gate();
  store.beforeAppend = () => {
    store.beforeAppend = undefined;
    return hung.isOpen;
  };
  caller.enqueue(10);
  await caller.settled();
  expect(caller.errors).toHaveLength(10);
  expect(caller.errors[0]).toMatchObject({ code: 'UNAVAILABLE', fate: 'unknown' });
  await heal(setup);
  await caller.enqueueUntil(() => queue.health().status === 'up');
  const before = caller.errors.length;
  const acceptedBefore = caller.accepted.length;
  caller.enqueue(50);
  await caller.settled();
  expect(caller.errors).toHaveLength(before);
  expect(queue.health().totals.delivered).toBeGreaterThan(acceptedBefore);
  // It takes effect after all: those ten stand behind, and nothing else changes its place.
  hung.open();
  await caller.enqueueUntil(() => queue.health().totals.inherited === 10);
  await isUp(queue);
  await expectOrder(setup);
});

it('counts the jobs that a store kept without saying so: the backlog is not empty before they are gone', async () => {
  await using setup = await setUp({ replay: { batchSize: 16, leaseMs: 1000, pollMs: 60_000 } });
  const { caller, queue, store, transport } = setup;
  await backUp(setup, 1);
  store.afterAppend = () => Promise.reject(Object.assign(new Error('cut off'), { fate: 'unknown' }));
  caller.enqueue(48);
  await caller.settled();
  expect(caller.errors).toHaveLength(48);
  store.afterAppend = undefined;
  caller.enqueue(48);
  await caller.settled();
  // Each batch of the replay is followed by a job of now.
  const deliver = transport.refuses;
  transport.refuses = (jobs) => {
    setImmediate(() => caller.enqueue(1));
    return deliver(jobs);
  };
  await heal(setup);
  await waitFor(() => queue.health().totals.inherited === 48 && queue.health().status === 'up', {
    what: 'all of it to be delivered',
    timeoutMs: 20_000,
  });
  transport.refuses = deliver;
  await isUp(queue);
  await expectOrder(setup);
});

it.each([
  { what: 'while it expects some of a predecessor', leaseMs: 60_000, answeredAt: 'afterLease' },
  { what: 'before the answer of the next call', leaseMs: 1000, answeredAt: 'afterLease' },
  { what: 'after the next call had to be taken back', leaseMs: 1000, answeredAt: 'beforeRelease' },
] as const)('takes jobs back that a call of lease() gets late, $what', async ({ leaseMs, answeredAt }) => {
  await using setup = await setUp({ replay: { batchSize: 32, leaseMs, pollMs: 100 } });
  const { caller, queue, store } = setup;
  if (leaseMs <= 1000) await sleep(leaseMs);
  const letGo = await hold(setup, 100);
  const hung = gate();
  const answered = gate();
  let calls = 0;
  let leases = 0;
  store.beforeLease = () => {
    calls += 1;
    if (calls === 1) return hung.isOpen;
    // At the worst moment: nobody has held a job just now, and the next call is under way.
    hung.open();
    return new Promise(setImmediate);
  };
  store.afterLease = () => {
    leases += 1;
    if (leases === 1) return answered.isOpen;
    if (answeredAt === 'afterLease') answered.open();
    return undefined;
  };
  if (answeredAt === 'beforeRelease') store.beforeRelease = async () => answered.open();
  letGo();
  await caller.enqueueUntil(() => queue.health().status === 'up');
  expect(leases).toBeGreaterThan(2);
  await expectOrder(setup);
});

it('waits for the end of a lease that a store gave without an answer', async () => {
  await using setup = await setUp({ replay: { batchSize: 32, leaseMs: 1000, pollMs: 100 } });
  const { caller, queue, store } = setup;
  const letGo = await hold(setup, 100);
  let leases = 0;
  store.afterLease = () => (++leases === 1 ? new Promise<never>(() => {}) : undefined);
  letGo();
  await caller.enqueueUntil(() => queue.health().status === 'up');
  expect(leases).toBeGreaterThan(2);
  await expectOrder(setup);
});

it('waits for the lease to end when a store did not take its jobs back', async () => {
  await using setup = await setUp({ replay: { batchSize: 32, leaseMs: 1000, pollMs: 100 } });
  const { caller, queue, store, transport } = setup;
  // Until then it expects calls of a predecessor.
  await sleep(1000);
  const letGo = await hold(setup, 200);
  let failures = 0;
  let deliveries = 0;
  store.beforeRelease = () => (failures++ < 2 ? Promise.reject(new Error('cut off')) : undefined);
  // Nothing that would open the breaker: by the time it closes, the lease would have ended.
  transport.refuses = () => (++deliveries === 2 ? 'WRONGTYPE for a moment' : undefined);
  letGo();
  await caller.enqueueUntil(() => queue.health().status === 'up');
  expect(failures).toBeGreaterThanOrEqual(2);
  await expectOrder(setup);
});

it('waits no longer than a lease holds when a store says for ever that somebody has one', async () => {
  await using setup = await setUp();
  const { caller, queue, store } = setup;
  const letGo = await hold(setup, 30);
  store.stats = async (name) => ({ ...(await store.inner.stats(name)), leased: 1 });
  letGo();
  await caller.enqueueUntil(() => queue.health().status === 'up');
  await expectOrder(setup);
});

it('holds the others back while a job is refused that may still be taken', async () => {
  await using setup = await setUp();
  const { caller, queue, transport } = setup;
  const letGo = await hold(setup, 30);
  const poison = includes(20);
  transport.refuses = (jobs) =>
    poison(jobs) && transport.refusals < 6 ? 'WRONGTYPE only for now' : undefined;
  letGo();
  await caller.enqueueUntil(() => queue.health().status === 'up');
  expect(queue.health().backup.parked).toBe(0);
  await expectOrder(setup);
});

it('parks a job that is refused again and again as soon as Redis takes the one behind it', async () => {
  await using setup = await setUp();
  const { caller, queue, transport } = setup;
  const parked: string[] = [];
  queue.on('parked', ({ reason }) => parked.push(reason));
  const letGo = await hold(setup, 30);
  const poison = includes(20);
  transport.refuses = (jobs) => (poison(jobs) ? 'WRONGTYPE for ever' : undefined);
  letGo();
  await caller.enqueueUntil(() => queue.health().backup.parked === 1);
  await isUp(queue);
  expect(parked).toEqual(['rejected']);
  await expectOrder(setup, [20]);
});

it('parks a job that another has passed, although the store fails when it is told of that', async () => {
  for (const failing of ['beforeAcknowledge', 'beforePark'] as const) {
    await using setup = await setUp();
    const { caller, queue, store, transport } = setup;
    const parked: string[] = [];
    queue.on('parked', ({ reason }) => parked.push(reason));
    const letGo = await hold(setup, 30);
    const [poison, behind] = [includes(20), includes(21)];
    let isPassed = false;
    transport.refuses = (jobs) => {
      if (poison(jobs)) return isPassed ? undefined : 'WRONGTYPE until another has passed it';
      if (behind(jobs) && !isPassed) {
        isPassed = true;
        store[failing] = () => {
          store[failing] = undefined;
          throw new Error('The disk is full');
        };
      }
      return undefined;
    };
    letGo();
    await caller.enqueueUntil(() => isPassed && queue.health().status === 'up');
    await waitFor(async () => (await store.stats(NAME)).parked === 1, { what: 'the job to be parked' });
    expect(store[failing]).toBeUndefined();
    expect(parked).toEqual(['rejected']);
    await expectOrder(setup, [20]);
  }
});

it('keeps in mind which job may have been passed, although the store is slow to give it out again', async () => {
  await using setup = await setUp({ backupDeadlineMs: 2000 });
  const { queue, store, transport } = setup;
  const letGo = await hold(setup, 30);
  const [poison, behind] = [includes(0), includes(1)];
  let isPassed = false;
  transport.refuses = (jobs) =>
    poison(jobs) && !isPassed ? 'WRONGTYPE until another has passed it' : undefined;
  transport.after = (delivery, jobs) => {
    if (isPassed || !behind(jobs)) return delivery;
    isPassed = true;
    store.afterLease = () => {
      store.afterLease = undefined;
      // More than half of the lease: it is given back, and nothing is sent.
      return sleep(700);
    };
    throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
  };
  letGo();
  await waitFor(() => isPassed && queue.health().status === 'up', {
    what: 'the queue to be up',
    timeoutMs: 20_000,
  });
  expect(store.afterLease).toBeUndefined();
  expect(queue.health().backup.parked).toBe(1);
  await expectOrder(setup, [0]);
});

it.each([
  { what: 'jobs that follow each other', poison: [0, 1, 2], batchSize: 32 },
  { what: 'a job with a lease of one', poison: [0], batchSize: 1 },
])('parks $what when they are refused again and again', async ({ poison, batchSize }) => {
  await using setup = await setUp({ replay: { batchSize, leaseMs: 1000, pollMs: 100 } });
  const { caller, queue, transport } = setup;
  const isPoison = (job: JobRecord) => poison.includes(numberOf(job));
  transport.refuses = (jobs) => (jobs.some(isPoison) ? 'WRONGTYPE for ever' : undefined);
  const letGo = await hold(setup, poison.length);
  letGo();
  // They are alone at first, and each has been tried by itself.
  await waitFor(() => transport.refusals >= 2, { what: 'them to be refused' });
  await caller.enqueueUntil(() => queue.health().backup.parked === poison.length);
  await isUp(queue);
  await expectOrder(setup, poison);
});

it('parks a job at once that Redis refuses between two that it takes', async () => {
  await using setup = await setUp();
  const { caller, queue, server } = setup;
  await server.command('RPUSH', `rsq:{${NAME}}:id:taken`, 'of another type');
  const letGo = await hold(setup, 10);
  caller.enqueue(1, { id: 'taken' });
  caller.enqueue(30);
  await caller.settled();
  letGo();
  await waitFor(() => queue.health().backup.parked === 1, { what: 'the job to be parked' });
  await server.command('DEL', `rsq:{${NAME}}:id:taken`);
  await isUp(queue);
  await expectOrder(setup, [10]);
});

it('lets everything wait, and parks nothing, while Redis takes no job of the queue', async () => {
  await using setup = await setUp();
  const { caller, queue, transport } = setup;
  const letGo = await hold(setup, 100);
  transport.refuses = () => 'WRONGTYPE: the stream is a list';
  letGo();
  await caller.enqueueUntil(() => transport.refusals >= 15);
  transport.refuses = () => undefined;
  await caller.enqueueUntil(() => queue.health().status === 'up');
  expect(queue.health().backup.parked).toBe(0);
  await expectOrder(setup);
});

describe('a batch whose answer is lost', () => {
  /** Makes Redis execute the first batch that is replayed, and nobody hear of it. */
  async function loseFirstAnswer(
    setup: Setup,
    jobs: readonly (string | undefined)[],
    meanwhile = async () => {},
  ) {
    const { caller, queue, transport } = setup;
    const isolation = queue.isolate();
    for (const id of jobs) caller.enqueue(1, id === undefined ? {} : { id });
    await caller.settled();
    let isLost = false;
    transport.after = async (delivery, batch) => {
      if (isLost) return delivery;
      isLost = true;
      expect(batch).toHaveLength(jobs.length);
      await meanwhile();
      throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
    };
    isolation.dispose();
    await waitFor(() => isLost && queue.health().status === 'up', { what: 'the queue to be up' });
  }

  it('parks the jobs in it that were refused: others have passed them', async () => {
    await using setup = await setUp();
    const { server, queue } = setup;
    const marker = `rsq:{${NAME}}:id:mine`;
    await server.command('RPUSH', marker, 'not a string');
    const parked: unknown[] = [];
    queue.on('parked', (event) => parked.push(event));
    await loseFirstAnswer(setup, ['mine', undefined, undefined], async () => {
      await server.command('DEL', marker);
    });
    expect(parked).toEqual([expect.objectContaining({ id: 'mine', reason: 'rejected' })]);
    await expectOrder(setup, [0]);
    expect(queue.health().totals).toMatchObject({ accepted: 3, delivered: 2, parked: 1, pending: 0 });
  });

  it('sends none of them before Redis has said which were refused', async () => {
    await using setup = await setUp();
    const { server, proxy, store, queue } = setup;
    const marker = `rsq:{${NAME}}:id:mine`;
    await server.command('RPUSH', marker, 'not a string');
    await loseFirstAnswer(setup, ['mine', undefined, undefined], async () => {
      await server.command('DEL', marker);
      store.afterLease = () => {
        store.afterLease = undefined;
        proxy.blackhole();
        // Longer than one attempt, shorter than two.
        setTimeout(() => proxy.heal(), 350);
        return undefined;
      };
    });
    expect(queue.health().totals).toMatchObject({ accepted: 3, delivered: 2, parked: 1, pending: 0 });
    await expectOrder(setup, [0]);
  });

  it('parks those of a live batch, too', async () => {
    await using setup = await setUp();
    const { caller, server, queue, transport } = setup;
    const letGo = await hold(setup, 3);
    letGo();
    await isUp(queue);
    const marker = `rsq:{${NAME}}:id:mine`;
    await server.command('RPUSH', marker, 'not a string');
    transport.after = async (delivery, batch) => {
      if (batch.length < 3) return delivery;
      transport.after = (later) => later;
      await server.command('DEL', marker);
      throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
    };
    caller.enqueue(1, { id: 'mine' });
    caller.enqueue(2);
    await caller.settled();
    await isUp(queue);
    expect(queue.health().totals).toMatchObject({ accepted: 6, delivered: 5, parked: 1 });
    await expectOrder(setup, [3]);
  });

  it('parks those of a queue object that ended before it had the answer', async () => {
    await using setup = await setUp();
    const { caller, server, queue, store, transport, open } = setup;
    const marker = `rsq:{${NAME}}:id:mine`;
    await server.command('RPUSH', marker, 'not a string');
    const isolation = queue.isolate();
    caller.enqueue(1, { id: 'mine' });
    caller.enqueue(2);
    await caller.settled();
    let closed: Promise<unknown> | undefined;
    transport.after = (delivery) => {
      transport.after = (later) => later;
      closed = queue.close({ timeoutMs: 0 });
      return new Promise(() => delivery);
    };
    isolation.dispose();
    await waitFor(() => closed !== undefined, { what: 'the batch to be executed' });
    await closed;
    expect(await store.stats(NAME)).toMatchObject({ pending: 3, parked: 0 });
    await server.command('DEL', marker);
    caller.queue = open();
    await waitFor(async () => (await store.stats(NAME)).parked === 1, { what: 'the job to be parked' });
    await expectOrder(setup, [0]);
  });

  it('parks all of them, although the store fails when it is told of the first', async () => {
    await using setup = await setUp();
    const { server, queue, store } = setup;
    const markers = ['one', 'two'].map((id) => `rsq:{${NAME}}:id:${id}`);
    for (const marker of markers) await server.command('RPUSH', marker, 'not a string');
    const parked: string[] = [];
    queue.on('parked', ({ id }) => parked.push(id));
    await loseFirstAnswer(setup, ['one', 'two', undefined], async () => {
      await server.command('DEL', ...markers);
      store.beforePark = () => {
        store.beforePark = undefined;
        throw new Error('The disk is full');
      };
    });
    expect(store.beforePark).toBeUndefined();
    expect(parked.toSorted()).toEqual(['one', 'two']);
    await waitFor(async () => (await store.stats(NAME)).parked === 2, { what: 'both to be parked' });
    expect(queue.health().totals).toMatchObject({ accepted: 3, delivered: 1, parked: 2, pending: 0 });
    await expectOrder(setup, [0, 1]);
  });

  it('parks none when its lease has ended before Redis said so, and asks again', async () => {
    await using setup = await setUp({ attemptTimeoutMs: 600 });
    const { server, proxy, store, queue } = setup;
    const marker = `rsq:{${NAME}}:id:mine`;
    await server.command('RPUSH', marker, 'not a string');
    let parksTooLate = 0;
    let leasedAt = 0;
    store.beforePark = () => {
      if (performance.now() - leasedAt > 500) parksTooLate += 1;
      return undefined;
    };
    let slow = 0;
    await loseFirstAnswer(setup, ['mine', undefined, undefined], async () => {
      await server.command('DEL', marker);
      store.afterLease = () => {
        leasedAt = performance.now();
        if (slow++ > 0) return undefined;
        // More than half of the lease, and in time for an answer.
        proxy.latency(550);
        setTimeout(() => proxy.heal(), 560);
        return undefined;
      };
    });
    expect({ slow, parksTooLate }).toEqual({ slow: expect.any(Number), parksTooLate: 0 });
    expect(slow).toBeGreaterThan(1);
    expect(queue.health().totals).toMatchObject({ accepted: 3, delivered: 2, parked: 1, pending: 0 });
    await expectOrder(setup, [0]);
  });

  it('is asked about as a whole, also where few are replayed at once', async () => {
    await using setup = await setUp({ replay: { batchSize: 1, leaseMs: 1000, pollMs: 100 } });
    const { caller, server, queue, transport } = setup;
    caller.enqueue(1);
    await caller.settled();
    const marker = `rsq:{${NAME}}:id:mine`;
    await server.command('RPUSH', marker, 'not a string');
    const sizes: number[] = [];
    transport.after = async (delivery, batch) => {
      sizes.push(batch.length);
      if (!batch.some(({ id }) => id === 'mine')) return delivery;
      transport.after = (later) => later;
      await server.command('DEL', marker);
      throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
    };
    caller.enqueue(15);
    caller.enqueue(1, { id: 'mine' });
    caller.enqueue(20);
    await caller.settled();
    await isUp(queue);
    expect(Math.max(...sizes)).toBeGreaterThan(1);
    // Had it been the sixteenth of a larger batch, the lease of sixteen would not have shown who passed it.
    expect(caller.accepted).toHaveLength(37);
    await expectOrder(setup);
  });

  it.each([1, 9])('asks Redis again when its answer is one that nobody knows, %s times', async (times) => {
    const marker = `rsq:{${NAME}}:id:mine`;
    let oddAnswers = 0;
    await using setup = await setUp({}, (send) => (args, key) => {
      if (oddAnswers === 0 || args[3] !== marker) return send(args, key);
      oddAnswers -= 1;
      return Promise.reject(new Error('ODD something that nobody has heard of'));
    });
    const { server, queue } = setup;
    await server.command('RPUSH', marker, 'not a string');
    await loseFirstAnswer(setup, ['mine', undefined, undefined], async () => {
      await server.command('DEL', marker);
      oddAnswers = times;
    });
    const { delivered, parked } = queue.health().totals;
    // Some time it goes on as if it could not be asked at all: better out of order than never.
    expect({ delivered, parked }).toEqual(
      times < 5 ? { delivered: 2, parked: 1 } : { delivered: 3, parked: 0 },
    );
    if (times < 5) await expectOrder(setup, [0]);
  });

  it('parks none that is in its queue by another call', async () => {
    await using setup = await setUp();
    const { caller, queue } = setup;
    caller.enqueue(1, { id: 'mine' });
    await caller.settled();
    await loseFirstAnswer(setup, ['mine', undefined, undefined]);
    expect(queue.health().backup.parked).toBe(0);
    await expectOrder(setup, [1]);
    expect(queue.health().totals).toMatchObject({ accepted: 4, delivered: 4, parked: 0, pending: 0 });
  });
});

it('leaves out the jobs that their callers took back', async () => {
  await using setup = await setUp();
  const { caller, queue, proxy } = setup;
  caller.enqueue(1);
  await caller.settled();
  proxy.latency(30);
  const abort = (afterMs: number) => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), afterMs);
    return { signal: controller.signal };
  };
  for (let round = 0; round < 20; round++) {
    caller.enqueue(5);
    caller.enqueue(3, abort(round));
    await sleep(10);
  }
  const isolation = queue.isolate();
  for (let round = 0; round < 10; round++) {
    caller.enqueue(3, abort(0));
    caller.enqueue(5);
    await sleep(5);
  }
  isolation.dispose();
  await caller.enqueueUntil(() => queue.health().status === 'up');
  await caller.settled();
  expect(caller.errors.length).toBeGreaterThan(10);
  for (const error of caller.errors) expect(error).toMatchObject({ code: 'ABORTED', fate: 'not-delivered' });
  await expectOrder(setup);
});
