import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, it, onTestFinished } from 'vitest';
import { MemoryBackupStore, type QueueEvents, ResilientQueue, streamKey } from '../../src/index.js';
import { Ledger } from '../support/ledger.js';
import { settleWithin } from '../support/load.js';
import { RedisServer } from '../support/redis-server.js';
import { readStream } from '../support/stream.js';
import { waitFor } from '../support/wait-for.js';

const NAME = 'listeners';

// `redis-data-loss` comes with a later release.
const EVENTS: readonly (keyof QueueEvents)[] = [
  ...(['health', 'breaker', 'outage', 'enqueued', 'backed-up', 'duplicate', 'replay'] as const),
  ...(['parked', 'dropped', 'redis-data-loss', 'error'] as const),
];

const unhandled: unknown[] = [];
const warnings: string[] = [];
const onUnhandled = (reason: unknown) => unhandled.push(reason);
const onWarning = (warning: Error) => warnings.push(`${warning.name}: ${warning.message}`);

beforeEach(() => {
  unhandled.length = 0;
  warnings.length = 0;
  process.on('unhandledRejection', onUnhandled);
  process.on('uncaughtException', onUnhandled);
  process.on('warning', onWarning);
});

afterEach(() => {
  process.off('unhandledRejection', onUnhandled);
  process.off('uncaughtException', onUnhandled);
  process.off('warning', onWarning);
});

const misbehaving: Readonly<Record<string, () => unknown>> = {
  throw: () => {
    throw new Error('a listener threw');
  },
  'throw nothing at all': () => {
    throw undefined;
  },
  reject: async () => {
    throw new Error('a listener rejected');
  },
  'return a thenable that throws': () => ({
    // biome-ignore lint/suspicious/noThenProperty: a thenable that is no promise is what this is about
    then() {
      throw new Error('a thenable threw');
    },
  }),
};

it.each(Object.keys(misbehaving))(
  'delivery is unchanged by listeners that %s on every event',
  async (how) => {
    await using server = await RedisServer.start();
    const client = new Redis({ port: server.port });
    client.on('error', () => {});
    onTestFinished(() => client.disconnect());
    const store = new MemoryBackupStore();
    const queue = new ResilientQueue(NAME, { redis: client, backup: store, deadlineMs: 500 });
    const heard = new Map<string, number>();
    for (const name of EVENTS) {
      const listener = () => {
        heard.set(name, (heard.get(name) ?? 0) + 1);
        return misbehaving[how]?.();
      };
      queue.on(name, listener);
      queue.once(name, listener);
    }
    // The well-behaved beside them hear everything.
    const wellHeard = new Set<string>();
    for (const name of EVENTS) queue.on(name, () => wellHeard.add(name));

    const ledger = new Ledger();
    const offer = async (from: number, to: number) => {
      for (let n = from; n < to; n++) void ledger.track(`${n}`, queue.enqueue('job', { n }, { id: `${n}` }));
      expect(await settleWithin(ledger, 5000)).toBe(true);
    };
    await offer(0, 100);
    await server.kill();
    await offer(100, 400);
    // One that expires while it waits, and one that is parked: no release of this library wrote it.
    const expiresAt = Date.now() + 50;
    await queue.enqueue('expires', undefined, { id: 'expires', expiresAt });
    await store.append(NAME, [
      {
        ...{ version: 99, queue: NAME, id: 'from-the-future', delivery: `${'f'.repeat(27)}-0`, name: 'job' },
        ...{ payload: '1', fate: 'not-delivered', enqueuedAt: Date.now(), transport: 'streams' },
      },
    ]);
    await waitFor(() => Date.now() > expiresAt, { what: 'the expiry' });
    await server.restart();
    await waitFor(() => queue.health().status === 'up', { what: 'the queue to be up' });
    await offer(400, 500);
    expect((await queue.enqueue('job', { n: 0 }, { id: '0' })).outcome).toBe('duplicate');

    ledger.delivered((await readStream(server, streamKey(NAME))).map((entry) => entry.fields.id as string));
    expect(ledger.summary(), `${ledger}`).toMatchObject({
      ...{ accepted: 500, delivered: 500, lost: 0, doubled: 0, ghosts: 0, unsettled: 0, errors: {} },
    });
    expect(await store.stats(NAME)).toMatchObject({ pending: 0, leased: 0, parked: 1 });
    const { totals } = queue.health();
    expect(totals).toMatchObject({ accepted: 501, delivered: 500, dropped: 1, parked: 1 });
    expect(await queue.close()).toEqual({ pending: 0 });

    const all = EVENTS.filter((name) => name !== 'redis-data-loss');
    expect([...heard.keys()].sort()).toEqual([...all].sort());
    expect([...wellHeard].sort()).toEqual([...all].sort());
    await new Promise(setImmediate);
    expect(unhandled).toEqual([]);
    // What an error listener does wrong is a warning, once.
    expect(warnings.filter((warning) => warning.includes('(listener)'))).toHaveLength(1);
  },
);

it('tells the error listener what the other listeners did, and goes on without one', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const client = new Redis({ port: server.port });
  client.on('error', () => {});
  onTestFinished(() => client.disconnect());
  await using queue = new ResilientQueue(NAME, { redis: client, backup: new MemoryBackupStore() });
  queue.on('enqueued', () => {
    throw new Error('first');
  });
  queue.on('enqueued', () => Promise.reject(new Error('second')));
  await queue.enqueue('job');
  await queue.enqueue('job');
  await waitFor(() => warnings.length > 0, { what: 'a warning' });
  expect(warnings).toEqual([`ResilientQueueWarning: Queue "${NAME}" (listener): first`]);

  const told: string[] = [];
  const listener = ({ kind, error }: QueueEvents['error']) => told.push(`${kind}: ${error.message}`);
  queue.on('error', listener);
  await queue.enqueue('job');
  await waitFor(() => told.length === 2, { what: 'both errors' });
  expect(told.sort()).toEqual(['listener: first', 'listener: second']);
  queue.off('error', listener);
  await queue.enqueue('job');
  await new Promise(setImmediate);
  expect(told).toHaveLength(2);
  expect(unhandled).toEqual([]);
});

it('an onProgress that throws neither ends the replay nor the process', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const client = new Redis({ port: server.port });
  client.on('error', () => {});
  onTestFinished(() => client.disconnect());
  await using queue = new ResilientQueue(NAME, {
    redis: client,
    backup: new MemoryBackupStore(),
    replay: { auto: false },
  });
  queue.on('error', () => {});
  await queue.enqueue('first');
  const maintenance = queue.isolate();
  await Promise.all(Array.from({ length: 100 }, (_, n) => queue.enqueue('job', n)));
  maintenance.dispose();
  const onProgress = () => {
    throw new Error('onProgress threw');
  };
  expect(await queue.replay({ onProgress })).toMatchObject({ replayed: 100, remaining: 0 });
  expect(queue.health().status).toBe('up');
  expect(unhandled).toEqual([]);
});
