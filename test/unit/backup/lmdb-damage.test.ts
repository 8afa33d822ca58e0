import { createHash } from 'node:crypto';
import {
  appendFileSync,
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bundleKey, formatKey, marksKey, rowsOf } from '../../../src/backup/lmdb/keys.js';
import { seal } from '../../../src/backup/lmdb/sealed-row.js';
import { Tree } from '../../../src/backup/lmdb/tree.js';
import { BackupFileError, isBackupFileError, LmdbBackupStore } from '../../../src/backup/lmdb.js';
import type { JobRecord } from '../../../src/index.js';
import { FakeClock } from '../support/fake-clock.js';
import { jobRecord } from '../support/job-record.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { rejectionOf, thrownBy } from '../support/thrown.js';

const PAGE = 4096;
const job = (n: number, payload = `"payload ${n}"`) => jobRecord({ id: `job-${n}`, payload });

/** A closed backup with 40 jobs in four bundles. */
async function makeBackup(): Promise<{ path: string; data: string }> {
  const path = temporaryFolder();
  const store = new LmdbBackupStore({ path });
  for (let from = 0; from < 40; from += 10) {
    await store.append(
      'q',
      Array.from({ length: 10 }, (_, i) => job(from + i)),
    );
  }
  await store.close();
  return { path, data: join(path, 'data.mdb') };
}

function overwrite(file: string, position: number, bytes: Buffer): void {
  const handle = openSync(file, 'r+');
  writeSync(handle, bytes, 0, bytes.length, position);
  closeSync(handle);
}

const noise = (length: number) => Buffer.alloc(length, 'Not what was here. ');

const damages: readonly [what: string, damage: (data: string) => void, told: RegExp][] = [
  ['empty', (data) => truncateSync(data, 0), /data\.mdb is empty/],
  ['gone', (data) => rmSync(data), /data\.mdb is missing/],
  ['cut off in its first page', (data) => truncateSync(data, 100), /cut off at byte 100/],
  ['cut off after its first page', (data) => truncateSync(data, PAGE), /cut off at byte 4096/],
  ['cut off after its first two pages', (data) => truncateSync(data, 2 * PAGE), /cut off at byte 8192/],
  [
    'without its first page',
    (data) => overwrite(data, 0, Buffer.alloc(PAGE)),
    /page 0 is not one that LMDB begins with/,
  ],
  ['with noise for a first page', (data) => overwrite(data, 0, noise(PAGE)), /page 0 is not/],
  ['with noise for a second page', (data) => overwrite(data, PAGE, noise(PAGE)), /page 1 is not/],
  ['of another data format', (data) => overwrite(data, 24 + 4, Buffer.from([9])), /another data format/],
  [
    'with impossible sizes',
    (data) => overwrite(data, 24 + 24, Buffer.from([3])),
    /page 0 says what cannot be/,
  ],
  [
    'with roots that point nowhere',
    (data) => {
      for (const page of [0, PAGE]) overwrite(data, page + 24 + 72 + 40, Buffer.from([0xff, 0xff, 0xff]));
    },
    /points to page 16777215/,
  ],
  [
    'with noise for all other pages',
    (data) => overwrite(data, 2 * PAGE, noise(60 * PAGE)),
    /page \d+ is not/,
  ],
  ['something else altogether', (data) => writeFileSync(data, noise(20_000)), /page 0 is not/],
];

describe('a damaged file', () => {
  it.each(damages)('is refused by name and left as it is: %s', async (_, damage, told) => {
    const { path, data } = await makeBackup();
    damage(data);
    const before = contentOf(data);
    const error = thrownBy(() => new LmdbBackupStore({ path }));
    expect(error).toBeInstanceOf(BackupFileError);
    expect(isBackupFileError(error)).toBe(true);
    expect(error).toMatchObject({ code: 'BACKUP_DAMAGED', message: expect.stringMatching(told) });
    expect((error as Error).message).toMatch(/restore the folder from a copy/i);
    expect((error as Error).message).toContain(path);
    expect(contentOf(data)).toEqual(before);
    // Also the second time.
    expect(thrownBy(() => new LmdbBackupStore({ path }))).toMatchObject({ code: 'BACKUP_DAMAGED' });
  });

  it('can be set right by whoever has a copy', async () => {
    const { path, data } = await makeBackup();
    const copy = readFileSync(data);
    truncateSync(data, 0);
    expect(() => new LmdbBackupStore({ path })).toThrow(BackupFileError);
    writeFileSync(data, copy);
    const store = new LmdbBackupStore({ path });
    expect(await store.stats('q')).toMatchObject({ pending: 40 });
    await store.close();
  });

  it('is no new one: an empty file is, where there never was a backup', async () => {
    const path = temporaryFolder();
    writeFileSync(join(path, 'data.mdb'), '');
    const store = new LmdbBackupStore({ path });
    expect(await store.append('q', [job(1)])).toEqual(['added']);
    await store.close();
  });

  it('is not one that is longer than it has to be', async () => {
    const { path, data } = await makeBackup();
    appendFileSync(data, noise(3 * PAGE));
    const store = new LmdbBackupStore({ path });
    expect(await store.stats('q')).toMatchObject({ pending: 40 });
    await store.close();
  });
});

