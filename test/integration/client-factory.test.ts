import { inspect } from 'node:util';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { expect, it, onTestFinished } from 'vitest';
import {
  type ErrorEvent,
  MemoryBackupStore,
  type QueueOptions,
  ResilientQueue,
  streamKey,
} from '../../src/index.js';
import { FaultProxy } from '../support/fault-proxy.js';
import { Ledger } from '../support/ledger.js';
import { runLoad, settleWithin } from '../support/load.js';
import { RedisServer } from '../support/redis-server.js';
import { readStream } from '../support/stream.js';
import { waitFor } from '../support/wait-for.js';

const NAME = 'factory';
// As some libraries word it.
const noSettings = 'no settings yet for redis://app:factory-secret@redis.internal:6379';

function ioredis(port: number): Redis {
  const client = new Redis({ port });
  client.on('error', () => {});
  return client;
}

function nodeRedis(port: number) {
  return createClient({ socket: { port, host: '127.0.0.1' } });
}

function open(redis: QueueOptions['redis'], options: Partial<QueueOptions> = {}) {
  const queue = new ResilientQueue(NAME, {
    redis,
    backup: new MemoryBackupStore(),
    deadlineMs: 500,
    attemptTimeoutMs: 200,
    ...options,
  });
  const errors: ErrorEvent[] = [];
  queue.on('error', (event) => errors.push(event));
  return { queue, errors };
}

function offer(queue: ResilientQueue, ledger: Ledger, signal: AbortSignal) {
  return runLoad({ perSecond: 500, ledger, signal, enqueue: (n) => queue.enqueue('job', { n }) });
}

const isUp = (queue: ResilientQueue, timeoutMs = 10_000) =>
  waitFor(() => queue.health().status === 'up', { what: 'the queue to be up by itself', timeoutMs });

async function expectAllDelivered(server: RedisServer, queue: ResilientQueue, ledger: Ledger): Promise<void> {
  expect(await settleWithin(ledger, 5000)).toBe(true);
  await isUp(queue);
  ledger.delivered((await readStream(server, streamKey(NAME))).map((entry) => entry.fields.id as string));
  const summary = ledger.summary();
  expect(summary, `${ledger}`).toMatchObject({
    ...{ delivered: summary.accepted, lost: 0, doubled: 0, ghosts: 0, rejected: 0, unsettled: 0 },
  });
  const { accepted, inherited, delivered, pending, parked, dropped } = queue.health().totals;
  expect(accepted + inherited).toBe(delivered + pending + parked + dropped);
  expect({ accepted, delivered, pending }).toEqual({
    ...{ accepted: summary.accepted, delivered: summary.accepted, pending: 0 },
  });
}

it.each([
  ['ioredis', ioredis],
  ['node-redis', nodeRedis],
] as const)('makes a new %s client when the connection of the last is silently dead', async (_, make) => {
  await using server = await RedisServer.start();
  await using proxy = await FaultProxy.start({ port: server.port });
  const made: ReturnType<typeof make>[] = [];
  const { queue } = open(() => {
    const client = make(proxy.port);
    made.push(client);
    return client;
  });
  const ledger = new Ledger();
  const ended = new AbortController();
  const load = offer(queue, ledger, ended.signal);
  await waitFor(() => queue.health().totals.delivered >= 200, { what: 'jobs before the connection dies' });
  expect(made).toHaveLength(1);
  proxy.deadConnections();
  await waitFor(() => queue.health().breaker === 'open', { what: 'the outage to be noticed' });
  await waitFor(() => made.length === 2 && queue.health().breaker === 'closed', {
    what: 'a new client to be made and used',
  });
  await isUp(queue);
  ended.abort();
  await load;
  await expectAllDelivered(server, queue, ledger);
  expect(ledger.summary().backedUp).toBeGreaterThan(0);

  // The first client has been ended, and close() ends the second.
  const isEnded = (client: unknown) =>
    client instanceof Redis ? client.status === 'end' : !(client as { isOpen: boolean }).isOpen;
  await waitFor(() => isEnded(made[0]), { what: 'the first client to be ended' });
  expect(isEnded(made[1])).toBe(false);
  expect(await queue.close()).toEqual({ pending: 0 });
  await waitFor(() => isEnded(made[1]), { what: 'the second client to be ended' });
  expect(made).toHaveLength(2);
});

