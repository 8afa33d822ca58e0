import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { expect, it, onTestFinished } from 'vitest';
import {
  type DroppedEvent,
  MemoryBackupStore,
  type QueueOptions,
  type Receipt,
  ResilientQueue,
  streamKey,
} from '../../src/index.js';
import { BundledProgram } from '../support/bundled-program.js';
import { FaultProxy } from '../support/fault-proxy.js';
import { Ledger } from '../support/ledger.js';
import { runLoad, settleWithin } from '../support/load.js';
import { RedisServer } from '../support/redis-server.js';
import { readStream } from '../support/stream.js';
import { waitFor } from '../support/wait-for.js';
import type { ClosingSettings } from './closing-program.js';

const NAME = 'closing';

/** As a store on a disk: what it holds outlives the queue. */
class LastingStore extends MemoryBackupStore {
  closed = 0;

  // @ts-expect-error a subclass that is more durable than its parent
  override readonly durability = 'fsynced';

  override async close(): Promise<void> {
    this.closed += 1;
  }
}

function connect(port: number): Redis {
  const client = new Redis({ port });
  client.on('error', () => {});
  onTestFinished(() => client.disconnect());
  return client;
}

function open(port: number, options: Partial<QueueOptions> = {}) {
  const client = connect(port);
  const queue = new ResilientQueue(NAME, {
    redis: client,
    backup: new MemoryBackupStore(),
    deadlineMs: 500,
    attemptTimeoutMs: 200,
    ...options,
  });
  const dropped: DroppedEvent[] = [];
  queue.on('dropped', (event) => dropped.push(event));
  return { queue, client, dropped };
}

async function idsIn(server: RedisServer): Promise<string[]> {
  return (await readStream(server, streamKey(NAME))).map((entry) => entry.fields.id as string);
}

function expectBalance(queue: ResilientQueue): void {
  const { accepted, inherited, delivered, pending, parked, dropped } = queue.health().totals;
  expect(accepted + inherited).toBe(delivered + pending + parked + dropped);
}

it('settles every job in flight, then refuses, and leaves the client to its owner', async () => {
  await using server = await RedisServer.start();
  const { queue, client } = open(server.port);
  const ledger = new Ledger();
  for (let n = 0; n < 2000; n++) void ledger.track(undefined, queue.enqueue('job', { n }));
  const closing = queue.close();
  await expect(queue.enqueue('late')).rejects.toMatchObject({ code: 'QUEUE_CLOSED', fate: 'not-delivered' });
  await expect(queue.enqueueMany([{ name: 'late' }])).rejects.toMatchObject({ code: 'QUEUE_CLOSED' });
  await expect(queue.replay()).rejects.toMatchObject({ code: 'QUEUE_CLOSED' });
  await expect(queue.execute(async () => 1)).rejects.toMatchObject({ code: 'QUEUE_CLOSED' });
  expect(await closing).toEqual({ pending: 0 });
  expect(ledger.unsettled).toBe(0);
  ledger.delivered(await idsIn(server));
  expect(ledger.summary(), `${ledger}`).toMatchObject({
    ...{ accepted: 2000, delivered: 2000, lost: 0, doubled: 0, ghosts: 0, errors: {} },
  });
  expectBalance(queue);

  // Twice is as once, and the rest of the queue answers from memory.
  expect(queue.close()).toBe(closing);
  expect(await queue.close({ timeoutMs: 1 })).toEqual({ pending: 0 });
  await expect(queue.enqueue('late')).rejects.toMatchObject({ code: 'QUEUE_CLOSED' });
  expect(await queue.check()).toMatchObject({ totals: { accepted: 2000 } });
  expect(await client.ping()).toBe('PONG');
  expect(client.status).toBe('ready');
});

it('closes by Symbol.asyncDispose, and leaves a node-redis client to its owner', async () => {
  await using server = await RedisServer.start();
  const client = createClient({ socket: { port: server.port, host: '127.0.0.1' } });
  onTestFinished(() => client.destroy());
  await client.connect();
  let inFlight: Promise<Receipt> | undefined;
  let outside: ResilientQueue;
  {
    await using queue = new ResilientQueue(NAME, { redis: client, backup: new MemoryBackupStore() });
    inFlight = queue.enqueue('job', undefined, { id: 'in-flight' });
    outside = queue;
  }
  expect(await inFlight).toMatchObject({ outcome: 'enqueued' });
  await expect(outside.enqueue('late')).rejects.toMatchObject({ code: 'QUEUE_CLOSED' });
  expect(await idsIn(server)).toEqual(['in-flight']);
  expect(await client.ping()).toBe('PONG');
  // Without a listener of its owner's: the queue's own must have stayed.
  await server.kill();
  await waitFor(() => !client.isReady, { what: 'the client to notice' });
  await server.restart();
  await waitFor(() => client.isReady, { what: 'the client to be back' });
});

