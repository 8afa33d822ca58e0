import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { LmdbBackupStore } from '../../../src/backup/lmdb.js';
import { verifyCommand } from '../../../src/cli/verify-command.js';
import {
  type BackupAdmin,
  type JobRecord,
  MemoryBackupStore,
  queueKeys,
  streamKey,
} from '../../../src/index.js';
import { verify } from '../../../src/ledger/index.js';
import { parseDeliveryId } from '../../../src/recognition/delivery-id.js';
import { runCommand } from '../../support/run-command.js';
import { readStream } from '../../support/stream.js';
import { waitFor } from '../../support/wait-for.js';
import { temporaryFolder } from '../../unit/support/temporary-folder.js';
import { ledgerSite, QUEUE } from './ledger-site.js';

const STREAM = streamKey(QUEUE);
const keys = queueKeys(QUEUE);
type Site = Awaited<ReturnType<typeof ledgerSite>>;

/** Removes a job's entry from the stream, as its consumer does. */
async function consume({ server }: Site, id: string): Promise<void> {
  const entry = (await readStream(server, STREAM)).find(({ fields }) => fields.id === id);
  await server.command('XDEL', STREAM, entry?.id ?? '');
}

/** Takes back the bit of a delivery. */
async function forget({ server }: Site, delivery: string): Promise<void> {
  const { epoch, seq } = parseDeliveryId(delivery);
  await server.command('SETBIT', keys.seen(epoch), String(seq), '0');
}

it('says that all is well of jobs that wait in the stream, and of those that were consumed and deleted', async () => {
  const site = await ledgerSite();
  const ids = await site.enqueue(300);
  for (const id of ids.slice(0, 30)) await consume(site, id);
  await site.end();
  const { code, report } = await site.verify();
  expect(report).toMatchObject({
    jobs: 300,
    counts: { delivered: 300, pending: 0, parked: 0, dropped: 0, lost: 0, doubled: 0, unknowable: 0 },
    ledger: { torn: 0, missing: 0, openWriters: 0, closedEarly: 0 },
    recognition: { generatedMs: 7 * 86_400_000, callerMs: 86_400_000 },
    onTrust: [],
    isProven: true,
  });
  expect(code).toBe(0);
});

it('finds a job lost whose entry and bit are gone, also one with an id of its caller', async () => {
  const site = await ledgerSite();
  const ids = await site.enqueue(100);
  // A queue at work would notice.
  await site.end();
  const [callers, generated] = [ids[3] as string, ids[4] as string];
  for (const id of [callers, generated]) await consume(site, id);
  await forget(site, generated);
  await forget(site, String(await site.server.command('GET', keys.marker(callers))));
  const { code, report } = await site.verify();
  expect(report.counts).toMatchObject({ delivered: 98, lost: 2 });
  expect([...report.examples.lost].sort()).toEqual([callers, generated].sort());
  expect(code).toBe(1);
});

it('finds a job doubled that stands in the stream twice', async () => {
  const site = await ledgerSite();
  const ids = await site.enqueue(50);
  await site.server.command(
    'XADD',
    STREAM,
    '*',
    'id',
    ids[7] as string,
    'name',
    'order.confirm',
    'payload',
    '{}',
  );
  await site.end();
  const { code, report } = await site.verify();
  expect(report.counts).toMatchObject({ delivered: 49, doubled: 1, lost: 0 });
  expect(report.examples.doubled).toEqual([ids[7]]);
  expect(code).toBe(1);
});

it('takes what Redis may have forgotten for neither lost nor delivered', async () => {
  const site = await ledgerSite();
  const [callers = '', generated = ''] = await site.enqueue(2);
  await site.end();
  const old = await readFile(site.path, 'utf8');
  const week = 8 * 86_400_000;
  const aged = old.replaceAll(/"at":(\d+)/g, (_, at) => `"at":${Number(at) - week}`);
  await appendFile(`${site.path}.old`, aged);
  await site.server.command('DEL', STREAM, keys.marker(callers), keys.seen(parseDeliveryId(generated).epoch));
  expect((await site.verify()).report.counts).toMatchObject({ lost: 2, unknowable: 0 });
  const { code, out } = await runCommand(verifyCommand, [
    ...['--queue', QUEUE, '--ledger', `${site.path}.old`, '--redis', `redis://127.0.0.1:${site.server.port}`],
    '--json',
  ]);
  expect(JSON.parse(out)).toMatchObject({ counts: { unknowable: 2 }, unknowable: { 'window-passed': 2 } });
  expect(code).toBe(2);
});

