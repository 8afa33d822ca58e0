import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { MemoryBackupStore, type QueueOptions, ResilientQueue, streamKey } from '../../src/index.js';
import { FaultProxy } from '../support/fault-proxy.js';
import { Ledger } from '../support/ledger.js';
import { runLoad, settleWithin } from '../support/load.js';
import { RedisServer } from '../support/redis-server.js';
import { readStream } from '../support/stream.js';
import { waitFor } from '../support/wait-for.js';

const NAME = 'isolated';

function open(port: number, options: Partial<QueueOptions> = {}) {
  const client = new Redis({ port });
  client.on('error', () => {});
  onTestFinished(() => client.disconnect());
  const queue = new ResilientQueue(NAME, {
    redis: client,
    backup: new MemoryBackupStore(),
    deadlineMs: 800,
    attemptTimeoutMs: 250,
    ...options,
  });
  queue.on('error', () => {});
  return { queue, client };
}

async function idsIn(server: RedisServer): Promise<string[]> {
  return (await readStream(server, streamKey(NAME))).map((entry) => entry.fields.id as string);
}

function expectBalance(queue: ResilientQueue): void {
  const { accepted, inherited, delivered, pending, parked, dropped } = queue.health().totals;
  expect(accepted + inherited).toBe(delivered + pending + parked + dropped);
}

const isUp = (queue: ResilientQueue) =>
  waitFor(() => queue.health().status === 'up', { what: 'the queue to be up by itself' });

it('holds jobs in the backup while isolated, and replays them when it is over', async () => {
  await using server = await RedisServer.start();
  // A busy machine must not pass for an outage.
  const { queue } = open(server.port, { deadlineMs: 10_000, attemptTimeoutMs: 5000 });
  const states: string[] = [];
  const outages: string[] = [];
  queue.on('breaker', ({ state }) => states.push(state));
  queue.on('outage', ({ phase }) => outages.push(phase));
  const ledger = new Ledger();
  const ended = new AbortController();
  const load = runLoad({
    perSecond: 1000,
    ledger,
    signal: ended.signal,
    enqueue: (n) => queue.enqueue('job', { n }),
  });
  await waitFor(() => queue.health().totals.delivered >= 200, { what: 'jobs before it is isolated' });
  const maintenance = queue.isolate();
  expect(queue.health()).toMatchObject({ status: 'degraded', breaker: 'isolated' });
  await waitFor(() => queue.health().backup.pending >= 300, { what: 'jobs in the backup' });
  // The canary is executed after what was sent before it.
  expect(await queue.check({ timeoutMs: 5000 })).toMatchObject({ redis: { writable: true } });
  const before = (await idsIn(server)).length;
  const { accepted } = queue.health().totals;
  await waitFor(() => queue.health().totals.accepted >= accepted + 200, { what: 'more jobs' });
  expect(await idsIn(server)).toHaveLength(before);
  // Redis is well, and that is seen through the open breaker.
  expect(await queue.check()).toMatchObject({ status: 'degraded', redis: { writable: true } });
  expect(await queue.replay()).toMatchObject({ replayed: 0 });
  expect(queue.health().breaker).toBe('isolated');
  expectBalance(queue);

  maintenance.dispose();
  await waitFor(() => queue.health().backup.pending === 0, { what: 'the backlog to be replayed' });
  ended.abort();
  const { offered } = await load;
  expect(await settleWithin(ledger, 5000)).toBe(true);
  await isUp(queue);
  ledger.delivered(await idsIn(server));
  expect(ledger.summary(), `${ledger}`).toMatchObject({
    ...{ accepted: offered, delivered: offered, lost: 0, doubled: 0, ghosts: 0, unsettled: 0, errors: {} },
  });
  expect(states).toEqual(['isolated', 'closed']);
  expect(outages).toEqual([]);
  expect(queue.health().totals).toMatchObject({ accepted: offered, delivered: offered, pending: 0 });
  expectBalance(queue);
  expect(await queue.close()).toEqual({ pending: 0 });
});

it('stays isolated until every handle is disposed of, however often each is', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const { queue } = open(server.port);
  await queue.enqueue('first', undefined, { id: 'first' });
  const one = queue.isolate();
  const two = queue.isolate();
  await queue.enqueue('job', undefined, { id: 'one' });
  one.dispose();
  one.dispose();
  expect(queue.health().breaker).toBe('isolated');
  expect(await queue.enqueue('job', undefined, { id: 'two' })).toMatchObject({ outcome: 'backed-up' });
  expect(await idsIn(server)).toEqual(['first']);
  two.dispose();
  await isUp(queue);
  expect(await idsIn(server)).toEqual(['first', 'one', 'two']);
  expectBalance(queue);
  expect(await queue.close()).toEqual({ pending: 0 });
});

