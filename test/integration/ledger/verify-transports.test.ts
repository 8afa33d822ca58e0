import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { MemoryBackupStore, queueKeys, ResilientQueue } from '../../../src/index.js';
import { verify, writeLedger } from '../../../src/ledger/index.js';
import { parseDeliveryId } from '../../../src/recognition/delivery-id.js';
import { recogniseClient } from '../../../src/redis/connect.js';
import type { RedisConnection } from '../../../src/redis/redis-connection.js';
import { RqTransport } from '../../../src/transport/rq.js';
import { bullMqSite } from '../../support/bullmq/bullmq-site.js';
import { bullMqKinds } from '../../support/bullmq/kinds.js';
import { RedisServer } from '../../support/redis-server.js';
import { temporaryFolder } from '../../unit/support/temporary-folder.js';
import { QUEUE, verifyOn } from './ledger-site.js';

const RQ_LIST = `rq:queue:${QUEUE}`;

async function rqSite() {
  const server = await RedisServer.start({ appendOnly: 'no' });
  onTestFinished(() => server.stop());
  const redis = new Redis(server.port);
  onTestFinished(() => redis.disconnect());
  const transport = new RqTransport({ serializer: 'json' });
  const queue = new ResilientQueue(QUEUE, { redis, backup: new MemoryBackupStore(), transport });
  const path = join(temporaryFolder(), 'ledger.ndjson');
  const ledger = writeLedger(queue, path);
  const ids: string[] = [];
  for (let n = 0; n < 30; n++) {
    const { id } = await queue.enqueue('tasks.run', [n], n % 2 === 0 ? { id: `task-${n}` } : {});
    ids.push(id);
  }
  await queue.close();
  await ledger.close();
  return { server, redis, ids, path, verify: () => verifyOn(server, path, '--transport', 'rq') };
}

it('finds every job of RQ, waiting or run and gone, and says that all is well', async () => {
  const { server, ids, verify } = await rqSite();
  for (const id of ids.slice(0, 10)) {
    await server.command('LREM', RQ_LIST, '0', id);
    await server.command('DEL', `rq:job:${id}`);
  }
  const { code, report } = await verify();
  expect(report.counts).toMatchObject({ delivered: 30, lost: 0, doubled: 0, unknowable: 0 });
  expect(code).toBe(0);
});

it('finds what is lost and what is doubled of jobs of RQ', async () => {
  const { server, ids, verify } = await rqSite();
  const [callers = '', generated = '', doubled = ''] = ids;
  const keys = queueKeys(QUEUE);
  const deliveries = [String(await server.command('GET', keys.marker(callers))), generated];
  for (const [i, id] of [callers, generated].entries()) {
    const { epoch, seq } = parseDeliveryId(deliveries[i] as string);
    await server.command('SETBIT', keys.seen(epoch), String(seq), '0');
    await server.command('LREM', RQ_LIST, '0', id);
    await server.command('DEL', `rq:job:${id}`);
  }
  await server.command('RPUSH', RQ_LIST, doubled);
  const { code, report } = await verify();
  expect(report.counts).toMatchObject({ delivered: 27, lost: 2, doubled: 1 });
  expect([...report.examples.lost].sort()).toEqual([callers, generated].sort());
  expect(report.examples.doubled).toEqual([doubled]);
  expect(code).toBe(1);
});

it('looks for the jobs where the ledger says that they were laid down', async () => {
  const { server, path } = await rqSite();
  const { code, report } = await verifyOn(server, path);
  expect(report).toMatchObject({ transport: 'rq', counts: { delivered: 30, lost: 0 } });
  expect(code).toBe(0);
  const other = await verifyOn(server, path, '--transport', 'bullmq');
  expect(other).toMatchObject({
    code: 2,
    err: expect.stringContaining('laid down by "rq", not by "bullmq"'),
  });
});

