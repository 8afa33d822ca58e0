import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { fileSystemOf, judgeFileSystem } from '../../../src/backup/lmdb/file-system.js';
import { LmdbBackupStore } from '../../../src/backup/lmdb.js';
import { jobRecord } from '../support/job-record.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { thrownBy } from '../support/thrown.js';

/** The file system that all folders are said to be on. */
const pretended = vi.hoisted(() => ({ type: undefined as number | undefined }));
vi.mock('node:fs', async (importOriginal) => {
  const fs = await importOriginal<typeof import('node:fs')>();
  const statfsSync = (path: string) => {
    const found = fs.statfsSync(path);
    return { ...found, type: pretended.type ?? found.type };
  };
  return { ...fs, statfsSync };
});

const umask = process.umask();
afterEach(() => {
  process.umask(umask);
  pretended.type = undefined;
  vi.restoreAllMocks();
});

const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

describe('the folder of LmdbBackupStore', () => {
  it.each([0o000, 0o022, 0o277])(
    'is for its owner only, with every file in it, at an umask of %i',
    async (mask) => {
      const folder = temporaryFolder();
      process.umask(mask);
      const path = join(folder, 'some', 'where', 'backup');
      const store = new LmdbBackupStore({ path });
      await store.append('q', [jobRecord()]);
      await store.close();
      for (const made of ['some', 'some/where', 'some/where/backup']) {
        expect([made, modeOf(join(folder, made))]).toEqual([made, '700']);
      }
      const files = readdirSync(path);
      expect(files).toContain('data.mdb');
      for (const file of files) expect([file, modeOf(join(path, file))]).toEqual([file, '600']);
    },
  );

  it('stays as it is when it is there already, and its files become private', async () => {
    const path = temporaryFolder();
    chmodSync(path, 0o755);
    await new LmdbBackupStore({ path }).close();
    chmodSync(join(path, 'data.mdb'), 0o644);
    await new LmdbBackupStore({ path }).close();
    expect(modeOf(path)).toBe('755');
    expect(modeOf(join(path, 'data.mdb'))).toBe('600');
  });

  it('may be named relative to where the process is', async () => {
    const folder = temporaryFolder();
    const before = process.cwd();
    process.chdir(folder);
    try {
      await new LmdbBackupStore({ path: 'var/backup' }).close();
    } finally {
      process.chdir(before);
    }
    expect(readdirSync(join(folder, 'var/backup'))).toContain('data.mdb');
  });

  it('may have other files in it', async () => {
    const path = temporaryFolder();
    mkdirSync(join(path, 'other'));
    writeFileSync(join(path, 'notes.txt'), 'mine');
    await new LmdbBackupStore({ path }).close();
    expect(readFileSync(join(path, 'notes.txt'), 'utf8')).toBe('mine');
  });
});

describe.runIf(process.platform === 'linux')('the folder of LmdbBackupStore on another file system', () => {
  it('is refused on that of a network, and nothing is written to it', () => {
    const path = temporaryFolder();
    pretended.type = 0x6969;
    expect(thrownBy(() => new LmdbBackupStore({ path }))).toMatchObject({
      code: 'BACKUP_UNSUITABLE_DISK',
      message: expect.stringMatching(/is on NFS, where LMDB does not work: .*Use a disk of this machine/),
    });
    expect(readdirSync(path)).toEqual([]);
  });

  it('is used with a warning on one that may lose it', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    pretended.type = 0x01021994;
    const store = new LmdbBackupStore({ path: temporaryFolder() });
    expect(await store.append('q', [jobRecord()])).toEqual(['added']);
    await store.close();
    expect(warn.mock.calls).toEqual([
      [expect.stringMatching(/is on tmpfs, which may lose it/), { code: 'BACKUP_RISKY_DISK' }],
    ]);
  });
});

describe('a file system', () => {
  it.each([
    ['NFS', 0x6969],
    ['SMB', 0x517b],
    ['SMB2', 0xfe534d42],
    ['SMB2, as a signed number', 0xfe534d42 | 0],
    ['CIFS', 0xff534d42],
    ['AFS', 0x5346414f],
    ['Ceph', 0x00c36400],
    ['Lustre', 0x0bd00bd0],
    ['GFS2', 0x01161970],
  ])('of a network is refused: %s', (_, type) => {
    expect(judgeFileSystem(type)).toMatchObject({
      verdict: 'refused',
      why: expect.stringMatching(/machines/),
    });
  });

  it.each(['fuse.glusterfs', 'fuse.sshfs', 'fuse.s3fs'])(
    'of a network behind FUSE is refused: %s',
    (mount) => {
      expect(judgeFileSystem(0x65735546, mount)).toMatchObject({ verdict: 'refused', fileSystem: mount });
    },
  );

  it.each([
    ['FUSE', 0x65735546],
    ['9p', 0x01021997],
    ['tmpfs', 0x01021994],
    ['ramfs', 0x858458f6],
  ])('that may lose it is risky: %s', (name, type) => {
    expect(judgeFileSystem(type)).toMatchObject({ verdict: 'risky', fileSystem: name });
  });

  it.each([
    ['ext4', 0xef53],
    ['XFS', 0x58465342],
    ['Btrfs', 0x9123683e],
    ['ZFS', 0x2fc12fc1],
    ['overlay', 0x794c7630],
  ])('of this machine is suitable: %s', (_, type) => {
    expect(judgeFileSystem(type)).toEqual({ verdict: 'suitable' });
  });

  it('is looked up for a folder', () => {
    expect(['suitable', 'risky']).toContain(fileSystemOf(temporaryFolder()).verdict);
    if (process.platform === 'linux') {
      expect(fileSystemOf('/dev/shm')).toMatchObject({ verdict: 'risky', fileSystem: 'tmpfs' });
    }
  });
});