describe('a file that is removed while it is open', () => {
  it('takes no more jobs, which would be gone with the process, and still gives those it has', async () => {
    const { path, data } = await makeBackup();
    const store = new LmdbBackupStore({ path });
    rmSync(data);
    const error = await rejectionOf(store.append('q', [job(40)]));
    expect(error).toMatchObject({
      code: 'BACKUP_DAMAGED',
      fate: 'not-delivered',
      message: expect.stringMatching(/was removed while it was open/),
    });
    const lease = await store.lease('q', 100, 1000);
    expect(lease?.jobs).toHaveLength(40);
    await store.acknowledge(lease?.token as string, lease?.jobs.map(({ id }) => id) ?? []);
    expect(await store.stats('q')).toMatchObject({ pending: 0 });
    await store.close();
  });
});

/** Stands for what is in a file; undefined when there is none. */
function contentOf(file: string): string | undefined {
  if (!existsSync(file)) return undefined;
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

describe('a damaged job', () => {
  /** Changes one letter of one payload on the disk. */
  function damagePayload(data: string, n: number): void {
    const find = () => readFileSync(data).indexOf(`payload ${n}\\"`);
    expect(find()).toBeGreaterThan(0);
    // Pages that are not in use any more may have it, too.
    for (let at = find(); at !== -1; at = find()) overwrite(data, at, Buffer.from('PAYLOAD'));
  }

  async function damageOne(): Promise<string> {
    const { path, data } = await makeBackup();
    damagePayload(data, 13);
    return path;
  }

  it('does not hold up the others, and is handed out as one that will be parked, under its own id', async () => {
    const store = new LmdbBackupStore({ path: await damageOne() });
    const lease = await store.lease('q', 100, 1000);
    expect(lease?.jobs.map(({ id }) => id)).toEqual(Array.from({ length: 40 }, (_, n) => `job-${n}`));
    const damaged = lease?.jobs.filter(({ version }) => version !== 1);
    expect(damaged).toMatchObject([{ version: 0, queue: 'q', id: 'job-13', name: 'damaged' }]);
    expect(JSON.stringify(damaged)).not.toMatch(/payload 1/i);
    await store.close();
  });

  it('is parked with its reason, stays visible, and is gone only when somebody removes it', async () => {
    const store = new LmdbBackupStore({ path: await damageOne() });
    const lease = await store.lease('q', 100, 1000);
    const ids = lease?.jobs.map(({ id }) => id) ?? [];
    const others = ids.filter((id) => id !== 'job-13');
    await store.park(lease?.token as string, ['job-13'], 'unknown-version');
    await store.acknowledge(lease?.token as string, others);
    expect(await store.stats('q')).toMatchObject({ pending: 0, parked: 1, bytes: 0 });
    const { jobs } = await store.admin.list('q', 'parked', { limit: 10 });
    expect(jobs).toMatchObject([
      { job: { id: 'job-13', version: 0 }, reason: expect.stringMatching(/^damaged: .*checksum/) },
    ]);
    expect(await store.admin.unpark('q', ['job-13'])).toBe(0);
    expect(await store.append('q', [job(13)])).toEqual(['replaced']);
    expect(await store.stats('q')).toMatchObject({ pending: 1, parked: 0 });
    expect(await store.admin.remove('q', ['job-13'])).toBe(1);
    await store.close();
  });

  it('is known by its id, and can be removed, where it was damaged after it was parked', async () => {
    const { path } = await makeBackup();
    const store = new LmdbBackupStore({ path });
    const lease = await store.lease('q', 100, 1000);
    await store.park(lease?.token as string, ['job-13', 'job-14'], 'rejected');
    await store.close();
    const tree = new Tree(path);
    const [key] = tree.keys(rowsOf('parked', 0));
    const row = Buffer.from(tree.get(key as Buffer) as Buffer);
    row[20] = (row[20] as number) ^ 1;
    tree.transactionSync(() => tree.put(key as Buffer, row));
    await tree.close();
    const next = new LmdbBackupStore({ path });
    const { jobs } = await next.admin.list('q', 'parked', { limit: 10 });
    expect(jobs).toMatchObject([
      { job: { id: 'job-13', version: 0 }, reason: 'damaged' },
      { job: { id: 'job-14', version: 1 }, reason: 'rejected' },
    ]);
    expect(await next.admin.unpark('q', ['job-13', 'job-14'])).toBe(1);
    expect(await next.admin.remove('q', ['job-13'])).toBe(1);
    expect((await next.stats('q')).parked).toBe(0);
    await next.close();
  });

  it('does not take those with it that came together with it, also when the last of them are gone', async () => {
    const { path, data } = await makeBackup();
    const store = new LmdbBackupStore({ path });
    const lease = await store.lease('q', 100, 1000);
    await store.acknowledge(lease?.token as string, ['job-18', 'job-19']);
    await store.close();
    damagePayload(data, 13);
    const next = new LmdbBackupStore({ path });
    const { jobs } = await next.admin.list('q', 'pending', { limit: 100 });
    const damaged = (jobs as JobRecord[]).filter(({ version }) => version !== 1);
    expect(jobs).toHaveLength(38);
    expect(damaged.map(({ id }) => id)).toEqual(['job-13']);
    await next.close();
  });

  it('is not one where only what is said of those that came together is damaged', async () => {
    const { path } = await makeBackup();
    const key = bundleKey(0, 2);
    const jobs = Array.from({ length: 40 }, (_, n) => job(n));
    for (let at = 0; at < 8; at++) {
      const tree = new Tree(path);
      const bundle = tree.get(key) as Buffer;
      const damaged = Buffer.from(bundle);
      damaged.writeUInt8((bundle[at] as number) ^ 2, at);
      tree.transactionSync(() => tree.put(key, damaged));
      await tree.close();
      const store = new LmdbBackupStore({ path });
      const lease = await store.lease('q', 100, 1000);
      expect(lease?.jobs.map(({ id, payload }) => ({ id, payload }))).toEqual(
        jobs.map(({ id, payload }) => ({ id, payload })),
      );
      await store.release(lease?.token as string, lease?.jobs.map(({ id }) => id) ?? []);
      await store.close();
      const again = new Tree(path);
      again.transactionSync(() => again.put(key, bundle));
      await again.close();
    }
  });

  it('shows in the list of what is pending', async () => {
    const store = new LmdbBackupStore({ path: await damageOne() });
    const { jobs } = await store.admin.list('q', 'pending', { limit: 100 });
    expect(jobs).toHaveLength(40);
    expect(jobs[13]).toMatchObject({ id: 'job-13', version: 0 });
    expect((jobs as JobRecord[]).filter(({ version }) => version === 1)).toHaveLength(39);
    await store.close();
  });
});

describe('where the library’s own ids are damaged', () => {
  const id = (seq: number) => `018bcfe5680aaaaaaaaaaaaaaaa-${seq}`;
  const own = (from: number, count: number) =>
    Array.from({ length: count }, (_, n) =>
      jobRecord({ id: id(from + n), payload: `"payload ${from + n}"` }),
    );
  const seqs = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => from + n);
  const idsOf = (jobs: readonly JobRecord[] = []) => jobs.map(({ id }) => id);

  /** A closed backup with jobs of the library’s own ids, ten in a bundle: the first three runs of them. */
  async function makeOwnBackup(use?: (store: LmdbBackupStore) => Promise<void>): Promise<string> {
    const path = temporaryFolder();
    const store = new LmdbBackupStore({ path });
    for (let from = 0; from < 150; from += 10) await store.append('q', own(from, 10));
    await use?.(store);
    await store.close();
    return path;
  }

  /** Of the first queue. */
  async function damageRows(path: string, find: (tree: Tree) => readonly Buffer[]): Promise<void> {
    const tree = new Tree(path);
    const keys = find(tree);
    expect(keys.length).toBeGreaterThan(0);
    tree.transactionSync(() => {
      for (const key of keys) {
        const row = Buffer.from(tree.get(key) as Buffer);
        row[row.length >> 1] = (row[row.length >> 1] as number) ^ 1;
        tree.put(key, row);
      }
    });
    await tree.close();
  }
  const runs = (tree: Tree) => tree.keys(rowsOf('run', 0));
  const firstRun = (tree: Tree) => runs(tree).slice(0, 1);
  const marks = (bundle: number) => () => [marksKey(0, bundle)];

  /** Takes and acknowledges all, ten at a time; returns the ids. The figures must say so to the last. */
  async function takeAll(store: LmdbBackupStore): Promise<string[]> {
    const taken: string[] = [];
    for (;;) {
      const lease = await store.lease('q', 10, 1000);
      if (!lease) break;
      const ids = idsOf(lease.jobs);
      expect((await store.stats('q')).pending).toBeGreaterThanOrEqual(ids.length);
      await store.acknowledge(lease.token, ids);
      taken.push(...ids);
    }
    expect(await store.stats('q')).toMatchObject({ pending: 0, leased: 0, unknown: 0, bytes: 0 });
    expect((await store.admin.list('q', 'pending', { limit: 10 })).jobs).toEqual([]);
    return taken;
  }

  /** Acknowledges and parks some of the second bundle, and gives the others back. */
  async function useSome(store: LmdbBackupStore): Promise<void> {
    const lease = await store.lease('q', 20, 1000);
    const token = lease?.token as string;
    await store.acknowledge(token, [10, 11, 17].map(id));
    await store.park(token, [id(12)], 'why');
    await store.release(token, idsOf(lease?.jobs));
  }
  const unused = seqs(0, 150).filter((n) => ![10, 11, 12, 17].includes(n));

  it('each is handed out once, and in order, without the rows that say where they are', async () => {
    const path = await makeOwnBackup();
    await damageRows(path, runs);
    const store = new LmdbBackupStore({ path });
    expect(await store.stats('q')).toMatchObject({ pending: 150 });
    expect(await takeAll(store)).toEqual(seqs(0, 150).map(id));
    await store.close();
  });

  it('one that is appended anew is kept twice rather than not at all, and is present again', async () => {
    const path = await makeOwnBackup();
    await damageRows(path, firstRun);
    const store = new LmdbBackupStore({ path });
    expect(await store.append('q', [...own(63, 1), ...own(64, 1)])).toEqual(['added', 'present']);
    expect(await store.append('q', own(63, 1))).toEqual(['present']);
    expect(await takeAll(store)).toEqual([...seqs(0, 150), 63].map(id));
    await store.close();
  });

  it('what is gone and what waits is known by their places, without the marks', async () => {
    const path = await makeOwnBackup(useSome);
    await damageRows(path, marks(1));
    const store = new LmdbBackupStore({ path });
    const { jobs } = await store.admin.list('q', 'pending', { limit: 1000 });
    expect(idsOf(jobs as JobRecord[])).toEqual(unused.map(id));
    expect(await store.stats('q')).toMatchObject({ pending: 146, parked: 1 });
    expect(await takeAll(store)).toEqual(unused.map(id));
    expect(await store.append('q', own(12, 1))).toEqual(['replaced']);
    await store.close();
  });

  it('none is lost without both, nor kept from being handed out: those that are gone come again', async () => {
    const path = await makeOwnBackup(useSome);
    await damageRows(path, (tree) => [...marks(1)(), ...firstRun(tree)]);
    const store = new LmdbBackupStore({ path });
    expect(await takeAll(store)).toEqual(seqs(0, 150).map(id));
    await store.close();
  });

  it.each(['acknowledge', 'remove', 'expire'] as const)(
    'none is kept from being handed out where one of a bundle without both goes by: %s',
    async (how) => {
      const clock = new FakeClock();
      const path = temporaryFolder();
      const store = new LmdbBackupStore({ path, clock });
      // Of two runs. Some of the first are gone, which nobody will know.
      await store.append('q', own(60, 10));
      const first = await store.lease('q', 3, 1000);
      await store.acknowledge(first?.token as string, idsOf(first?.jobs));
      const second = await store.lease('q', 2, 1000);
      expect(idsOf(second?.jobs)).toEqual([63, 64].map(id));
      await damageRows(path, (tree) => [...marks(0)(), ...firstRun(tree)]);
      if (how === 'acknowledge') await store.acknowledge(second?.token as string, [id(64)]);
      if (how === 'remove') expect(await store.admin.remove('q', [id(64)])).toBe(1);
      clock.advance(1000);
      expect(await takeAll(store)).toEqual(
        seqs(60, 70)
          .filter((n) => n !== 64 || how === 'expire')
          .map(id),
      );
      await store.close();
    },
  );

  it('none is lost when others took the damaged row’s place before the marks were damaged', async () => {
    const path = await makeOwnBackup(useSome);
    await damageRows(path, firstRun);
    const store = new LmdbBackupStore({ path });
    expect(await store.append('q', own(10, 1))).toEqual(['added']);
    expect(await store.admin.remove('q', [id(10)])).toBe(1);
    await store.close();
    await damageRows(path, marks(1));
    const next = new LmdbBackupStore({ path });
    const taken = await takeAll(next);
    for (const n of unused) expect(taken).toContain(id(n));
    await next.close();
  });

  it('a job that is damaged has its own id, also without the rows that say where the others are', async () => {
    const path = await makeOwnBackup();
    const isIn = (tree: Tree) => [bundleKey(0, 7)].filter((key) => tree.get(key)?.includes('payload 75'));
    await damageRows(path, isIn);
    const store = new LmdbBackupStore({ path });
    const lease = await store.lease('q', 1000, 1000);
    expect(idsOf(lease?.jobs)).toEqual(seqs(0, 150).map(id));
    const damaged = lease?.jobs.filter(({ version }) => version !== 1) ?? [];
    expect(damaged).toHaveLength(1);
    await store.park(lease?.token as string, idsOf(damaged), 'unknown-version');
    await store.close();
    const next = new LmdbBackupStore({ path });
    expect(await next.append('q', [jobRecord({ id: damaged[0]?.id as string })])).toEqual(['replaced']);
    expect(await next.stats('q')).toMatchObject({ pending: 150, parked: 0 });
    await next.close();
  });

  it('none of a bundle is lost with a damaged job, without the rows that say how many there were', async () => {
    const path = await makeOwnBackup();
    await damageRows(path, (tree) => [bundleKey(0, 7), ...runs(tree)]);
    const store = new LmdbBackupStore({ path });
    const taken = await takeAll(store);
    expect(taken).toHaveLength(150);
    expect(taken.filter((taken) => !taken.startsWith('damaged-'))).toHaveLength(149);
    await store.close();
  });
});