it("does not take an ended job's hash for the later job of the same id, which is lost", async () => {
  const { server, path } = await rqSite();
  const redis = new Redis(server.port);
  onTestFinished(() => redis.disconnect());
  await server.command('DEL', queueKeys(QUEUE).marker('task-0'));
  await server.command('LREM', RQ_LIST, '0', 'task-0');
  await server.command('HSET', 'rq:job:task-0', 'status', 'failed');
  const later = Date.now() + 2 * 86_400_000;
  const line = { v: 1, at: later, queue: QUEUE, event: 'backed-up', id: 'task-0' };
  await appendFile(path, `${JSON.stringify(line)}\n`);
  const ask = async () =>
    (
      await verify({
        ...{ queue: QUEUE, ledger: path, redis, backup: 'gone' },
        clock: { now: () => later },
      })
    ).counts;
  expect(await ask()).toMatchObject({ lost: 1, delivered: 29 });
  // While the former one has not ended, the later is its duplicate.
  await server.command('HSET', 'rq:job:task-0', 'status', 'started');
  expect(await ask()).toMatchObject({ lost: 0, delivered: 30 });
});

/** Makes the server evict keys that expire, of others. */
async function evict(server: RedisServer): Promise<void> {
  await server.command('CONFIG', 'SET', 'maxmemory-policy', 'volatile-lru');
  for (let n = 0; n < 50; n++) await server.command('SET', `other-${n}`, 'x'.repeat(200_000), 'PX', '600000');
  await server.command('CONFIG', 'SET', 'maxmemory', '6mb');
  await server.command('SET', 'other', 'x', 'PX', '600000');
  expect(await server.command('INFO', 'stats')).toMatch(/^evicted_keys:[1-9]/m);
  await server.command('CONFIG', 'SET', 'maxmemory', '0');
}

it('finds a job of RQ doubled while workers take others from the list', async () => {
  const { server, redis, ids, path } = await rqSite();
  const others = Array.from({ length: 969 }, (_, n) => `other-${n}`);
  await server.command('DEL', RQ_LIST);
  await server.command('RPUSH', RQ_LIST, 'taken', ...ids, ...others, ids[3] as string, 'last');
  const connection = recogniseClient(redis) as RedisConnection;
  let pages = 0;
  const atWork: RedisConnection = {
    client: redis,
    isReady: true,
    send: async (args, key) => {
      const reply = await connection.send(args, key);
      if (args[0] === 'LRANGE' && pages++ === 0) await server.command('LPOP', RQ_LIST);
      return reply;
    },
    listen: (hints) => connection.listen(hints),
    destroy: () => {},
  };
  const { counts, examples } = await verify({ queue: QUEUE, ledger: path, redis: atWork });
  expect(pages).toBe(2);
  expect(counts).toMatchObject({ doubled: 1, delivered: 29 });
  expect(examples.doubled).toEqual([ids[3]]);
});

it('does not count on a job of RQ that stands in line without its hash, where Redis evicts', async () => {
  const { server, ids, verify } = await rqSite();
  await server.command('DEL', `rq:job:${ids[4]}`);
  expect(await verify()).toMatchObject({ code: 0, report: { counts: { delivered: 30 } } });
  await evict(server);
  await server.command('DEL', `rq:job:${ids[4]}`);
  for (const policy of ['volatile-lru', 'allkeys-lru']) {
    await server.command('CONFIG', 'SET', 'maxmemory-policy', policy);
    const { code, report } = await verify();
    expect(report).toMatchObject({ counts: { delivered: 29, lost: 0 }, unknowable: { evicted: 1 } });
    expect(report.examples.unknowable).toEqual([ids[4]]);
    expect(code).toBe(2);
  }
});

it('does not count on a job of BullMQ that stands in line without its hash, where Redis evicts', async () => {
  const site = await bullMqSite(bullMqKinds[0] as (typeof bullMqKinds)[number]);
  const { queue } = site.open();
  const path = join(temporaryFolder(), 'ledger.ndjson');
  const ledger = writeLedger(queue, path);
  for (const id of ['a', 'b', 'c']) await queue.enqueue('confirm', {}, { id });
  await queue.close();
  await ledger.close();
  await evict(site.server);
  expect(await verifyOn(site.server, path)).toMatchObject({ code: 0, report: { counts: { delivered: 3 } } });
  await site.server.command('DEL', 'bull:orders:b');
  const { code, report } = await verifyOn(site.server, path);
  expect(report).toMatchObject({ transport: 'bullmq', counts: { delivered: 2 }, unknowable: { evicted: 1 } });
  expect(code).toBe(2);
});

