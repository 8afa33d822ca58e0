import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { MemoryBackupStore, type QueueOptions, ResilientQueue, streamKey } from '../../src/index.js';
import { Ledger } from '../support/ledger.js';
import { runLoad, settleWithin } from '../support/load.js';
import { RedisServer } from '../support/redis-server.js';
import { readStream } from '../support/stream.js';
import { waitFor } from '../support/wait-for.js';

class CountingStore extends MemoryBackupStore {
  closed = 0;

  override async close(): Promise<void> {
    this.closed += 1;
    await super.close();
  }
}

function openQueue(
  name: string,
  server: RedisServer,
  store: MemoryBackupStore,
  options: Partial<QueueOptions> = {},
) {
  const client = new Redis({ port: server.port });
  client.on('error', () => {});
  onTestFinished(() => client.disconnect());
  return new ResilientQueue(name, { redis: client, backup: store, replay: { pollMs: 200 }, ...options });
}

async function idsIn(server: RedisServer, name: string): Promise<string[]> {
  return (await readStream(server, streamKey(name))).map((entry) => entry.fields.id as string);
}

/** Over all queues of one store the identity holds at rest, and what is pending is what the store holds. */
function sumOf(queues: readonly ResilientQueue[]) {
  const sum = { accepted: 0, inherited: 0, delivered: 0, pending: 0, parked: 0, dropped: 0 };
  for (const queue of queues) {
    const { totals } = queue.health();
    for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += totals[name];
  }
  expect(sum.accepted + sum.inherited).toBe(sum.delivered + sum.pending + sum.parked + sum.dropped);
  return sum;
}

const bothAreUp = (queues: readonly ResilientQueue[]) =>
  waitFor(() => queues.every((queue) => queue.health().status === 'up'), {
    what: 'both queues to be up by themselves',
    timeoutMs: 20_000,
  });

it('two queues of one name replay one backlog together, each job once', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const store = new MemoryBackupStore();
  const queues = [openQueue('one', server, store), openQueue('one', server, store)] as const;
  const replayed = [0, 0];
  queues.forEach((queue, i) => {
    queue.on('replay', ({ phase, replayed: jobs }) => {
      if (phase === 'finished') replayed[i] = (replayed[i] as number) + jobs;
    });
  });
  const ledger = new Ledger();
  await Promise.all(queues.map((queue) => ledger.track(undefined, queue.enqueue('first'))));
  const maintenance = queues.map((queue) => queue.isolate());
  for (let n = 0; n < 4000; n++) {
    const id = n % 3 === 0 ? `mine-${n}` : undefined;
    void ledger.track(id, (queues[n % 2] as ResilientQueue).enqueue('job', { n }, { id }));
  }
  expect(await settleWithin(ledger, 5000)).toBe(true);
  // An id that the other queue has put into the store.
  await ledger.track('mine-0', queues[1].enqueue('job', 'again', { id: 'mine-0' }));
  expect(queues[1].health().totals.duplicates).toBe(1);
  expect(await store.stats('one')).toMatchObject({ pending: 4000 });

  for (const handle of maintenance) handle.dispose();
  await bothAreUp(queues);
  ledger.delivered(await idsIn(server, 'one'));
  expect(ledger.summary(), `${ledger}`).toMatchObject({
    ...{ accepted: 4002, delivered: 4002, lost: 0, doubled: 0, ghosts: 0, unsettled: 0, errors: {} },
  });
  expect(replayed[0]).toBeGreaterThan(0);
  expect(replayed[1]).toBeGreaterThan(0);
  expect((replayed[0] as number) + (replayed[1] as number)).toBe(4000);
  expect(sumOf(queues)).toMatchObject({ accepted: 4002, delivered: 4002, pending: 0, parked: 0, dropped: 0 });
  expect(await store.stats('one')).toMatchObject({ pending: 0, leased: 0, parked: 0 });
  for (const queue of queues) expect(await queue.close()).toEqual({ pending: 0 });
});

it('two queues of one name lose and double nothing when Redis is killed and restarted under load', async () => {
  await using server = await RedisServer.start();
  const store = new MemoryBackupStore();
  const queues = [openQueue('one', server, store), openQueue('one', server, store)] as const;
  const ledger = new Ledger();
  const ended = new AbortController();
  const load = runLoad({
    perSecond: 1000,
    ledger,
    signal: ended.signal,
    enqueue: (n) => (queues[n % 2] as ResilientQueue).enqueue('job', { n }),
  });
  await waitFor(() => sumOf(queues).delivered >= 300, { what: 'jobs before Redis is killed' });
  await server.kill();
  await waitFor(() => queues.every((queue) => queue.health().totals.pending >= 200), {
    what: 'jobs in the backup',
  });
  await server.restart();
  await bothAreUp(queues);
  ended.abort();
  const { offered } = await load;
  expect(await settleWithin(ledger, 5000)).toBe(true);
  await bothAreUp(queues);
  ledger.delivered(await idsIn(server, 'one'));
  expect(ledger.summary(), `${ledger}`).toMatchObject({
    ...{ accepted: offered, delivered: offered, lost: 0, doubled: 0, ghosts: 0, unsettled: 0, errors: {} },
  });
  expect(sumOf(queues)).toMatchObject({ accepted: offered, delivered: offered, pending: 0, dropped: 0 });
  for (const queue of queues) expect(await queue.close()).toEqual({ pending: 0 });
});

