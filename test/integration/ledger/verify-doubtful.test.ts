import { appendFile, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { LmdbBackupStore } from '../../../src/backup/lmdb.js';
import {
  type BackupAdmin,
  isResilientQueueError,
  type JobRecord,
  MemoryBackupStore,
  queueKeys,
  ResilientQueue,
  streamKey,
} from '../../../src/index.js';
import { verify, writeLedger } from '../../../src/ledger/index.js';
import { parseDeliveryId } from '../../../src/recognition/delivery-id.js';
import { recogniseClient } from '../../../src/redis/connect.js';
import type { RedisConnection } from '../../../src/redis/redis-connection.js';
import { HookedStore } from '../../support/hooked-store.js';
import { waitFor } from '../../support/wait-for.js';
import { temporaryFolder } from '../../unit/support/temporary-folder.js';
import { ledgerSite, QUEUE, verifyOn } from './ledger-site.js';

const STREAM = streamKey(QUEUE);
const keys = queueKeys(QUEUE);
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const line = (event: string, at: number, id: string) =>
  `${JSON.stringify({ v: 1, at, queue: QUEUE, event, id })}\n`;

/** Makes the ledger say that everything happened so long ago. */
async function age(path: string, ms: number): Promise<void> {
  const text = await readFile(path, 'utf8');
  await writeFile(
    path,
    text.replaceAll(/"at":(\d+)/g, (_, at) => `"at":${Number(at) - ms}`),
  );
}

it('does not take an entry of yesterday for the later job of the same id, which is lost', async () => {
  const site = await ledgerSite();
  await site.queue.enqueue('order.confirm', {}, { id: 'daily' });
  await site.end();
  // As when a day has passed: the id was free again, and the next one went to a memory that is gone.
  await site.server.command('DEL', keys.marker('daily'));
  const later = Date.now() + 2 * DAY_MS;
  const asked = { queue: QUEUE, ledger: site.path, redis: site.redis, clock: { now: () => later } };
  expect((await verify({ ...asked, backup: 'gone' })).counts).toMatchObject({ delivered: 1, lost: 0 });
  await appendFile(site.path, line('backed-up', later, 'daily'));
  const { counts, examples } = await verify({ ...asked, backup: 'gone' });
  expect(counts).toMatchObject({ delivered: 0, lost: 1, doubled: 0 });
  expect(examples.lost).toEqual(['daily']);
});

it('finds a job doubled also where ids of callers are remembered for less than clocks may differ by', async () => {
  const site = await ledgerSite({ recognition: { callerMs: 30_000 } });
  await site.queue.enqueue('order.confirm', {}, { id: 'mine' });
  await site.server.command('XADD', STREAM, '*', 'id', 'mine');
  await site.end();
  const { code, report } = await site.verify();
  expect(report.counts).toMatchObject({ delivered: 0, doubled: 1 });
  expect(code).toBe(1);
});

it('takes two entries of one id for two jobs where they are further apart than the id is remembered', async () => {
  const site = await ledgerSite({ recognition: { callerMs: 1000 } });
  await site.queue.enqueue('order.confirm', {}, { id: 'mine' });
  await waitFor(async () => Number(await site.server.command('EXISTS', keys.marker('mine'))) === 0, {
    what: 'the id to be free again',
  });
  expect((await site.queue.enqueue('order.confirm', {}, { id: 'mine' })).outcome).toBe('enqueued');
  await site.end();
  const { code, report } = await site.verify();
  expect(report.counts).toMatchObject({ delivered: 1, doubled: 0 });
  expect(code).toBe(0);
});

it('finds a job doubled that came to stand in its queue only while it looked', async () => {
  const site = await ledgerSite();
  const [id = ''] = await site.enqueue(1);
  await site.end();
  await site.server.command('DEL', STREAM, keys.marker(id));
  let looks = 0;
  const list: BackupAdmin['list'] = async (_, state) => {
    if (state === 'pending') looks += 1;
    if (state === 'pending' && looks === 2) {
      for (let n = 0; n < 2; n++) await site.server.command('XADD', STREAM, '*', 'id', id);
    }
    return { jobs: [] };
  };
  const backup = { admin: { ...new MemoryBackupStore().admin, list } };
  const { counts } = await verify({ queue: QUEUE, ledger: site.path, redis: site.redis, backup });
  expect(looks).toBe(2);
  expect(counts).toMatchObject({ delivered: 0, doubled: 1, lost: 0 });
});

it('finds no old job lost because a new one of its swept epoch waits in the backup', async () => {
  const store = new MemoryBackupStore();
  const site = await ledgerSite({ backup: store });
  const ids = (await site.enqueue(30)).filter((id) => !id.startsWith('job-'));
  await waitFor(async () => (await readFile(site.path, 'utf8')).includes(ids.at(-1) as string), {
    what: 'the ledger',
  });
  await age(site.path, 8 * DAY_MS);
  const isolation = site.queue.isolate();
  const { id: young } = await site.queue.enqueue('order.confirm');
  await waitFor(async () => (await readFile(site.path, 'utf8')).includes(`"${young}"`), { what: 'its line' });
  await site.server.command('DEL', STREAM, keys.seen(parseDeliveryId(young).epoch));
  const { counts, unknowable } = await verify({
    ...{ queue: QUEUE, ledger: site.path, redis: site.redis, backup: store },
  });
  isolation.dispose();
  expect(counts).toMatchObject({ pending: 1, lost: 0, unknowable: 30 });
  expect(unknowable['window-passed']).toBe(30);
});

it('reckons with what the ledger says of how long Redis remembers, unless it is told otherwise', async () => {
  const site = await ledgerSite({ recognition: { generatedMs: 4 * HOUR_MS, callerMs: 2 * HOUR_MS } });
  const [callers = '', generated = ''] = await site.enqueue(2);
  await site.end();
  await site.server.command('DEL', STREAM, keys.marker(callers), keys.seen(parseDeliveryId(generated).epoch));
  expect((await site.verify()).report).toMatchObject({
    counts: { lost: 2, unknowable: 0 },
    recognition: { generatedMs: 4 * HOUR_MS, callerMs: 2 * HOUR_MS },
  });
  await age(site.path, 3 * HOUR_MS);
  const callersForgotten = await site.verify();
  expect(callersForgotten.report.counts).toMatchObject({ lost: 1, unknowable: 1 });
  expect(callersForgotten.report.examples.unknowable).toEqual([callers]);
  await age(site.path, 2 * HOUR_MS);
  expect(await site.verify()).toMatchObject({
    code: 2,
    report: { counts: { lost: 0, unknowable: 2 }, unknowable: { 'window-passed': 2 } },
  });
  const told = await site.verify('--generated-days', '7', '--caller-hours', '24');
  expect(told).toMatchObject({ code: 1, report: { counts: { lost: 2, unknowable: 0 } } });
});

it('calls nothing lost in the last minute before an epoch may have been swept', async () => {
  const site = await ledgerSite();
  const [, generated = ''] = await site.enqueue(2);
  await site.end();
  await site.server.command('DEL', STREAM, keys.seen(parseDeliveryId(generated).epoch));
  // Its use was noted up to a minute before it was, by a clock that may be a minute off.
  await age(site.path, 7 * DAY_MS - 90_000);
  expect((await site.verify()).report.counts).toMatchObject({ lost: 0, unknowable: 2 });
});

it('proves nothing by a ledger that was closed before its queue', async () => {
  const site = await ledgerSite();
  await site.enqueue(3);
  await site.ledger.close();
  await site.enqueue(3, 'unheard');
  await site.end();
  const { code, report } = await site.verify();
  expect(report).toMatchObject({
    jobs: 3,
    counts: { delivered: 3 },
    ledger: { closedEarly: 1 },
    isProven: false,
  });
  expect(code).toBe(2);
});

it('proves what one ledger says that took over from another', async () => {
  const site = await ledgerSite();
  await site.enqueue(3);
  const next = join(site.folder, 'next.ndjson');
  const ledger = writeLedger(site.queue, next);
  await site.ledger.close();
  await site.enqueue(3, 'later');
  await site.queue.close();
  await ledger.close();
  const { code, report } = await verifyOn(site.server, [site.path, next, next]);
  expect(report).toMatchObject({ jobs: 6, counts: { delivered: 6 }, ledger: { files: 2, closedEarly: 0 } });
  expect(code).toBe(0);
});

it('reckons with the same windows after its ledger was rotated', async () => {
  const site = await ledgerSite({ recognition: { callerMs: 2 * HOUR_MS } });
  await site.enqueue(3);
  await waitFor(async () => (await readFile(site.path, 'utf8')).split('\n').length >= 4, {
    what: 'the ledger',
  });
  await rename(site.path, `${site.path}.1`);
  await waitFor(
    async () => {
      await site.enqueue(1, `new-${performance.now()}`);
      return (await readFile(site.path, 'utf8').catch(() => '')).includes('new-');
    },
    { what: 'a new file', everyMs: 100 },
  );
  await site.end();
  const { code, report } = await site.verify();
  expect(report).toMatchObject({ counts: { lost: 0 }, recognition: { callerMs: 2 * HOUR_MS } });
  expect(code).toBe(0);
});

/** A job whose first call was rejected with fate `unknown`, and whose second was answered `duplicate`. */
async function doubtedJob() {
  const store = new HookedStore();
  const site = await ledgerSite({ backup: store, deadlineMs: 300, attemptTimeoutMs: 200, lossWindow: false });
  await waitFor(() => site.redis.status === 'ready', { what: 'the client' });
  await site.queue.check();
  store.hooks.append = async () => {
    throw new Error('no room');
  };
  site.server.pause();
  const error = await site.queue.enqueue('order.confirm').catch((thrown: unknown) => thrown);
  site.server.resume();
  if (!isResilientQueueError(error)) throw new Error('It was accepted.');
  const { fate, jobId: id = '' } = error;
  expect(fate).toBe('unknown');
  await waitFor(async () => Number(await site.server.command('XLEN', STREAM)) === 1, {
    what: 'the late job',
  });
  await waitFor(() => site.queue.health().breaker === 'closed', { what: 'the breaker', timeoutMs: 20_000 });
  expect((await site.queue.enqueue('order.confirm', {}, { id })).outcome).toBe('duplicate');
  await site.end();
  return { site, id };
}

it('checks a job whose only answer was that it is a duplicate', async () => {
  const { site, id } = await doubtedJob();
  const found = await site.verify();
  expect(found).toMatchObject({ code: 0, report: { jobs: 1, counts: { delivered: 1 } } });
  await site.server.command('DEL', STREAM, keys.seen(parseDeliveryId(id).epoch));
  // Whoever accepted it may have done so when Redis would have forgotten it by now.
  const gone = await site.verify();
  expect(gone).toMatchObject({
    code: 2,
    report: { counts: { lost: 0, unknowable: 1 }, unknowable: { 'accepted-elsewhere': 1 } },
  });
});

it('does not think that Redis remembers an id for longer because it was told again that it is a duplicate', async () => {
  const site = await ledgerSite();
  await site.queue.enqueue('order.confirm', {}, { id: 'mine' });
  await site.end();
  await age(site.path, 25 * HOUR_MS);
  await appendFile(site.path, line('duplicate', Date.now() - 2 * HOUR_MS, 'mine'));
  await site.server.command('DEL', STREAM, keys.marker('mine'));
  const { code, report } = await site.verify();
  expect(report).toMatchObject({ jobs: 1, counts: { lost: 0 }, unknowable: { 'window-passed': 1 } });
  expect(code).toBe(2);
});

it('does not think that Redis remembers an id for longer because it was accepted again by the backup', async () => {
  const site = await ledgerSite();
  await site.queue.enqueue('order.confirm', {}, { id: 'mine' });
  await waitFor(async () => (await readFile(site.path, 'utf8')).includes('"mine"'), { what: 'its line' });
  await age(site.path, 23.5 * HOUR_MS);
  const isolation = site.queue.isolate();
  expect((await site.queue.enqueue('order.confirm', {}, { id: 'mine' })).outcome).toBe('backed-up');
  isolation.dispose();
  await site.isUp();
  expect(site.queue.health().totals).toMatchObject({ accepted: 2, delivered: 2, recognised: 1 });
  await site.end();
  await age(site.path, HOUR_MS);
  // A day after it was laid down its marker is gone, whatever came in between.
  await site.server.command('DEL', STREAM, keys.marker('mine'));
  const { code, report } = await site.verify('--backup-gone');
  expect(report).toMatchObject({ jobs: 1, counts: { lost: 0 }, unknowable: { 'window-passed': 1 } });
  expect(code).toBe(2);
});

it.each(['streams', 'rq', 'bullmq'])(
  'knows of a job of %s that was accepted several times since when it may be remembered',
  async (transport) => {
    const site = await ledgerSite();
    await site.end();
    const path = join(site.folder, 'several.ndjson');
    const ago = (hours: number, id: string, event = 'backed-up') =>
      line(event, Date.now() - hours * HOUR_MS, id);
    const chain = [ago(12, 'chain'), ago(1, 'chain'), ago(30, 'chain', 'enqueued')];
    await writeFile(path, [...chain, ago(49, 'gap', 'enqueued'), ago(1, 'gap'), ago(1, 'once')].join(''));
    const args = ['--transport', transport, '--backup-gone'];
    const { report } = await verifyOn(site.server, path, ...args);
    expect(report.examples).toMatchObject({ unknowable: ['chain'], lost: ['gap', 'once'] });
    expect(report.unknowable['window-passed']).toBe(1);
  },
);

it('does not call a job lost that was accepted again by an unseen backup just after it had been given up', async () => {
  const site = await ledgerSite();
  site.queue.isolate();
  await site.queue.enqueue('order.confirm', {}, { id: 'mine' });
  await site.end();
  const path = temporaryFolder();
  const next = new ResilientQueue(QUEUE, { redis: site.redis, backup: new LmdbBackupStore({ path }) });
  const ledger = writeLedger(next, site.path);
  next.isolate();
  expect((await next.enqueue('order.confirm', {}, { id: 'mine' })).outcome).toBe('backed-up');
  await next.close();
  await ledger.close();
  expect(await site.verify()).toMatchObject({
    code: 2,
    report: { jobs: 1, counts: { lost: 0 }, unknowable: { 'backup-not-seen': 1 } },
  });
  expect((await site.verify('--backup-lmdb', path)).report.counts).toMatchObject({ pending: 1, lost: 0 });
  expect((await site.verify('--backup-gone')).report.counts).toMatchObject({ lost: 1 });
});

it('does not call a job lost whose id a Redis may have evicted before it was started anew', async () => {
  const site = await ledgerSite();
  const [callers = ''] = await site.enqueue(2);
  await site.end();
  await site.server.command('DEL', STREAM, keys.marker(callers));
  await site.server.command('CONFIG', 'SET', 'maxmemory-policy', 'volatile-lru');
  expect((await site.verify()).report.counts).toMatchObject({ delivered: 1, lost: 1 });
  await site.server.command('CONFIG', 'SET', 'maxmemory', '100mb');
  expect(await site.verify()).toMatchObject({
    code: 2,
    report: { counts: { delivered: 1, lost: 0 }, unknowable: { evicted: 1 } },
  });
});

it('does not call lost what was put into a backup that it does not see because Redis had lost it', async () => {
  const backupPath = temporaryFolder();
  const backup = new LmdbBackupStore({ path: backupPath });
  const site = await ledgerSite({ backup, replay: { auto: false } });
  const ids = await site.enqueue(20);
  // Redis forgets everything, and refuses to take it again: the key is another's.
  await site.server.command('FLUSHALL');
  await site.server.command('SET', STREAM, 'of somebody else');
  await waitFor(
    async () => {
      await site.queue.check();
      return site.queue.health().backup.pending === ids.length;
    },
    { what: 'the lost jobs in the backup', timeoutMs: 20_000 },
  );
  await site.server.command('DEL', STREAM);
  await waitFor(async () => (await readFile(site.path, 'utf8')).includes('backed-up'), {
    what: 'the ledger',
  });
  expect(await site.verify()).toMatchObject({
    code: 2,
    report: { jobs: 20, counts: { lost: 0, unknowable: 20 }, unknowable: { 'backup-not-seen': 20 } },
  });
  const seen = await site.verify('--backup-lmdb', backupPath);
  expect(seen).toMatchObject({ code: 0, report: { counts: { pending: 20, lost: 0 } } });
});

it('looks into all the backups where each process has its own', async () => {
  const [first, second] = [temporaryFolder(), temporaryFolder()];
  const site = await ledgerSite({ backup: new LmdbBackupStore({ path: first }) });
  site.queue.isolate();
  await site.enqueue(3);
  const other = new ResilientQueue(QUEUE, {
    ...{ redis: site.redis, backup: new LmdbBackupStore({ path: second }) },
  });
  onTestFinished(async () => void (await other.close()));
  const otherPath = join(site.folder, 'other.ndjson');
  const ledger = writeLedger(other, otherPath);
  const isolation = other.isolate();
  await other.enqueue('order.confirm', {}, { id: 'elsewhere' });
  await waitFor(async () => (await readFile(otherPath, 'utf8')).includes('elsewhere'), { what: 'its line' });
  await waitFor(async () => (await readFile(site.path, 'utf8')).includes('job-0'), { what: 'the lines' });
  const paths = [site.path, otherPath];
  const both = await verifyOn(site.server, paths, '--backup-lmdb', first, '--backup-lmdb', second);
  isolation.dispose();
  expect(both).toMatchObject({ code: 0, report: { counts: { pending: 4, lost: 0 } } });
  const none = await verifyOn(site.server, paths, '--backup-lmdb', first, '--backup-lmdb', site.folder);
  expect(none).toMatchObject({ code: 2, err: expect.stringContaining('There is no backup') });
  await ledger.close();
});

it('takes what it remembers for no proof where Redis may evict any key, though it says that it has not yet', async () => {
  const site = await ledgerSite();
  await site.enqueue(5);
  await site.end();
  // As after a restart: the stream was evicted before it, and the count began anew.
  await site.server.command('DEL', STREAM);
  expect(await site.verify()).toMatchObject({ code: 0, report: { counts: { delivered: 5 } } });
  await site.server.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
  expect(await site.verify()).toMatchObject({ code: 0, report: { counts: { delivered: 5 } } });
  await site.server.command('CONFIG', 'SET', 'maxmemory', '100mb');
  expect(await site.server.command('INFO', 'stats')).toMatch(/^evicted_keys:0/m);
  expect(await site.verify()).toMatchObject({ code: 2, report: { unknowable: { evicted: 5 } } });
});

it.each(["ERR Command is not available: 'ROLE'", 'NOPERM this user has no permissions'])(
  'does without what a managed Redis refuses to say: %s',
  async (refusal) => {
    const site = await ledgerSite();
    await site.enqueue(3);
    await site.end();
    const inner = recogniseClient(site.redis) as RedisConnection;
    const redis: RedisConnection = {
      client: site.redis,
      isReady: true,
      send: async (args, key) => {
        if (args[0] === 'ROLE' || args[0] === 'INFO') throw new Error(refusal);
        return inner.send(args, key);
      },
      listen: (hints) => inner.listen(hints),
      destroy: () => {},
    };
    expect(await verify({ queue: QUEUE, ledger: site.path, redis })).toMatchObject({
      isProven: true,
      onTrust: ['primary', 'eviction'],
    });
  },
);

it('rejects, and does not wait for ever, when Redis goes away while it looks', async () => {
  const site = await ledgerSite();
  await site.enqueue(3);
  await site.end();
  const list = async () => {
    await site.server.kill();
    return { jobs: [] as readonly JobRecord[] };
  };
  const backup = { admin: { ...new MemoryBackupStore().admin, list } };
  const asked = { queue: QUEUE, ledger: site.path, redis: site.redis, backup, timeoutMs: 500 };
  await expect(verify(asked)).rejects.toThrow();
});

it('waits for a backup that does not answer no longer than it is told to', async () => {
  const site = await ledgerSite();
  await site.enqueue(3);
  await site.end();
  const list = () => new Promise<never>(() => {});
  const backup = { admin: { ...new MemoryBackupStore().admin, list } };
  const asked = { queue: QUEUE, ledger: site.path, redis: site.redis, backup, timeoutMs: 100 };
  await expect(verify(asked)).rejects.toThrow('The backup store did not answer within 100 ms.');
});

it("takes a store's export for the ledger, while its jobs wait and when they were replayed", async () => {
  const backupPath = temporaryFolder();
  const backup = new LmdbBackupStore({ path: backupPath });
  const site = await ledgerSite({ backup });
  const isolation = site.queue.isolate();
  const ids = await site.enqueue(3);
  const { jobs } = await backup.admin.list(QUEUE, 'pending', { limit: 10 });
  const exported = join(site.folder, 'export.ndjson');
  await writeFile(exported, jobs.map((job) => `${JSON.stringify(job)}\n`).join(''));
  const waiting = await verifyOn(site.server, exported, '--backup-lmdb', backupPath);
  expect(waiting).toMatchObject({ code: 0, report: { jobs: 3, counts: { pending: 3 } } });
  isolation.dispose();
  await site.isUp();
  expect(await verifyOn(site.server, exported)).toMatchObject({
    code: 0,
    report: { counts: { delivered: 3 } },
  });
  await site.end();
  const [lost = ''] = ids;
  await consumeAndForget(site.server, lost);
  const gone = await verifyOn(site.server, exported, '--backup-lmdb', backupPath);
  expect(gone).toMatchObject({ code: 1, report: { counts: { delivered: 2, lost: 1 } } });
});

/** Removes the stream's first entry, and what is remembered of the id. */
async function consumeAndForget(
  server: { command(...args: string[]): Promise<unknown> },
  id: string,
): Promise<void> {
  await server.command('XTRIM', STREAM, 'MAXLEN', '2');
  await server.command('DEL', keys.marker(id));
}

it('guesses at no transport that it does not know, and at none of two', async () => {
  const site = await ledgerSite();
  await site.enqueue(3);
  await site.end();
  const opened = (transport: string, callerMs: number) =>
    `${JSON.stringify({
      ...{ v: 1, at: Date.now(), queue: QUEUE, event: 'opened', writer: transport },
      recognition: { transport, generatedMs: 7 * DAY_MS, callerMs },
    })}\n`;
  await appendFile(site.path, opened('rq', 2 * HOUR_MS));
  const both = await site.verify();
  expect(both).toMatchObject({ code: 2, err: expect.stringContaining('"streams", "rq": say which') });
  const chosen = await site.verify('--transport', 'streams');
  // The shortest of several windows: for so long everybody's jobs are known.
  expect(chosen).toMatchObject({ code: 0, report: { recognition: { callerMs: 2 * HOUR_MS } } });
  const strange = join(site.folder, 'strange.ndjson');
  await writeFile(strange, opened('pigeon', HOUR_MS) + line('enqueued', Date.now(), 'a'));
  const unknown = await verifyOn(site.server, strange);
  expect(unknown).toMatchObject({
    code: 2,
    err: expect.stringContaining('"pigeon": what that leaves behind'),
  });
});