/** A user of the server's who may do what README says that verify needs, and what else a test allows. */
async function auditor(server: RedisServer, rights: string): Promise<string> {
  await server.command('ACL', 'SETUSER', 'auditor', 'on', '>pw', '~*', ...rights.split(' '));
  return `redis://auditor:pw@127.0.0.1:${server.port}`;
}

it('needs few rights for jobs of RQ', async () => {
  const { server, ids, path } = await rqSite();
  for (const id of ids.slice(0, 4)) await server.command('LREM', RQ_LIST, '0', id);
  await server.command('DEL', queueKeys(QUEUE).marker(ids[0] as string));
  await evict(server);
  const url = await auditor(server, '+lrange +lpos +exists +hmget +bitfield +eval +evalsha +get +info');
  const { code, report } = await verifyOn(server, path, '--redis', url);
  expect(report.counts).toMatchObject({ delivered: 30 });
  expect(code).toBe(0);
});

it('needs few rights for jobs of BullMQ', async () => {
  const site = await bullMqSite(bullMqKinds[0] as (typeof bullMqKinds)[number]);
  const { queue } = site.open();
  const path = join(temporaryFolder(), 'ledger.ndjson');
  const ledger = writeLedger(queue, path);
  await queue.enqueue('confirm', {}, { id: 'a' });
  await queue.enqueue('confirm', {}, { id: 'later', runAt: Date.now() + 3_600_000 });
  await queue.close();
  await ledger.close();
  const url = await auditor(site.server, '+lrange +lpos +exists');
  const { code, report } = await verifyOn(site.server, path, '--redis', url);
  expect(report).toMatchObject({ counts: { delivered: 2 }, onTrust: ['primary', 'eviction'] });
  expect(code).toBe(0);
});

it('knows a job of RQ by its hash when its marker is gone', async () => {
  const { server, verify } = await rqSite();
  await server.command('DEL', queueKeys(QUEUE).marker('task-0'));
  await server.command('LREM', RQ_LIST, '0', 'task-0');
  expect((await verify()).report.counts).toMatchObject({ delivered: 30, lost: 0 });
});

it.each(bullMqKinds)('finds what became of the jobs of $name', async (kind) => {
  const site = await bullMqSite(kind, { defaultJobOptions: { removeOnComplete: true } });
  const { queue } = site.open();
  const path = join(temporaryFolder(), 'ledger.ndjson');
  const ledger = writeLedger(queue, path);
  const enqueue = (id: string) => queue.enqueue('confirm', { id }, { id });
  for (let n = 0; n < 10; n++) await enqueue(`run-${n}`);
  await queue.enqueue('confirm', {});
  await site.work();
  await site.hasRun(11);
  await queue.enqueue('confirm', {}, { id: 'later', runAt: Date.now() + 3_600_000 });
  await queue.close();
  await ledger.close();
  const verify = () => verifyOn(site.server, path, '--transport', 'bullmq');

  const well = await verify();
  expect(well.report.counts).toMatchObject({ delivered: 12, lost: 0, doubled: 0, unknowable: 0 });
  expect(well.code).toBe(0);

  await site.server.command('DEL', 'bull:orders:de:rsq:run-3');
  const lost = await verify();
  expect(lost.report.counts).toMatchObject({ delivered: 11, lost: 1 });
  expect(lost.report.examples.lost).toEqual(['run-3']);
  expect(lost.code).toBe(1);
});

it('finds a job of BullMQ doubled that stands in line twice', async () => {
  const site = await bullMqSite(bullMqKinds[0] as (typeof bullMqKinds)[number]);
  const { queue } = site.open();
  const path = join(temporaryFolder(), 'ledger.ndjson');
  const ledger = writeLedger(queue, path);
  for (const id of ['a', 'b', 'c']) await queue.enqueue('confirm', {}, { id });
  await queue.close();
  await ledger.close();
  await site.server.command('LPUSH', 'bull:orders:wait', 'b');
  const { code, report } = await verifyOn(site.server, path, '--transport', 'bullmq');
  expect(report.counts).toMatchObject({ delivered: 2, doubled: 1 });
  expect(report.examples.doubled).toEqual(['b']);
  expect(code).toBe(1);
});