describe('a file of somebody else', () => {
  it('is refused when LMDB wrote it for another program', async () => {
    const path = temporaryFolder();
    const { open } = createRequire(import.meta.url)('lmdb');
    const theirs = open({ path, noSubdir: false, overlappingSync: false });
    await theirs.put('theirs', 1);
    await theirs.close();
    expect(thrownBy(() => new LmdbBackupStore({ path }))).toMatchObject({
      code: 'BACKUP_FOREIGN',
      message: expect.stringMatching(/a folder of its own/),
    });
    const again = open({ path, noSubdir: false, overlappingSync: false });
    expect(again.get('theirs')).toBe(1);
    await again.close();
  });

  it('is refused when a newer release wrote it, by the format in its mark', async () => {
    const { path } = await makeBackup();
    writeFileSync(join(path, 'backup-format'), 'resilient-queue backup 2\n');
    expect(thrownBy(() => new LmdbBackupStore({ path }))).toMatchObject({
      code: 'BACKUP_NEWER',
      message: expect.stringMatching(/has format 2; this release .* reads 1/),
    });
  });

  it('is refused when a newer release wrote it, by the format in its data', async () => {
    const { path } = await makeBackup();
    const tree = new Tree(path);
    tree.transactionSync(() => tree.put(formatKey, seal(formatKey, Buffer.from('7'))));
    await tree.close();
    expect(thrownBy(() => new LmdbBackupStore({ path }))).toMatchObject({
      code: 'BACKUP_NEWER',
      message: expect.stringMatching(/has format 7/),
    });
  });

  it('is refused when its mark is not as it was written', async () => {
    const { path } = await makeBackup();
    writeFileSync(join(path, 'backup-format'), 'scribble');
    expect(thrownBy(() => new LmdbBackupStore({ path }))).toMatchObject({ code: 'BACKUP_DAMAGED' });
  });
});
