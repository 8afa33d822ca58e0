import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { LmdbBackupStore } from '../../../src/backup/lmdb.js';
import type { JobRecord } from '../../../src/index.js';
import { jobRecord } from '../../unit/support/job-record.js';
import { mayMount } from './privileges.js';

/**
 * A disk in a file: what is flushed to it is in the file, and what only the system's memory has is not. A copy of the file is
 * the disk as the power's failure at that moment would leave it. Not everybody may mount one.
 */
function disk() {
  const folder = mkdtempSync(join(tmpdir(), 'resilient-queue-power-'));
  const image = join(folder, 'disk');
  writeFileSync(image, '');
  truncateSync(image, 32 * 1024 * 1024);
  execFileSync('mkfs.ext4', ['-q', image]);
  const mounted: string[] = [];
  const mount = (file: string): string => {
    const point = join(folder, `mounted-${mounted.length}`);
    mkdirSync(point);
    // A journal that is written seldom: nothing gets to the disk by the way.
    execFileSync('mount', ['-o', 'loop,commit=300', file, point]);
    mounted.push(point);
    return point;
  };
  onTestFinished(() => {
    // A test that failed has a store open there.
    for (const point of mounted) execFileSync('umount', ['--lazy', point]);
    rmSync(folder, { recursive: true });
  });
  let cuts = 0;
  return {
    path: mount(image),
    /** Where the disk is mounted again, as it is when the power fails now. */
    cutPower(): string {
      const copy = join(folder, `copy-${cuts++}`);
      copyFileSync(image, copy);
      return mount(copy);
    },
  };
}

it.runIf(mayMount)(
  'has on the disk what append() resolved for, from the first job in a new folder on',
  async () => {
    const { path, cutPower } = disk();
    const store = new LmdbBackupStore({ path: join(path, 'var', 'backup') });
    const afterPowerCut = async () => {
      const left = new LmdbBackupStore({ path: join(cutPower(), 'var', 'backup') });
      const { jobs } = await left.admin.list('q', 'pending', { limit: 1000 });
      await left.close();
      return (jobs as JobRecord[]).map(({ id }) => id);
    };
    await store.append('q', [jobRecord({ id: 'first' })]);
    expect(await afterPowerCut()).toEqual(['first']);

    const many = Array.from({ length: 50 }, (_, n) => `job-${n}`);
    await Promise.all(
      many.map((id) => store.append('q', [jobRecord({ id, payload: `"${'x'.repeat(5000)}"` })])),
    );
    expect(await afterPowerCut()).toEqual(['first', ...many]);

    const lease = await store.lease('q', 10, 60_000);
    await store.acknowledge(lease?.token as string, lease?.jobs.map(({ id }) => id) ?? []);
    expect(await afterPowerCut()).toEqual(many.slice(9));
    await store.close();
  },
);