it('hands what Redis has not answered to the backup, marked as unknown', async () => {
  await using server = await RedisServer.start();
  await using proxy = await FaultProxy.start({ port: server.port });
  const store = new LastingStore();
  const { queue, dropped } = open(proxy.port, { backup: store, deadlineMs: 5000, attemptTimeoutMs: 4000 });
  const ledger = new Ledger();
  await ledger.track('first', queue.enqueue('first', undefined, { id: 'first' }));
  proxy.swallowReplies({ closeOnHeal: true });
  for (let n = 0; n < 300; n++) void ledger.track(`${n}`, queue.enqueue('job', n, { id: `${n}` }));
  await waitFor(async () => (await idsIn(server)).length > 1, { what: 'Redis to execute' });

  const startedAt = performance.now();
  const { pending } = await queue.close({ timeoutMs: 300 });
  expect(performance.now() - startedAt).toBeLessThan(1500);
  expect(ledger.unsettled).toBe(0);
  expect(pending).toBe(300);
  expect(dropped).toEqual([]);
  expect(store.closed).toBe(1);
  expect(await store.stats(NAME)).toMatchObject({ pending: 300, unknown: 300 });
  expect(ledger.summary(), `${ledger}`).toMatchObject({
    accepted: 301,
    backedUp: 300,
    unsettled: 0,
    errors: {},
  });
  expectBalance(queue);

  // The next process recognises what Redis had executed.
  proxy.heal();
  const next = open(proxy.port, { backup: store });
  await waitFor(() => next.queue.health().totals.delivered === 300, { what: 'the next process to replay' });
  ledger.delivered(await idsIn(server));
  expect(ledger.summary(), `${ledger}`).toMatchObject({ delivered: 301, lost: 0, doubled: 0, ghosts: 0 });
  expect(next.queue.health().totals).toMatchObject({ inherited: 300, delivered: 300, pending: 0 });
  expect(next.queue.health().totals.recognised).toBeGreaterThan(0);
  expectBalance(next.queue);
  expect(await next.queue.close()).toEqual({ pending: 0 });
});

it('appends what a hung Redis was sent, and nothing is lost or doubled when that wakes up', async () => {
  await using server = await RedisServer.start();
  const store = new LastingStore();
  const { queue } = open(server.port, { backup: store });
  const ledger = new Ledger();
  const ended = new AbortController();
  const load = runLoad({
    perSecond: 1000,
    ledger,
    signal: ended.signal,
    enqueue: (n) => queue.enqueue('job', { n }),
  });
  await waitFor(() => queue.health().totals.delivered >= 200, { what: 'jobs before Redis hangs' });
  server.pause();
  await waitFor(() => queue.health().redis.writable === false, { what: 'the first timeout' });
  ended.abort();
  const { offered } = await load;
  const { pending } = await queue.close();
  expect(ledger.unsettled).toBe(0);
  expect(pending).toBeGreaterThan(0);
  expect((await store.stats(NAME)).pending).toBe(pending);
  expectBalance(queue);
  server.resume();
  const next = open(server.port, { backup: store });
  await waitFor(() => next.queue.health().totals.delivered === pending, {
    what: 'the next process to replay',
  });
  ledger.delivered(await idsIn(server));
  expect(ledger.summary(), `${ledger}`).toMatchObject({
    ...{ accepted: offered, delivered: offered, lost: 0, doubled: 0, ghosts: 0, errors: {} },
  });
  expect(await next.queue.close()).toEqual({ pending: 0 });
});

it('replays a last time when Redis is up', async () => {
  await using server = await RedisServer.start();
  const { queue, dropped } = open(server.port, { replay: { auto: false } });
  const ledger = new Ledger();
  await ledger.track('first', queue.enqueue('first', undefined, { id: 'first' }));
  const maintenance = queue.isolate();
  for (let n = 0; n < 1000; n++) void ledger.track(`${n}`, queue.enqueue('job', n, { id: `${n}` }));
  expect(await settleWithin(ledger, 5000)).toBe(true);
  maintenance.dispose();
  expect(queue.health().backup.pending).toBe(1000);
  expect(await queue.close()).toEqual({ pending: 0 });
  ledger.delivered(await idsIn(server));
  expect(ledger.summary(), `${ledger}`).toMatchObject({
    ...{ accepted: 1001, delivered: 1001, lost: 0, doubled: 0, ghosts: 0 },
  });
  expect(dropped).toEqual([]);
  expect(queue.health().totals).toMatchObject({ delivered: 1001, pending: 0, dropped: 0 });
  expectBalance(queue);
});

