import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import {
  type ErrorEvent,
  isResilientQueueError,
  MemoryBackupStore,
  ResilientQueue,
  type ResilientQueueError,
  streamKey,
} from '../../src/index.js';
import { Ledger } from '../support/ledger.js';
import { runLoad, settleWithin } from '../support/load.js';
import { RedisServer } from '../support/redis-server.js';
import { readStream } from '../support/stream.js';
import { waitFor } from '../support/wait-for.js';

const NAME = 'rights';

async function startServer(): Promise<RedisServer> {
  const server = await RedisServer.start({ appendOnly: 'no' });
  await server.command('ACL', 'SETUSER', 'app', 'on', '>secret', '~*', '&*', '+@all');
  return server;
}

function openQueue(server: RedisServer, store = new MemoryBackupStore()) {
  const client = new Redis({ port: server.port, username: 'app', password: 'secret' });
  client.on('error', () => {});
  onTestFinished(() => client.disconnect());
  const queue = new ResilientQueue(NAME, { redis: client, backup: store });
  const seen = { errors: [] as ErrorEvent[], breaker: [] as string[], parked: [] as string[] };
  queue.on('error', (event) => seen.errors.push(event));
  queue.on('breaker', ({ state }) => seen.breaker.push(state));
  queue.on('parked', ({ id }) => seen.parked.push(id));
  return { queue, seen, store };
}

/** Offers jobs, every third under a caller's id, until `signal`; keeps what was rejected. */
function offer(queue: ResilientQueue, ledger: Ledger, signal: AbortSignal) {
  const rejected: ResilientQueueError[] = [];
  const idOf = (n: number) => (n % 3 === 0 ? `mine-${n}` : undefined);
  const load = runLoad({
    perSecond: 1000,
    ledger,
    signal,
    idOf,
    enqueue: (n) =>
      queue.enqueue('job', { n }, { id: idOf(n) }).catch((error: ResilientQueueError) => {
        rejected.push(error);
        throw error;
      }),
  });
  return { load, rejected };
}

async function idsIn(server: RedisServer): Promise<string[]> {
  return (await readStream(server, streamKey(NAME))).map((entry) => entry.fields.id as string);
}

function expectBalance(queue: ResilientQueue): void {
  const { accepted, inherited, delivered, pending, parked, dropped } = queue.health().totals;
  expect(accepted + inherited).toBe(delivered + pending + parked + dropped);
}

