import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { leaveBackup, openBackup } from '../../../src/backup/lmdb/open-backup.js';
import { LmdbBackupStore } from '../../../src/backup/lmdb.js';
import { isResilientQueueError, type JobRecord } from '../../../src/index.js';
import { jobRecord } from '../../unit/support/job-record.js';
import { rejectionOf } from '../../unit/support/thrown.js';
import { mayMount } from './privileges.js';

/** A file system of the test's own that is soon full. Not everybody may mount one. */
function smallDisk(bytes: number): { readonly path: string; fill(): void; makeRoom(): void } {
  const path = mkdtempSync(join(tmpdir(), 'resilient-queue-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', path]);
  onTestFinished(() => {
    // A test that failed has a store open there.
    execFileSync('umount', ['--lazy', path]);
    rmdirSync(path);
  });
  // That it is memory is warned of.
  vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  const ballast = join(path, 'ballast');
  return {
    path: join(path, 'backup'),
    fill() {
      try {
        writeFileSync(ballast, Buffer.alloc(bytes));
      } catch {
        // Whatever fitted is in it.
      }
    },
    makeRoom: () => rmSync(ballast),
  };
}

const MEBIBYTE = 1024 * 1024;
let made = 0;
const jobs = (count: number, bytes: number): JobRecord[] =>
  Array.from({ length: count }, () => jobRecord({ id: `job-${made++}`, payload: `"${'x'.repeat(bytes)}"` }));

/** Appends until it is refused; returns the ids that were kept, and why no more. */
async function fillUp(store: LmdbBackupStore, batch: number, bytes: number) {
  const kept: string[] = [];
  for (;;) {
    const batchOf = jobs(batch, bytes);
    try {
      await store.append('q', batchOf);
    } catch (error) {
      return { kept, error };
    }
    kept.push(...batchOf.map(({ id }) => id));
  }
}

async function drain(store: LmdbBackupStore): Promise<string[]> {
  const drained: string[] = [];
  for (;;) {
    const lease = await store.lease('q', 100, 60_000);
    if (!lease) return drained;
    const ids = lease.jobs.map(({ id }) => id);
    await store.acknowledge(lease.token, ids);
    drained.push(...ids);
  }
}

describe.runIf(mayMount)('a full disk', () => {
  it.each([
    { batch: 2, bytes: 10 },
    { batch: 64, bytes: 200 },
    { batch: 3, bytes: 100_000 },
  ])(
    'refuses jobs by name, keeps what it has, and takes more when they are replayed: $batch of $bytes bytes',
    async ({ batch, bytes }) => {
      const disk = smallDisk(4 * MEBIBYTE);
      const store = new LmdbBackupStore({ path: disk.path });
      const first = await fillUp(store, batch, bytes);
      expect(isResilientQueueError(first.error)).toBe(true);
      expect(first.error).toMatchObject({ code: 'BACKUP_FULL', fate: 'not-delivered' });
      expect(first.kept.length).toBeGreaterThan(batch);
      expect(await store.stats('q')).toMatchObject({ pending: first.kept.length });

      // Also with nothing left for others on the disk, and for another process's store.
      disk.fill();
      await store.close();
      const next = new LmdbBackupStore({ path: disk.path });
      expect(await drain(next)).toEqual(first.kept);
      const second = await fillUp(next, batch, bytes);
      expect(second.error).toMatchObject({ code: 'BACKUP_FULL' });
      expect(second.kept.length).toBeGreaterThan(first.kept.length / 3);
      expect(await drain(next)).toEqual(second.kept);
      await next.close();
    },
  );

  it('takes jobs again as soon as somebody makes room, without being reopened', async () => {
    const disk = smallDisk(8 * MEBIBYTE);
    disk.fill();
    disk.makeRoom();
    const store = new LmdbBackupStore({ path: disk.path });
    await store.append('q', jobs(10, 1000));
    disk.fill();
    const full = await fillUp(store, 10, 1000);
    expect(full.error).toMatchObject({ code: 'BACKUP_FULL' });
    disk.makeRoom();
    expect((await fillUp(store, 10, 1000)).kept.length).toBeGreaterThan(100);
    await store.close();
  });

  it('is told from a broken one when LMDB itself meets it, and the others of the transaction are spared', async () => {
    const disk = smallDisk(3 * MEBIBYTE);
    vi.spyOn(console, 'error').mockImplementation(() => {}); // lmdb's
    const backup = openBackup(disk.path);
    const { tree, committer } = backup;
    const filler = (n: number, bytes: number) => () =>
      tree.put(Buffer.from(`~${n}`), Buffer.alloc(bytes, 'x'));
    disk.fill();
    const large = rejectionOf(committer.commit(filler(1, 2 * MEBIBYTE)));
    const small = committer.commit(() => 'kept');
    expect(await large).toMatchObject({ code: 'BACKUP_FULL', fate: 'not-delivered' });
    expect(await small).toBe('kept');
    disk.makeRoom();
    await committer.commit(filler(2, MEBIBYTE));
    expect(tree.has(Buffer.from('~1'))).toBe(false);
    expect(tree.has(Buffer.from('~2'))).toBe(true);
    await leaveBackup(backup);
  });
});
