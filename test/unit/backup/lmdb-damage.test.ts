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
import { bundleKey, formatKey } from '../../../src/backup/lmdb/keys.js';
import { seal } from '../../../src/backup/lmdb/sealed-row.js';
import { Tree } from '../../../src/backup/lmdb/tree.js';
import { BackupFileError, isBackupFileError, LmdbBackupStore } from '../../../src/backup/lmdb.js';
import type { JobRecord } from '../../../src/index.js';
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