it('is not kept from an outage, nor kept in one, by isolation', async () => {
  await using server = await RedisServer.start();
  const { queue } = open(server.port);
  const ledger = new Ledger();
  const offer = async (from: number, to: number) => {
    for (let n = from; n < to; n++) void ledger.track(`${n}`, queue.enqueue('job', n, { id: `${n}` }));
    expect(await settleWithin(ledger, 5000)).toBe(true);
  };
  await offer(0, 50);
  await server.kill();
  await offer(50, 100);
  const maintenance = queue.isolate();
  await offer(100, 150);
  maintenance.dispose();
  await offer(150, 200);
  await waitFor(() => queue.health().status === 'degraded', { what: 'the outage to be noticed again' });
  const again = queue.isolate();
  await server.restart();
  await offer(200, 250);
  expect(queue.health()).toMatchObject({ breaker: 'isolated', backup: { pending: 200 } });
  again.dispose();
  await isUp(queue);
  ledger.delivered(await idsIn(server));
  expect(ledger.summary(), `${ledger}`).toMatchObject({
    ...{ accepted: 250, delivered: 250, lost: 0, doubled: 0, ghosts: 0, errors: {} },
  });
  expectBalance(queue);
  expect(await queue.close()).toEqual({ pending: 0 });
});

it("execute() passes a call's result and its own errors through, and nothing of Redis's health changes", async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const { queue, client } = open(server.port);
  const told: string[] = [];
  queue.on('error', ({ kind }) => told.push(kind));
  expect(
    await queue.execute(async (given: Redis) => [given === client, await given.set('key', 'value')]),
  ).toEqual([true, 'OK']);
  expect(await queue.execute((given: Redis) => given.get('key'))).toBe('value');
  const own = new TypeError('mine');
  for (let n = 0; n < 5; n++) {
    await expect(queue.execute(() => Promise.reject(own))).rejects.toBe(own);
    await expect(
      queue.execute(() => {
        throw own;
      }),
    ).rejects.toBe(own);
    await expect(queue.execute((given: Redis) => given.lpush('key', 'x'))).rejects.toThrow(/^WRONGTYPE/);
    await expect(queue.execute(() => Promise.reject(undefined))).rejects.toBe(undefined);
  }
  expect(queue.health()).toMatchObject({ status: 'up', breaker: 'closed' });
  await queue.enqueue('job');
  await expect(queue.execute(() => Promise.reject(own))).rejects.toBe(own);
  expect(queue.health().redis, 'an error of the caller says nothing about Redis').toMatchObject({
    ...{ reachable: true, writable: true, lastError: undefined },
  });
  expect(told).toEqual([]);
  expect(await queue.close()).toEqual({ pending: 0 });
});

it('execute() keeps its deadline and aborts the signal while Redis hangs', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const { queue } = open(server.port);
  await queue.execute((given: Redis) => given.ping());
  server.pause();
  let signal: AbortSignal | undefined;
  const startedAt = performance.now();
  const call = queue.execute(
    (given: Redis, context) => {
      signal = context.signal;
      return given.incr('hits');
    },
    { idempotent: true },
  );
  await expect(call).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    fate: 'unknown',
    cause: { kind: 'timeout' },
  });
  expect(performance.now() - startedAt).toBeLessThan(1500);
  expect(signal?.aborted).toBe(true);
  server.resume();
  await isUp(queue);
  expect(await queue.close()).toEqual({ pending: 0 });
});

it.each([
  ['retries an idempotent call', true],
  ['does not retry another call', false],
])('execute() %s after its reply was cut', async (_, idempotent) => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  await using proxy = await FaultProxy.start({ port: server.port });
  // A client that resends by itself would hide who retried.
  const client = new Redis({
    port: proxy.port,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
  });
  client.on('error', () => {});
  onTestFinished(() => client.disconnect());
  await using queue = new ResilientQueue(NAME, {
    redis: client,
    backup: new MemoryBackupStore(),
    deadlineMs: 3000,
    attemptTimeoutMs: 1000,
  });
  let runs = 0;
  const count = (given: Redis) => {
    runs += 1;
    const answer = given.incr('hits');
    // Once the command is written the fault has done its work: the next attempt meets a healthy network.
    void answer.catch(() => {}).finally(() => proxy.heal());
    return answer;
  };
  await queue.execute((given: Redis) => given.ping());
  proxy.cutReplies();
  const call = queue.execute(count, { idempotent });
  if (idempotent) {
    expect(await call).toBe(2);
    expect(runs).toBe(2);
  } else {
    await expect(call).rejects.toMatchObject({ code: 'UNAVAILABLE', fate: 'unknown' });
    expect(runs).toBe(1);
    expect(await server.command('GET', 'hits')).toBe('1');
  }
});

it('execute() rejects at once, and runs nothing, while the breaker is open', async () => {
  await using server = await RedisServer.start();
  const { queue } = open(server.port);
  await queue.enqueue('first');
  let runs = 0;
  const call = () =>
    queue.execute(async () => {
      runs += 1;
    });
  const maintenance = queue.isolate();
  await expect(call()).rejects.toMatchObject({ code: 'UNAVAILABLE', fate: 'not-delivered' });
  maintenance.dispose();
  await call();
  expect(runs).toBe(1);
  await server.kill();
  await waitFor(() => queue.health().breaker === 'open', { what: 'the outage to be noticed' });
  const startedAt = performance.now();
  for (let n = 0; n < 100; n++) {
    await expect(call()).rejects.toMatchObject({ code: 'UNAVAILABLE', fate: 'not-delivered' });
  }
  expect(performance.now() - startedAt).toBeLessThan(500);
  expect(runs).toBe(1);
  await server.restart();
  await isUp(queue);
  await call();
  expect(runs).toBe(2);
  expect(await queue.close()).toEqual({ pending: 0 });
});