it('a queue replays what a neighbour of its name left behind', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const store = new MemoryBackupStore();
  const leaving = openQueue('one', server, store);
  const staying = openQueue('one', server, store, { replay: { pollMs: 100 } });
  const ledger = new Ledger();
  await ledger.track(undefined, staying.enqueue('first'));
  leaving.isolate();
  for (let n = 0; n < 100; n++) void ledger.track(undefined, leaving.enqueue('job', { n }));
  expect(await settleWithin(ledger, 5000)).toBe(true);
  const { pending } = await leaving.close();
  expect(pending).toBeGreaterThanOrEqual(0);
  await waitFor(async () => (await idsIn(server, 'one')).length === 101, { what: 'the neighbour to replay' });
  await waitFor(async () => (await store.stats('one')).pending === 0, { what: 'the store to be empty' });
  ledger.delivered(await idsIn(server, 'one'));
  expect(ledger.summary(), `${ledger}`).toMatchObject({ accepted: 101, lost: 0, doubled: 0, ghosts: 0 });
  await bothAreUp([staying]);
  expect(await staying.close()).toEqual({ pending: 0 });
});

it('two queues of different names share a store without meeting', async () => {
  await using server = await RedisServer.start();
  const store = new CountingStore();
  const queues = [openQueue('red', server, store), openQueue('blue', server, store)] as const;
  const ledgers = [new Ledger(), new Ledger()] as const;
  // The same ids in both: an id belongs to a queue.
  const offer = async (from: number, to: number) => {
    for (let n = from; n < to; n++) {
      queues.forEach((queue, i) => {
        void ledgers[i]?.track(`${n}`, queue.enqueue('job', { n }, { id: `${n}` }));
      });
    }
    for (const ledger of ledgers) expect(await settleWithin(ledger, 5000)).toBe(true);
  };
  await offer(0, 50);
  await server.kill();
  await offer(50, 250);
  expect(await store.stats('red')).toMatchObject({ pending: 200 });
  expect(await store.stats('blue')).toMatchObject({ pending: 200 });
  await server.restart();
  await bothAreUp(queues);
  await offer(250, 300);
  for (const [i, queue] of queues.entries()) {
    const ledger = ledgers[i] as Ledger;
    ledger.delivered(await idsIn(server, queue.name));
    expect(ledger.summary(), `${queue.name}\n${ledger}`).toMatchObject({
      ...{ accepted: 300, delivered: 300, duplicates: 0, lost: 0, doubled: 0, ghosts: 0, errors: {} },
    });
    // Nobody else writes under this name, so the identity holds for each alone.
    expect(sumOf([queue])).toMatchObject({ accepted: 300, delivered: 300, pending: 0 });
  }

  await queues[0].close();
  expect(store.closed).toBe(0);
  const maintenance = queues[1].isolate();
  expect(await queues[1].enqueue('job', 'late', { id: 'late' })).toMatchObject({ outcome: 'backed-up' });
  maintenance.dispose();
  await bothAreUp([queues[1]]);
  expect(await idsIn(server, 'blue')).toContain('late');
  await queues[1].close();
  expect(store.closed).toBe(1);
});

it('the last queue of a name tells of every job that is lost with a memory backup, and nobody else does', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const store = new CountingStore();
  const queues = [openQueue('one', server, store), openQueue('one', server, store)] as const;
  const dropped: string[][] = [[], []];
  queues.forEach((queue, i) => {
    queue.on('dropped', ({ id, reason }) => dropped[i]?.push(`${id} ${reason}`));
  });
  await server.kill();
  const ids = Array.from({ length: 40 }, (_, n) => `job-${n}`);
  await Promise.all(ids.map((id, n) => (queues[n % 2] as ResilientQueue).enqueue('job', n, { id })));
  await queues[0].close({ timeoutMs: 500 });
  expect(dropped).toEqual([[], []]);
  expect(store.closed).toBe(0);
  expect(await store.stats('one')).toMatchObject({ pending: 40 });
  await queues[1].close({ timeoutMs: 500 });
  expect(store.closed).toBe(1);
  expect(dropped[0]).toEqual([]);
  expect([...(dropped[1] as string[])].sort()).toEqual(ids.map((id) => `${id} closed`).sort());
});
