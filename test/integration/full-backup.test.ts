import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import {
  type HealthStatus,
  MemoryBackupStore,
  type Receipt,
  ResilientQueue,
  type ResilientQueueError,
  streamKey,
} from '../../src/index.js';
import { Ledger } from '../support/ledger.js';
import { settleWithin } from '../support/load.js';
import { RedisServer } from '../support/redis-server.js';
import { readStream } from '../support/stream.js';
import { waitFor } from '../support/wait-for.js';

const NAME = 'full';
const LIMIT = 10;

function openQueue(server: RedisServer) {
  const client = new Redis({ port: server.port });
  client.on('error', () => {});
  onTestFinished(() => client.disconnect());
  const store = new MemoryBackupStore();
  const queue = new ResilientQueue(NAME, {
    redis: client,
    backup: store,
    backupLimit: { jobs: LIMIT },
    deadlineMs: 600,
    attemptTimeoutMs: 250,
  });
  const statuses: HealthStatus[] = [];
  queue.on('health', ({ status }) => statuses.push(status));
  return { queue, client, store, statuses };
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

/** Enqueues `count` jobs at once, every other one under a caller's id; sorts how they settled. */
async function enqueueAtOnce(queue: ResilientQueue, ledger: Ledger, count: number, prefix: string) {
  const receipts: Receipt[] = [];
  const errors: ResilientQueueError[] = [];
  await Promise.all(
    Array.from({ length: count }, (_, n) => {
      const id = n % 2 === 0 ? `${prefix}-${n}` : undefined;
      const enqueued = queue.enqueue('job', { n }, { id });
      enqueued.then(
        (receipt) => receipts.push(receipt),
        (error: ResilientQueueError) => errors.push(error),
      );
      return ledger.track(id, enqueued);
    }),
  );
  return { receipts, errors };
}

it('tells what was sent from what was not, and takes each again under its id once', async () => {
  await using server = await RedisServer.start();
  const { queue, statuses } = openQueue(server);
  const ledger = new Ledger();
  await ledger.track('first', queue.enqueue('first', undefined, { id: 'first' }));
  server.pause();

  // Two batches, sent at once and never answered: the breaker opens, the backup takes ten.
  const [one, two] = await Promise.all([
    enqueueAtOnce(queue, ledger, 12, 'sent'),
    new Promise(setImmediate).then(() => enqueueAtOnce(queue, ledger, 12, 'sent-too')),
  ]);
  const taken = [...one.receipts, ...two.receipts];
  const sent = [...one.errors, ...two.errors];
  expect(taken.map(({ outcome }) => outcome)).toEqual(Array(LIMIT).fill('backed-up'));
  expect(sent).toHaveLength(24 - LIMIT);
  for (const error of sent) {
    expect(error).toMatchObject({ code: 'BACKUP_FULL', fate: 'unknown', cause: { kind: 'timeout' } });
  }
  expect(queue.health()).toMatchObject({
    status: 'down',
    breaker: 'open',
    backup: { pending: LIMIT, unknown: LIMIT, capacity: LIMIT, writable: false },
  });

  const notSent = await enqueueAtOnce(queue, ledger, 6, 'not-sent');
  expect(notSent.errors).toHaveLength(6);
  for (const error of notSent.errors) {
    expect(error).toMatchObject({ code: 'BACKUP_FULL', fate: 'not-delivered' });
    expect(error.jobId).toBeTypeOf('string');
  }
  expectBalance(queue);

  server.resume();
  // While Redis executes late what it was sent, and after it.
  const halfOfSent = sent.slice(0, sent.length / 2);
  for (const { jobId } of halfOfSent) void ledger.track(jobId, queue.enqueue('job', 'again', { id: jobId }));
  await waitFor(() => queue.health().status === 'up', { what: 'the queue to be up again' });
  expect(await settleWithin(ledger, 5000)).toBe(true);
  const again = [...sent, ...notSent.errors];
  for (const { jobId } of again) void ledger.track(jobId, queue.enqueue('job', 'again', { id: jobId }));
  expect(await settleWithin(ledger, 5000)).toBe(true);
  await waitFor(() => queue.health().status === 'up', { what: 'the queue to be up' });

  ledger.delivered(await idsIn(server));
  expect(ledger.summary(), `${ledger}`).toMatchObject({
    ...{ accepted: 31, delivered: 31, lost: 0, doubled: 0, ghosts: 0, rejected: 0, unsettled: 0 },
  });
  expect(statuses.at(-1)).toBe('up');
  expect(statuses).toContain('down');
  expectBalance(queue);
  expect(queue.health().totals).toMatchObject({ pending: 0, parked: 0, dropped: 0 });
  expect(await queue.close()).toEqual({ pending: 0 });
});

it('leaves a job of unknown fate, enqueued again while Redis still hangs, once in the stream', async () => {
  await using server = await RedisServer.start();
  const { queue } = openQueue(server);
  const ledger = new Ledger();
  await ledger.track('first', queue.enqueue('first', undefined, { id: 'first' }));
  server.pause();
  const { errors } = await enqueueAtOnce(queue, ledger, LIMIT + 2, 'sent');
  expect(errors).toHaveLength(2);
  await enqueueAtOnce(queue, ledger, 2, 'more');
  for (const { jobId } of errors) {
    const again = queue.enqueue('job', 'again', { id: jobId });
    await expect(again).rejects.toMatchObject({ code: 'BACKUP_FULL', jobId });
  }
  server.resume();
  await waitFor(() => queue.health().status === 'up', { what: 'the queue to be up again' });
  for (const { jobId } of errors) await ledger.track(jobId, queue.enqueue('job', 'again', { id: jobId }));
  ledger.delivered(await idsIn(server));
  expect(ledger.summary(), `${ledger}`).toMatchObject({
    ...{ accepted: 1 + LIMIT + 2, lost: 0, doubled: 0, ghosts: 0, unsettled: 0 },
  });
  expectBalance(queue);
  expect(await queue.close()).toEqual({ pending: 0 });
});

it('rejects at once while Redis is dead and the backup full, and works again once that is replayed', async () => {
  await using server = await RedisServer.start();
  const { queue, client, statuses } = openQueue(server);
  const ledger = new Ledger();
  await ledger.track('first', queue.enqueue('first', undefined, { id: 'first' }));
  await kill(server, client);
  const filling = await enqueueAtOnce(queue, ledger, LIMIT + 5, 'filling');
  expect(filling.receipts).toHaveLength(LIMIT);
  expect(filling.errors).toHaveLength(5);
  await waitFor(() => queue.health().status === 'down', { what: 'the queue to be down' });
  expect(queue.health().backup).toMatchObject({ pending: LIMIT, writable: false });

  const startedAt = performance.now();
  const rest = await enqueueAtOnce(queue, ledger, 500, 'rest');
  expect(performance.now() - startedAt).toBeLessThan(300);
  expect(rest.errors).toHaveLength(500);
  for (const error of rest.errors) {
    expect(error).toMatchObject({ code: 'BACKUP_FULL', fate: 'not-delivered' });
  }
  expect(queue.health().totals).toMatchObject({ accepted: LIMIT + 1, rejected: 505, pending: LIMIT });
  expectBalance(queue);

  await server.restart();
  await waitFor(() => queue.health().status === 'up', { what: 'the queue to be up again' });
  const after = await enqueueAtOnce(queue, ledger, 500, 'after');
  expect(after.errors).toEqual([]);
  ledger.delivered(await idsIn(server));
  expect(ledger.summary(), `${ledger}`).toMatchObject({
    ...{ accepted: 511, delivered: 511, lost: 0, doubled: 0, ghosts: 0, rejected: 505, unsettled: 0 },
  });
  expect(statuses.filter((status) => status === 'down')).toHaveLength(1);
  expect(statuses.at(-1)).toBe('up');
  expectBalance(queue);
  expect(await queue.close()).toEqual({ pending: 0 });
});

it('is limited by bytes as well', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const client = new Redis({ port: server.port });
  client.on('error', () => {});
  onTestFinished(() => client.disconnect());
  const bytes = 5000;
  await using queue = new ResilientQueue(NAME, {
    redis: client,
    backup: new MemoryBackupStore(),
    backupLimit: { bytes },
    deadlineMs: 600,
  });
  const ledger = new Ledger();
  await ledger.track('first', queue.enqueue('first', undefined, { id: 'first' }));
  await kill(server, client);
  const payload = 'x'.repeat(1000);
  for (let n = 0; n < 8; n++) void ledger.track(`${n}`, queue.enqueue('job', payload, { id: `${n}` }));
  expect(await settleWithin(ledger, 5000)).toBe(true);
  expect(ledger.summary(), `${ledger}`).toMatchObject({ accepted: 5, errors: { BACKUP_FULL: 4 } });
  expect(queue.health().backup.bytes).toBeLessThanOrEqual(bytes);
  // A small one still fits.
  await ledger.track('small', queue.enqueue('job', 1, { id: 'small' }));
  await server.restart();
  await waitFor(() => queue.health().status === 'up', { what: 'the queue to be up again' });
  // This server keeps no file: what was delivered before it died is gone.
  ledger.delivered(['first', ...(await idsIn(server))]);
  expect(ledger.summary(), `${ledger}`).toMatchObject({ accepted: 6, lost: 0, doubled: 0, ghosts: 0 });
  expectBalance(queue);
});