it('finds jobs pending in the backup of a process at work, parked, and dropped by their expiry', async () => {
  const backupPath = temporaryFolder();
  const backup = new LmdbBackupStore({ path: backupPath });
  const site = await ledgerSite({ backup, deadlineMs: 300 });
  await site.enqueue(10);
  await site.server.kill();
  await waitFor(() => site.redis.status !== 'ready', { what: 'the client to notice' });
  const expiresAt = Date.now() + 1000;
  await Promise.all([
    site.queue.enqueue('order.confirm', { n: 1 }, { id: 'expires', expiresAt }),
    site.queue.enqueue('order.confirm', { n: 2 }, { id: 'waits' }),
  ]);
  // Of another transport: nothing but parking it is right.
  const { jobs } = await backup.admin.list(QUEUE, 'pending', { limit: 10 });
  const record = jobs.find((job) => 'id' in job && job.id === 'waits');
  await backup.append(QUEUE, [{ ...(record as JobRecord), id: 'foreign', transport: 'other' }]);
  await waitFor(() => Date.now() > expiresAt, { what: 'the expiry' });
  await site.server.restart();
  await site.isUp();
  // What the ledger of its own process says.
  await appendFile(
    site.path,
    `${JSON.stringify({ v: 1, at: Date.now(), queue: QUEUE, event: 'backed-up', id: 'foreign' })}\n`,
  );
  const isolation = site.queue.isolate();
  await site.enqueue(5, 'later');
  await waitFor(async () => (await readFile(site.path, 'utf8')).includes('later-3'), { what: 'the ledger' });
  const { code, report } = await site.verify('--backup-lmdb', backupPath);
  isolation.dispose();
  expect(report.counts).toEqual({
    ...{ delivered: 11, pending: 5, parked: 1, dropped: 1, lost: 0, doubled: 0, unknowable: 0 },
  });
  expect(report.examples.parked).toEqual(['foreign']);
  expect(report.ledger.openWriters).toBe(1);
  expect(code).toBe(0);
});

it('cannot tell of a job that went to a backup that it does not see, and says lost when that is gone', async () => {
  const site = await ledgerSite();
  await site.enqueue(3);
  site.queue.isolate();
  await site.enqueue(4, 'later');
  await waitFor(async () => (await readFile(site.path, 'utf8')).includes('later-3'), { what: 'the ledger' });
  const unseen = await site.verify();
  expect(unseen.report).toMatchObject({
    counts: { delivered: 3, unknowable: 4 },
    unknowable: { 'backup-not-seen': 4 },
  });
  expect(unseen.code).toBe(2);
  const gone = await site.verify('--backup-gone');
  expect(gone.report.counts).toMatchObject({ delivered: 3, lost: 4 });
  expect(gone.code).toBe(1);
});

it('counts jobs as lost that were told to be lost with a memory backup', async () => {
  const site = await ledgerSite();
  await site.enqueue(3);
  site.queue.isolate();
  await site.enqueue(4, 'later');
  await site.end();
  const { code, report } = await site.verify();
  expect(report.counts).toMatchObject({ delivered: 3, lost: 4, dropped: 0 });
  expect(code).toBe(1);
});

