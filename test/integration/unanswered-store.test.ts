import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import type {
  AppendOutcome,
  JobRecord,
  QueueOptions,
  Receipt,
  ResilientQueue,
  ResilientQueueError,
} from '../../src/index.js';
import { fail, HookedStore, mute, never } from '../support/hooked-store.js';
import { queueOnRedis } from '../support/queue-on-redis.js';
import { waitFor } from '../support/wait-for.js';

// What becomes of jobs, and of the books, when the store did something and nobody was told.

const NAME = 'unanswered';

async function setUp(options: Partial<QueueOptions> = {}, store = new HookedStore()) {
  const kit = await queueOnRedis(NAME, {
    backup: store,
    deadlineMs: 500,
    attemptTimeoutMs: 200,
    backupDeadlineMs: 100,
    replay: { pollMs: 100, leaseMs: 1000 },
    ...options,
  });
  onTestFinished(() => {
    store.hooks = {};
  });
  const told: string[] = [];
  kit.queue.on('dropped', ({ id, reason }) => told.push(`${id}: ${reason}`));
  return { ...kit, store, told };
}

/** The receipt, or the error. */
function outcomeOf(enqueued: Promise<Receipt>): Promise<Receipt | ResilientQueueError> {
  return enqueued.catch((error: ResilientQueueError) => error);
}

async function untilEmpty({ queue }: { queue: ResilientQueue }, store: HookedStore): Promise<void> {
  await waitFor(
    async () => (await store.inner.stats(NAME)).pending === 0 && queue.health().backup.pending === 0,
    { what: 'the store to be empty' },
  );
}

function expectBooks(queue: ResilientQueue, expected: Readonly<Record<string, number>>): void {
  const { accepted, inherited, delivered, pending, parked, dropped } = queue.health().totals;
  const books = { accepted, inherited, delivered, pending, parked, dropped };
  const all = { accepted: 0, inherited: 0, delivered: 0, pending: 0, parked: 0, dropped: 0, ...expected };
  expect(books).toEqual(all);
}

/** It holds a job that has not expired. */
async function isKept(store: HookedStore): Promise<boolean> {
  const { jobs } = await store.inner.admin.list(NAME, 'pending', { limit: 10 });
  return (jobs as readonly JobRecord[]).some((job) => job.expiresAt === undefined);
}

async function untilExpired(expiresAt: number): Promise<void> {
  await waitFor(() => Date.now() > expiresAt, { what: 'the job to expire' });
}

it('takes every job again once a store is well that left as many calls as it gets without an answer', async () => {
  const { queue, store } = await setUp();
  queue.isolate();
  for (let n = 0; n < 4; n++) {
    store.hooks.append = never;
    const unanswered = outcomeOf(queue.enqueue('job', n));
    await waitFor(() => queue.health().totals.rejected > n, { what: 'the call to be given up' });
    expect(await unanswered).toMatchObject({ code: 'UNAVAILABLE' });
  }
  store.hooks = {};
  // The first one is a trial.
  await waitFor(async () => 'outcome' in (await outcomeOf(queue.enqueue('job', 0))), {
    what: 'a job to be taken',
  });
  const taken = await Promise.all(Array.from({ length: 50 }, (_, n) => outcomeOf(queue.enqueue('job', n))));
  expect(taken.map((one) => ('outcome' in one ? one.outcome : one.code))).toEqual(
    new Array(50).fill('backed-up'),
  );
});

it('takes no job as a duplicate of one that the store lets go of before it answers', async () => {
  const { queue, store, told } = await setUp({ backupDeadlineMs: 2000 });
  const first = queue.isolate();
  const expiresAt = Date.now() + 100;
  await queue.enqueue('job', 1, { id: 'again', expiresAt });
  await untilExpired(expiresAt);
  let again: Promise<Receipt | ResilientQueueError> | undefined;
  let isFound = false;
  store.hooks.append = async (run) => {
    const outcomes = await run();
    isFound = true;
    await sleep(200);
    return outcomes;
  };
  store.hooks.acknowledge = async (run) => {
    await waitFor(() => isFound, { what: 'the store to have looked for the id' });
    return run();
  };
  queue.on('dropped', () => {
    queue.isolate();
    again = outcomeOf(queue.enqueue('job', 2, { id: 'again' }));
  });
  first.dispose();
  await waitFor(() => again !== undefined, { what: 'the job to be dropped' });
  expect(await again).toMatchObject({ code: 'UNAVAILABLE', fate: 'not-delivered' });
  expect(told).toEqual(['again: expired']);
  expectBooks(queue, { accepted: 1, dropped: 1 });
});