/** How many scripts Redis has been asked to run. */
async function scriptsRun(server: RedisServer): Promise<number> {
  const stats = String(await server.command('INFO', 'commandstats'));
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

it.each(['xadd', 'bitfield'])(
  'rejects, and loses and doubles nothing, while the right to %s is missing',
  async (command) => {
    await using server = await startServer();
    const { queue, seen } = openQueue(server);
    const ledger = new Ledger();
    const ended = new AbortController();
    const { load, rejected } = offer(queue, ledger, ended.signal);
    await waitFor(() => queue.health().totals.delivered >= 300, { what: 'jobs before the right is taken' });
    await server.command('ACL', 'SETUSER', 'app', `-${command}`);
    await waitFor(() => rejected.length >= 400, { what: 'jobs to be rejected' });
    await server.command('ACL', 'SETUSER', 'app', `+${command}`);
    const before = queue.health().totals.delivered;
    await waitFor(() => queue.health().totals.delivered >= before + 300, {
      what: 'jobs after it is given back',
    });
    ended.abort();
    const { offered } = await load;
    expect(await settleWithin(ledger, 5000)).toBe(true);

    for (const error of rejected) {
      expect(isResilientQueueError(error)).toBe(true);
      expect(error).toMatchObject({ code: 'REJECTED_BY_REDIS', fate: 'not-delivered' });
      expect(error.jobId).toBeTypeOf('string');
    }
    ledger.delivered(await idsIn(server));
    expect(ledger.summary(), `${ledger}`).toMatchObject({
      ...{
        accepted: offered - rejected.length,
        delivered: offered - rejected.length,
        rejected: rejected.length,
      },
      ...{ lost: 0, doubled: 0, ghosts: 0, unsettled: 0, backedUp: 0, duplicates: 0 },
      errors: { REJECTED_BY_REDIS: rejected.length },
    });
    expect(seen.breaker).toEqual([]);
    expect(seen.errors, 'every caller was told').toEqual([]);
    expect(queue.health()).toMatchObject({ status: 'up', totals: { rejected: rejected.length, pending: 0 } });
    expectBalance(queue);

    // What was rejected is nowhere: under its id, the caller's or ours, it goes through once.
    const again = rejected.slice(0, 100).map((error) => error.jobId as string);
    for (const id of again) void ledger.track(id, queue.enqueue('job', 'again', { id }));
    expect(await settleWithin(ledger, 5000)).toBe(true);
    ledger.delivered(await idsIn(server));
    expect(ledger.summary(), `${ledger}`).toMatchObject({
      ...{ accepted: offered - rejected.length + 100, lost: 0, doubled: 0, ghosts: 0, duplicates: 0 },
    });
    expect(await queue.close()).toEqual({ pending: 0 });
  },
);

it.each(['xadd', 'bitfield'])(
  'keeps a backlog whose replay misses the right to %s, and replays it by itself',
  async (command) => {
    await using server = await startServer();
    const { queue, seen, store } = openQueue(server);
    const ledger = new Ledger();
    await ledger.track(undefined, queue.enqueue('first'));
    const maintenance = queue.isolate();
    for (let n = 0; n < 600; n++) {
      const id = n % 3 === 0 ? `mine-${n}` : undefined;
      void ledger.track(id, queue.enqueue('job', { n }, { id }));
    }
    expect(await settleWithin(ledger, 5000)).toBe(true);
    await server.command('ACL', 'SETUSER', 'app', `-${command}`);
    const scriptsBefore = await scriptsRun(server);
    maintenance.dispose();
    await waitFor(() => seen.errors.length > 0, { what: 'an error event' });
    await waitFor(async () => (await scriptsRun(server)) >= scriptsBefore + 5, {
      what: 'replay to try again',
    });
    expect(seen.errors.map(({ kind }) => kind)).toEqual(['noperm']);
    expect(await idsIn(server)).toHaveLength(1);
    expect(queue.health()).toMatchObject({ status: 'recovering', backup: { pending: 600, parked: 0 } });
    expectBalance(queue);

    await server.command('ACL', 'SETUSER', 'app', `+${command}`);
    await waitFor(() => queue.health().status === 'up', { what: 'the backlog to be replayed by itself' });
    ledger.delivered(await idsIn(server));
    expect(ledger.summary(), `${ledger}`).toMatchObject({
      ...{ accepted: 601, backedUp: 600, delivered: 601, lost: 0, doubled: 0, ghosts: 0, errors: {} },
    });
    expect(seen.parked).toEqual([]);
    expect(await store.stats(NAME)).toMatchObject({ pending: 0, leased: 0, parked: 0 });
    expect(queue.health().totals).toMatchObject({ delivered: 601, pending: 0, parked: 0, dropped: 0 });
    expectBalance(queue);
    expect(await queue.close()).toEqual({ pending: 0 });
  },
);

/** Counts what replay gives back. */
class CountingStore extends MemoryBackupStore {
  released = 0;

  override async release(token: string, ids: readonly string[]): Promise<void> {
    await super.release(token, ids);
    this.released += ids.length;
  }
}

it('parks nothing when rights are taken, given back and taken again under load', async () => {
  await using server = await startServer();
  const store = new CountingStore();
  const { queue, seen } = openQueue(server, store);
  const ledger = new Ledger();
  await ledger.track(undefined, queue.enqueue('first'));
  const maintenance = queue.isolate();
  for (let n = 0; n < 20; n++) void ledger.track(undefined, queue.enqueue('backlog', { n }));
  expect(await settleWithin(ledger, 5000)).toBe(true);

  const ended = new AbortController();
  await server.command('ACL', 'SETUSER', 'app', '-xadd');
  const { load, rejected } = offer(queue, ledger, ended.signal);
  maintenance.dispose();
  await waitFor(() => store.released >= 20, { what: 'replay to meet the missing right' });
  const deliveredBefore = queue.health().totals.delivered;
  await server.command('ACL', 'SETUSER', 'app', '+xadd');
  await waitFor(() => queue.health().totals.delivered > deliveredBefore, { what: 'jobs to go through' });
  await server.command('ACL', 'SETUSER', 'app', '-bitfield');
  const { released } = store;
  await waitFor(
    () => store.released > released || seen.parked.length > 0 || queue.health().backup.pending === 0,
    {
      what: 'replay to come again',
    },
  );
  await server.command('ACL', 'SETUSER', 'app', '+bitfield');
  await waitFor(() => queue.health().status === 'up', { what: 'the backlog to be replayed by itself' });
  ended.abort();
  const { offered } = await load;
  expect(await settleWithin(ledger, 5000)).toBe(true);
  ledger.delivered(await idsIn(server));
  expect(seen.parked, `${ledger}`).toEqual([]);
  expect(ledger.summary(), `${ledger}`).toMatchObject({
    ...{ accepted: 21 + offered - rejected.length, rejected: rejected.length },
    ...{ lost: 0, doubled: 0, ghosts: 0, unsettled: 0 },
  });
  expectBalance(queue);
  expect(await queue.close()).toEqual({ pending: 0 });
});
