import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { MemoryBackupStore, ResilientQueue, streamKey } from '../../src/index.js';
import { Ledger } from '../support/ledger.js';
import { settleWithin } from '../support/load.js';
import { RedisServer } from '../support/redis-server.js';
import { RespConnection } from '../support/resp-connection.js';
import { waitFor } from '../support/wait-for.js';

const NAME = 'large';

function connect(port: number): Redis {
  const client = new Redis({ port });
  client.on('error', () => {});
  onTestFinished(() => client.disconnect());
  return client;
}

function expectBalance(queue: ResilientQueue): void {
  const { accepted, inherited, delivered, pending, parked, dropped } = queue.health().totals;
  expect(accepted + inherited).toBe(delivered + pending + parked + dropped);
}

/** Calls `each` with the id and the length of the payload of every entry, `page` of them at a time. */
async function scan(
  port: number,
  page: number,
  each: (id: string, payloadLength: number) => void,
): Promise<void> {
  const connection = new RespConnection({ port, timeoutMs: 60_000 });
  try {
    let from = '-';
    for (;;) {
      const reply = await connection.send('XRANGE', streamKey(NAME), from, '+', 'COUNT', `${page}`);
      const entries = reply as [string, string[]][];
      for (const [, fields] of entries) each(fields[1] as string, (fields[5] as string).length);
      const last = entries.at(-1);
      if (!last || entries.length < page) return;
      from = `(${last[0]}`;
    }
  } finally {
    connection.close();
  }
}

it.each([
  ['at once', 200],
  ['eight at a time', 8],
])('jobs of 1 MiB survive a kill and a restart: %s', async (_, concurrency) => {
  await using server = await RedisServer.start();
  const queue = new ResilientQueue(NAME, { redis: connect(server.port), backup: new MemoryBackupStore() });
  const ledger = new Ledger();
  // With its quotes exactly the most that is taken.
  const payload = 'x'.repeat(1024 * 1024 - 2);
  const count = 200;
  let next = 0;
  const enqueueOneByOne = async () => {
    while (next < count) {
      const id = `${next++}`;
      await ledger.track(id, queue.enqueue('large', payload, { id }));
    }
  };
  const callers = Array.from({ length: concurrency }, enqueueOneByOne);
  await waitFor(() => queue.health().totals.delivered >= 10, {
    what: 'jobs before Redis is killed',
    everyMs: 1,
  });
  await server.kill();
  await waitFor(() => queue.health().totals.pending >= 10, { what: 'jobs in the backup' });
  await server.restart();
  await Promise.all(callers);
  expect(await settleWithin(ledger, 10_000)).toBe(true);
  await waitFor(() => queue.health().status === 'up', { what: 'the queue to be up', timeoutMs: 30_000 });

  await server.commandWith({ timeoutMs: 30_000 }, 'PING');
  const ids: string[] = [];
  const lengths = new Set<number>();
  await scan(server.port, 10, (id, length) => {
    ids.push(id);
    lengths.add(length);
  });
  ledger.delivered(ids);
  expect(ledger.summary(), `${ledger}`).toMatchObject({
    ...{ accepted: count, delivered: count, lost: 0, doubled: 0, ghosts: 0, rejected: 0, unsettled: 0 },
  });
  expect([...lengths]).toEqual([1024 * 1024]);
  expect(queue.health().totals).toMatchObject({ accepted: count, delivered: count, pending: 0, parked: 0 });
  expectBalance(queue);
  expect(await queue.close()).toEqual({ pending: 0 });
});

it('a backlog of a million jobs in memory is replayed, each once', { timeout: 120_000 }, async () => {
  const port = await RedisServer.reservePort();
  const queue = new ResilientQueue(NAME, { redis: connect(port), backup: new MemoryBackupStore() });
  const total = 1_000_000;
  const chunk = 10_000;
  let backedUp = 0;
  for (let from = 0; from < total; from += chunk) {
    const receipts = await Promise.all(
      Array.from({ length: chunk }, (_, i) => queue.enqueue('small', from + i)),
    );
    for (const { outcome } of receipts) if (outcome === 'backed-up') backedUp += 1;
  }
  expect(backedUp).toBe(total);
  expect(queue.health()).toMatchObject({ backup: { pending: total }, totals: { accepted: total } });
  await expect(queue.enqueue('one too many')).rejects.toMatchObject({ code: 'BACKUP_FULL' });
  expectBalance(queue);

  await using server = await RedisServer.start({ port, appendOnly: 'no' });
  await waitFor(() => queue.health().status === 'up', {
    what: 'a million jobs to be replayed',
    timeoutMs: 90_000,
    everyMs: 50,
  });
  expect(await server.command('XLEN', streamKey(NAME))).toBe(total);
  const distinct = new Set<string>();
  await scan(server.port, 20_000, (id) => distinct.add(id));
  expect(distinct.size).toBe(total);
  expect(queue.health().totals).toMatchObject({
    ...{ accepted: total, delivered: total, pending: 0, parked: 0, dropped: 0, rejected: 1 },
  });
  expectBalance(queue);
  expect(await queue.close()).toEqual({ pending: 0 });
});