it('stays degraded on a given client whose connection is silently dead, and loses nothing', async () => {
  await using server = await RedisServer.start();
  await using proxy = await FaultProxy.start({ port: server.port });
  const client = ioredis(proxy.port);
  onTestFinished(() => client.disconnect());
  const { queue } = open(client, { breaker: { probeMaxMs: 250 } });
  const ledger = new Ledger();
  const ended = new AbortController();
  const load = offer(queue, ledger, ended.signal);
  await waitFor(() => queue.health().totals.delivered >= 200, { what: 'jobs before the connection dies' });
  proxy.deadConnections();
  await waitFor(() => queue.health().breaker === 'open', { what: 'the outage to be noticed' });
  let probes = 0;
  queue.on('breaker', ({ state }) => {
    if (state === 'half-open') probes += 1;
  });
  await waitFor(() => probes >= 4, { what: 'four probes' });
  ended.abort();
  await load;
  expect(await settleWithin(ledger, 5000)).toBe(true);
  await waitFor(() => queue.health().breaker === 'open', { what: 'the last probe to fail' });
  expect(queue.health()).toMatchObject({ status: 'degraded', redis: { reachable: false, writable: false } });
  expect(ledger.summary().rejected).toBe(0);
  expect(client.status).toBe('ready');

  // Its owner does what a factory would have.
  client.disconnect(true);
  await expectAllDelivered(server, queue, ledger);
  expect(await queue.close()).toEqual({ pending: 0 });
  expect(client.status).toBe('ready');
  expect(await client.ping()).toBe('PONG');
});

it.each([
  [
    'throws',
    () => {
      throw new Error(noSettings);
    },
  ],
  ['rejects', () => Promise.reject(new Error(noSettings))],
  ['makes what is no client', () => ({ send: 'nothing' })],
])(
  'takes jobs while the factory %s at first, says so, and delivers once it works',
  { timeout: 30_000 },
  async (_, fail) => {
    await using server = await RedisServer.start({ appendOnly: 'no' });
    let isBroken = true;
    let calls = 0;
    const { queue, errors } = open((): never => {
      calls += 1;
      return (isBroken ? fail() : ioredis(server.port)) as never;
    });
    const ledger = new Ledger();
    const offerSome = async (from: number, to: number) => {
      for (let n = from; n < to; n++) void ledger.track(`${n}`, queue.enqueue('job', n, { id: `${n}` }));
      expect(await settleWithin(ledger, 5000)).toBe(true);
    };
    await offerSome(0, 100);
    expect(ledger.summary(), `${ledger}`).toMatchObject({ accepted: 100, backedUp: 100, errors: {} });
    await waitFor(() => queue.health().status === 'degraded', { what: 'the outage to be noticed' });
    await waitFor(() => errors.length > 0, { what: 'an error event that says so', timeoutMs: 3000 });
    const [{ kind, error } = { kind: undefined, error: undefined }] = errors;
    expect(kind).toBe('configuration');
    const told = inspect(error, { depth: Number.POSITIVE_INFINITY });
    expect(told).toMatch(/no settings yet|no ioredis or node-redis client/);
    expect(told).not.toContain('factory-secret');
    isBroken = false;
    // Nothing else will make a client: the queue has to ask again, as often as it would probe.
    await isUp(queue, 6000);
    expect(calls).toBeGreaterThanOrEqual(2);
    await offerSome(100, 200);
    await expectAllDelivered(server, queue, ledger);
    expect(await queue.close()).toEqual({ pending: 0 });
  },
);

it('connects a node-redis client that the factory left unconnected, and survives a restart with it', async () => {
  await using server = await RedisServer.start();
  let made: ReturnType<typeof nodeRedis> | undefined;
  const { queue } = open(() => {
    made = nodeRedis(server.port);
    return made;
  });
  const ledger = new Ledger();
  const ended = new AbortController();
  const load = offer(queue, ledger, ended.signal);
  await waitFor(() => queue.health().totals.delivered >= 100, { what: 'jobs before Redis is killed' });
  expect(made?.isReady).toBe(true);
  await server.kill();
  await waitFor(() => queue.health().totals.pending >= 100, { what: 'jobs in the backup' });
  await server.restart();
  await isUp(queue);
  ended.abort();
  await load;
  await expectAllDelivered(server, queue, ledger);
  expect(await queue.close()).toEqual({ pending: 0 });
  expect(made?.isOpen).toBe(false);
});

it('waits for a factory that makes and connects its client by itself', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  await using proxy = await FaultProxy.start({ port: server.port });
  await proxy.refuse();
  const { queue } = open(async () => {
    const client = nodeRedis(proxy.port);
    client.on('error', () => {});
    await client.connect();
    return client;
  });
  const ledger = new Ledger();
  for (let n = 0; n < 50; n++) void ledger.track(`${n}`, queue.enqueue('job', n, { id: `${n}` }));
  expect(await settleWithin(ledger, 5000)).toBe(true);
  expect(ledger.summary(), `${ledger}`).toMatchObject({ accepted: 50, backedUp: 50 });
  await proxy.accept();
  await expectAllDelivered(server, queue, ledger);
  expect(await queue.close()).toEqual({ pending: 0 });
});

it('ends a client that the factory makes only after close()', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  let give!: (client: Redis) => void;
  const { queue } = open(
    () =>
      new Promise<Redis>((resolve) => {
        give = resolve;
      }),
  );
  expect(await queue.close()).toEqual({ pending: 0 });
  const late = ioredis(server.port);
  give(late);
  await waitFor(() => late.status === 'end', { what: 'the late client to be ended' });
});