it('replays a last time when Redis has come back and the breaker has not noticed yet', async () => {
  await using server = await RedisServer.start();
  const { queue, client, dropped } = open(server.port, {
    breaker: { probeAfterMs: 60_000, probeMaxMs: 60_000 },
  });
  await queue.enqueue('first', undefined, { id: 'first' });
  // Refused for a reason that the client has no event for, in either direction.
  await server.command('CONFIG', 'SET', 'min-replicas-to-write', '1');
  const ids = Array.from({ length: 100 }, (_, n) => `${n}`);
  await Promise.all(ids.map((id) => queue.enqueue('job', id, { id })));
  await queue.enqueue('job', 'opens', { id: 'opens' });
  await waitFor(() => queue.health().breaker === 'open', { what: 'the breaker to open' });
  await server.command('CONFIG', 'SET', 'min-replicas-to-write', '0');
  expect(await queue.close()).toEqual({ pending: 0 });
  expect(dropped).toEqual([]);
  expect((await idsIn(server)).sort()).toEqual(['first', 'opens', ...ids].sort());
  expect(client.status).toBe('ready');
});

it('tells of every job that is lost with a memory backup, and how many there were', async () => {
  await using server = await RedisServer.start();
  const { queue, dropped } = open(server.port);
  await queue.enqueue('first', undefined, { id: 'first' });
  await server.kill();
  const ids = Array.from({ length: 2500 }, (_, n) => `${n}`);
  await Promise.all(ids.map((id) => queue.enqueue('job', id, { id })));
  expect(await queue.close({ timeoutMs: 300 })).toEqual({ pending: 2500 });
  expect(dropped.map(({ id }) => id).sort()).toEqual([...ids].sort());
  expect(new Set(dropped.map(({ reason }) => reason))).toEqual(new Set(['closed']));
  expect(queue.health().totals).toMatchObject({ accepted: 2501, delivered: 1, dropped: 2500, pending: 0 });
  expectBalance(queue);
});

it('closes at once while Redis was never there', async () => {
  const { queue, client } = open(await RedisServer.reservePort());
  const jobs = [queue.enqueue('job'), queue.enqueue('job')];
  expect(await queue.close({ timeoutMs: 100 })).toEqual({ pending: 2 });
  for (const receipt of await Promise.all(jobs)) expect(receipt.outcome).toBe('backed-up');
  expectBalance(queue);
  client.disconnect();
});

it('sends nothing more on its client after it is closed, also when late answers come', async () => {
  await using server = await RedisServer.start();
  await using proxy = await FaultProxy.start({ port: server.port });
  const { queue, client } = open(proxy.port, { breaker: { failures: 1 } });
  await queue.enqueue('first', undefined, { id: 'first' });
  await queue.check(); // both scripts are loaded
  proxy.blackhole();
  await queue.enqueue('job', undefined, { id: 'late' });
  await waitFor(() => queue.health().breaker === 'open', { what: 'the breaker to open' });
  await queue.close({ timeoutMs: 100 });
  const sent: unknown[] = [];
  const call = client.call.bind(client) as (...args: unknown[]) => Promise<unknown>;
  client.call = ((...args: unknown[]) => {
    sent.push(args[0]);
    return call(...args);
  }) as typeof client.call;
  // What was held arrives now, and is answered.
  proxy.heal();
  await waitFor(async () => (await idsIn(server)).includes('late'), { what: 'the late execution' });
  // An answer to a later command of the owner's comes behind the late ones.
  await client.ping();
  await new Promise(setImmediate);
  expect(sent).toEqual([]);
});

it('settles although nothing else keeps the process alive and the store hangs', async () => {
  const server = await RedisServer.start({});
  onTestFinished(() => server.stop());
  await using program = await BundledProgram.build(new URL('closing-program.ts', import.meta.url));
  const running = program.start({ port: server.port } satisfies ClosingSettings);
  expect(await running.ended).toEqual({ code: 0, signal: null });
  expect(running.lines()).toEqual(['closed']);
});