it('looks once more for what seems to be lost: it may have moved meanwhile', async () => {
  const store = new MemoryBackupStore();
  const site = await ledgerSite({ backup: store });
  await site.enqueue(3);
  const isolation = site.queue.isolate();
  await site.enqueue(4, 'later');
  await waitFor(async () => (await readFile(site.path, 'utf8')).includes('later-3'), { what: 'the ledger' });
  let looks = 0;
  // As if they were parked after the parked ones, and taken back before the pending ones had been listed.
  const list: BackupAdmin['list'] = async (queue, state, options) => {
    if (state === 'pending') looks += 1;
    return looks === 1 ? { jobs: [] } : store.admin.list(queue, state, options);
  };
  const backup = { admin: { ...store.admin, list } };
  const report = await verify({ queue: QUEUE, ledger: site.path, redis: site.redis, backup });
  isolation.dispose();
  expect(report.counts).toMatchObject({ delivered: 3, pending: 4, lost: 0 });
  expect(looks).toBe(2);
});

it('finds a job that was taken, given up and taken again where it is now', async () => {
  const site = await ledgerSite();
  await site.enqueue(1);
  await site.end();
  const line = (event: string, at: number, id: string, more = {}) =>
    `${JSON.stringify({ v: 1, at, queue: QUEUE, event, id, ...more })}\n`;
  const expired = { reason: 'expired' };
  const now = Date.now();
  await appendFile(
    site.path,
    [
      line('backed-up', now, 'dropped'),
      line('dropped', now + 1, 'dropped', expired),
      line('dropped', now - 120_000, 'again', expired),
      line('backed-up', now, 'again'),
      // Another process's clock.
      line('dropped', now - 30_000, 'clocks', expired),
      line('backed-up', now, 'clocks'),
      line('backed-up', now, 'superseded'),
      line('dropped', now + 1, 'superseded', { reason: 'superseded' }),
      line('dropped', now, 'only-told', expired),
      line('parked', now, 'removed', { reason: 'rejected' }),
    ].join(''),
  );
  const { report } = await site.verify('--backup-gone');
  expect(report).toMatchObject({
    counts: { delivered: 1, dropped: 2, lost: 2, unknowable: 2 },
    unknowable: { 'clocks-differ': 1, 'parked-no-more': 1 },
  });
  expect(report.examples.lost.toSorted()).toEqual(['again', 'superseded']);
  expect(report.examples.unknowable).toEqual(['clocks', 'removed']);
});

it('cannot tell of an id of a caller that a Redis which evicts knows no more', async () => {
  const site = await ledgerSite();
  const [callers = ''] = await site.enqueue(2);
  await site.end();
  await consume(site, callers);
  await site.server.command('DEL', keys.marker(callers));
  expect((await site.verify()).report.counts).toMatchObject({ lost: 1, unknowable: 0 });
  await site.server.command('CONFIG', 'SET', 'maxmemory-policy', 'volatile-lru');
  await site.server.command('CONFIG', 'SET', 'maxmemory', '4mb');
  for (let n = 0; n < 50; n++) {
    await site.server.command('SET', `other-${n}`, 'x'.repeat(200_000), 'PX', '600000');
  }
  expect(await site.server.command('INFO', 'stats')).toMatch(/^evicted_keys:[1-9]/m);
  const { code, report } = await site.verify();
  expect(report).toMatchObject({
    counts: { delivered: 1, lost: 0, unknowable: 1 },
    unknowable: { evicted: 1 },
  });
  expect(code).toBe(2);
});

it('waits for a Redis that hangs no longer than it is told to', async () => {
  const site = await ledgerSite();
  await site.enqueue(2);
  await site.end();
  site.server.pause();
  const looking = verify({ queue: QUEUE, ledger: site.path, redis: site.redis, timeoutMs: 200 });
  await expect(looking).rejects.toThrow('Redis did not answer within 200 ms.');
  site.server.resume();
});

it('proves nothing by a ledger that says itself that lines are missing', async () => {
  const site = await ledgerSite();
  await site.enqueue(3);
  await site.end();
  const missing = { v: 1, at: Date.now(), queue: QUEUE, event: 'missing', writer: 'a', count: 5 };
  await appendFile(site.path, `${JSON.stringify(missing)}\n`);
  const { code, report } = await site.verify();
  expect(report).toMatchObject({ counts: { delivered: 3 }, ledger: { missing: 5 }, isProven: false });
  expect(code).toBe(2);
});