it('does not say that a job is nowhere which the store may have after one of its id was dropped', async () => {
  const kit = await setUp({ replay: { pollMs: 60_000, leaseMs: 1000 } });
  const { queue, store, idsInRedis, errors } = kit;
  const first = queue.isolate();
  const expiresAt = Date.now() + 100;
  await queue.enqueue('job', 1, { id: 'stays' });
  await queue.enqueue('job', 1, { id: 'again', expiresAt });
  await untilExpired(expiresAt);
  let second: { dispose(): void } | undefined;
  queue.on('dropped', () => {
    second = queue.isolate();
  });
  store.hooks.acknowledge = (run, ids) => (ids.includes('again') ? mute(run) : run());
  first.dispose();
  await waitFor(() => errors.length > 0, { what: 'the acknowledgement to be given up' });
  store.hooks = { append: mute };
  expect(await outcomeOf(queue.enqueue('job', 2, { id: 'again' }))).toMatchObject({ fate: 'unknown' });
  store.hooks = {};
  expect(await outcomeOf(queue.enqueue('job', 2, { id: 'again' }))).toMatchObject({ fate: 'unknown' });
  second?.dispose();
  await queue.replay();
  await untilEmpty(kit, store);
  expect((await idsInRedis()).toSorted()).toEqual(['again', 'stays']);
  expectBooks(queue, { accepted: 2, inherited: 1, delivered: 2, dropped: 1 });
});

it('lays down again what Redis lost, although the store holds a job of its id that was given up', async () => {
  const { server, queue, store, told, idsInRedis } = await setUp();
  const maintenance = queue.isolate();
  const expiresAt = Date.now() + 50;
  await queue.enqueue('job', 1, { id: 'again', expiresAt });
  await untilExpired(expiresAt);
  store.hooks.acknowledge = fail;
  maintenance.dispose();
  await waitFor(() => told.length === 1, { what: 'the first to be dropped' });
  expect(await queue.enqueue('job', 2, { id: 'again' })).toMatchObject({ outcome: 'enqueued' });
  await server.command('ACL', 'SETUSER', 'default', '-xadd');
  await server.command('FLUSHALL');
  let isPresent = false;
  store.hooks.append = async (run) => {
    const outcomes = await run();
    isPresent ||= outcomes[0] === 'present';
    return outcomes;
  };
  await queue.check();
  await waitFor(() => isPresent, { what: 'the store to be asked to keep the second' });
  store.hooks = {};
  await waitFor(async () => (await idsInRedis()).length === 0 && (await isKept(store)), {
    what: 'the store to keep it',
    timeoutMs: 20_000,
  });
  await server.command('ACL', 'SETUSER', 'default', '+xadd');
  await waitFor(async () => (await idsInRedis()).length === 1, { what: 'the job to be laid down again' });
  expect(await idsInRedis()).toEqual(['again']);
  expect(told).toEqual(['again: expired']);
  await waitFor(() => queue.health().status === 'up', { what: 'the queue to be up' });
  expectBooks(queue, { accepted: 2, delivered: 1, dropped: 1 });
});

describe('a store that does not say what it did with each job', () => {
  it.each<[string, (outcomes: readonly AppendOutcome[]) => unknown]>([
    ['no answer', () => undefined],
    ['too few outcomes', (outcomes) => outcomes.slice(1)],
    ['too many', (outcomes) => [...outcomes, 'added']],
    ['words of its own', (outcomes) => outcomes.map(() => 'fine')],
    ['holes', ({ length }) => new Array(length)],
  ])('may have kept them, and their callers are told so: %s', async (_, answer) => {
    const kit = await setUp();
    const { queue, store, idsInRedis } = kit;
    const maintenance = queue.isolate();
    const both = ['comes again', 'is left'];
    store.hooks.append = async (run) => answer(await run()) as readonly AppendOutcome[];
    for (const error of await Promise.all(both.map((id) => outcomeOf(queue.enqueue('job', 1, { id }))))) {
      expect(error).toMatchObject({ code: 'UNAVAILABLE', fate: 'unknown' });
    }
    store.hooks = {};
    expect(await queue.enqueue('job', 1, { id: 'comes again' })).toMatchObject({ outcome: 'duplicate' });
    maintenance.dispose();
    await untilEmpty(kit, store);
    expect(await idsInRedis()).toEqual(both);
    expectBooks(queue, { inherited: 2, delivered: 2 });
  });
});

describe('close() of a memory store that did not hear what became of a job', () => {
  it('does not say that one is dropped which is in its queue', async () => {
    const { queue, store, told, idsInRedis } = await setUp({}, new HookedStore('memory'));
    const maintenance = queue.isolate();
    await queue.enqueue('job', 1, { id: 'there' });
    store.hooks.acknowledge = fail;
    maintenance.dispose();
    await waitFor(async () => (await idsInRedis()).length === 1, { what: 'the job to be laid down' });
    await queue.close({ timeoutMs: 300 });
    expect(told).toEqual([]);
    expectBooks(queue, { accepted: 1, delivered: 1 });
  });

  it('does not say twice that one is dropped', async () => {
    const { queue, store, told } = await setUp({}, new HookedStore('memory'));
    const maintenance = queue.isolate();
    const expiresAt = Date.now() + 50;
    await queue.enqueue('job', 1, { id: 'expired', expiresAt });
    await untilExpired(expiresAt);
    store.hooks.acknowledge = fail;
    maintenance.dispose();
    await waitFor(() => told.length === 1, { what: 'the job to be dropped' });
    await queue.close({ timeoutMs: 300 });
    expect(told).toEqual(['expired: expired']);
    expectBooks(queue, { accepted: 1, dropped: 1 });
  });
});