it('takes what it remembers of jobs for no proof where Redis may have evicted the queue itself', async () => {
  const site = await ledgerSite();
  const ids = await site.enqueue(30);
  await site.end();
  // Only the stream is gone: as the least recently used of all keys.
  await site.server.command('DEL', STREAM);
  await site.server.command('XADD', STREAM, '*', 'id', ids[7] as string);
  await site.server.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
  await site.server.command('CONFIG', 'SET', 'maxmemory', '4mb');
  for (let n = 0; n < 50; n++) await site.server.command('SET', `other-${n}`, 'x'.repeat(200_000));
  expect(await site.server.command('INFO', 'stats')).toMatch(/^evicted_keys:[1-9]/m);
  await site.server.command('CONFIG', 'SET', 'maxmemory', '0');
  await site.server.command('DEL', STREAM);
  await site.server.command('XADD', STREAM, '*', 'id', ids[7] as string);
  for (const policy of ['allkeys-lru', 'noeviction']) {
    await site.server.command('CONFIG', 'SET', 'maxmemory-policy', policy);
    const { code, report } = await site.verify();
    expect(report).toMatchObject({ counts: { delivered: 1, unknowable: 29 }, unknowable: { evicted: 29 } });
    expect(code).toBe(2);
  }
});

it('does not believe that a job is still parked in a backup that it does not see', async () => {
  const site = await ledgerSite();
  await site.enqueue(3);
  await site.end();
  const line = { v: 1, at: Date.now(), queue: QUEUE, event: 'parked', id: 'poison', reason: 'rejected' };
  await appendFile(site.path, `${JSON.stringify(line)}\n`);
  const { code, report } = await site.verify();
  expect(report).toMatchObject({
    counts: { delivered: 3, parked: 0, unknowable: 1 },
    unknowable: { 'backup-not-seen': 1 },
    isProven: false,
  });
  expect(code).toBe(2);
});

it('says nothing to a user who may not read what Redis remembers of ids of callers', async () => {
  const site = await ledgerSite();
  const [callers = ''] = await site.enqueue(3);
  await site.end();
  await consume(site, callers);
  const rights = '+xrange +exists +bitfield +eval +evalsha -get';
  await site.server.command('ACL', 'SETUSER', 'auditor', 'on', '>pw', '~rsq:*', ...rights.split(' '));
  const url = `redis://auditor:pw@127.0.0.1:${site.server.port}`;
  const { code, out, err } = await runCommand(verifyCommand, [
    ...['--queue', QUEUE, '--ledger', site.path, '--redis', url],
  ]);
  expect(err).toContain('NOPERM');
  expect([code, out]).toEqual([2, '']);
});

it('finds no old job lost because a later one of its epoch has begun a swept bitmap anew', async () => {
  const site = await ledgerSite();
  const ids = (await site.enqueue(30)).filter((id) => !id.startsWith('job-'));
  await site.end();
  const week = 8 * 86_400_000;
  const aged = (await readFile(site.path, 'utf8')).replaceAll(
    /"at":(\d+)/g,
    (_, at) => `"at":${Number(at) - week}`,
  );
  await writeFile(site.path, aged);
  const { epoch, seq } = parseDeliveryId(ids[7] as string);
  // Swept after a week, and then a backup was replayed that had waited all the while.
  await site.server.command('DEL', STREAM, keys.seen(epoch));
  await site.server.command('SETBIT', keys.seen(epoch), String(seq), '1');
  const { code, report } = await site.verify();
  expect(report.counts).toMatchObject({ delivered: 1, lost: 0, unknowable: 29 });
  expect(report.unknowable['window-passed']).toBe(29);
  expect(code).toBe(2);
});

it('takes an entry of somebody else, which has no id, for no job', async () => {
  const site = await ledgerSite();
  const [callers = ''] = await site.enqueue(3);
  await site.end();
  await site.server.command('XADD', STREAM, '*', callers, 'text');
  expect((await site.verify()).report.counts).toMatchObject({ delivered: 3, doubled: 0 });
});