describe('counts a job once', () => {
  it('that is replayed while its caller, who had no answer, comes again', async () => {
    const kit = await setUp();
    const { queue, store } = kit;
    const maintenance = queue.isolate();
    store.hooks.append = async (run) => {
      const outcomes = await run();
      await sleep(200);
      return outcomes;
    };
    const unknown = (await outcomeOf(queue.enqueue('job', 1))) as ResilientQueueError;
    expect(unknown).toMatchObject({ fate: 'unknown' });
    await waitFor(() => queue.health().totals.inherited === 1, { what: 'the late answer' });
    let isAsked = false;
    store.hooks.append = () => {
      isAsked = true;
      return never();
    };
    const again = outcomeOf(queue.enqueue('job', 1, { id: unknown.jobId }));
    await waitFor(() => isAsked, { what: 'the store to be asked again' });
    maintenance.dispose();
    expect(await again).toMatchObject({ fate: 'unknown' });
    await untilEmpty(kit, store);
    expectBooks(queue, { inherited: 1, delivered: 1 });
  });

  it('that is dropped while its caller, who had no answer, comes again', async () => {
    const kit = await setUp({ backupDeadlineMs: 500 });
    const { queue, store } = kit;
    const maintenance = queue.isolate();
    store.hooks.append = mute;
    const expiresAt = Date.now() + 1000;
    const unknown = (await outcomeOf(queue.enqueue('job', 1, { expiresAt }))) as ResilientQueueError;
    await untilExpired(expiresAt);
    let isAsked = false;
    store.hooks = {
      append: async (run) => {
        isAsked = true;
        const outcomes = await run();
        await sleep(100);
        return outcomes;
      },
      acknowledge: never,
    };
    const again = outcomeOf(queue.enqueue('job', 1, { id: unknown.jobId }));
    await waitFor(() => isAsked, { what: 'the store to be asked again' });
    maintenance.dispose();
    expect(await again).toMatchObject({ code: 'UNAVAILABLE' });
    store.hooks = {};
    await untilEmpty(kit, store);
    expectBooks(queue, { inherited: 1, dropped: 1 });
  });

  it('of which the store answered neither that it took it nor that it let go of it', async () => {
    const kit = await setUp();
    const { queue, store } = kit;
    const maintenance = queue.isolate();
    store.hooks = { append: mute, acknowledge: mute };
    expect(await outcomeOf(queue.enqueue('job', 1))).toMatchObject({ fate: 'unknown' });
    await waitFor(() => queue.health().backup.pending === 1, { what: 'a look' });
    maintenance.dispose();
    await untilEmpty(kit, store);
    await waitFor(() => queue.health().totals.delivered === 1, { what: 'the job to be counted' });
    expectBooks(queue, { inherited: 1, delivered: 1 });
  });

  it('whose call takes effect after another one of its id did', async () => {
    const kit = await setUp();
    const { queue, store } = kit;
    const maintenance = queue.isolate();
    let goOn = () => {};
    const gate = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    store.hooks.append = async (run) => {
      await gate;
      return run();
    };
    expect(await outcomeOf(queue.enqueue('job', 1, { id: 'twice' }))).toMatchObject({ fate: 'unknown' });
    store.hooks = {};
    expect(await queue.enqueue('job', 1, { id: 'twice' })).toMatchObject({ outcome: 'backed-up' });
    maintenance.dispose();
    await untilEmpty(kit, store);
    goOn();
    await waitFor(() => queue.health().totals.delivered === 2, { what: 'both to be counted' });
    await untilEmpty(kit, store);
    expectBooks(queue, { accepted: 1, inherited: 1, delivered: 2 });
  });

  it('that is delivered while the store takes another without saying so', async () => {
    const kit = await setUp();
    const { queue, store, idsInRedis } = kit;
    const first = queue.isolate();
    await queue.enqueue('job', 1, { id: 'one' });
    let second: { dispose(): void } | undefined;
    let other: Promise<Receipt | ResilientQueueError> | undefined;
    store.hooks.acknowledge = async (run) => {
      await run();
      second = queue.isolate();
      store.hooks = { append: mute };
      other = outcomeOf(queue.enqueue('job', 2, { id: 'other' }));
      return never();
    };
    first.dispose();
    await waitFor(() => other !== undefined, { what: 'the first to be delivered' });
    expect(await other).toMatchObject({ fate: 'unknown' });
    let looks = 0;
    store.hooks = {
      stats: async (run) => {
        const stats = await run();
        looks += 1;
        return stats;
      },
    };
    // The first may have begun while there was something under way.
    await waitFor(() => looks > 2, { what: 'a look' });
    second?.dispose();
    await waitFor(async () => (await idsInRedis()).length === 2, { what: 'the other to be delivered' });
    await waitFor(() => queue.health().totals.delivered === 2, { what: 'both to be counted' });
    expectBooks(queue, { accepted: 1, inherited: 1, delivered: 2 });
  });
});
