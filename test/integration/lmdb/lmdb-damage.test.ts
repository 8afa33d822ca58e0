import { join } from 'node:path';
import { expect, it } from 'vitest';
import { LmdbBackupStore } from '../../../src/backup/lmdb.js';
import { BundledProgram } from '../../support/bundled-program.js';
import { jobRecord } from '../../unit/support/job-record.js';
import { temporaryFolder } from '../../unit/support/temporary-folder.js';
import type { DamageSettings } from './damage-worker.js';

/** The last one makes a key that is in order in its page, and not in the tree: found by a walk, and not by a search. */
const seeds = [...Array.from({ length: 120 }, (_, n) => n), 815];

/** Jobs in bundles and alone, small and large, waiting, under a lease that has ended, attempted and parked. */
async function makeBackup(path: string): Promise<number> {
  const store = new LmdbBackupStore({ path });
  let jobs = 0;
  const append = (queue: string, count: number, payload: string) =>
    store.append(
      queue,
      Array.from({ length: count }, () => jobRecord({ queue, id: `${queue}-${jobs++}`, payload })),
    );
  for (let n = 0; n < 20; n++) await append('bundles', 1 + ((n * 7) % 50), `"${'x'.repeat(150)}"`);
  for (let n = 0; n < 100; n++) await append('singles', 1, 'null');
  for (let n = 0; n < 4; n++) await append('large', 1, `"${'y'.repeat(30_000)}"`);
  let gone = 0;
  for (let n = 0; n < 5; n++) {
    const lease = await store.lease('bundles', 37, 1);
    const ids = lease?.jobs.map(({ id }) => id) ?? [];
    await store.acknowledge(lease?.token as string, ids.slice(0, 12));
    await store.park(lease?.token as string, ids.slice(12, 15), 'rejected');
    gone += 12;
  }
  await store.lease('singles', 20, 1);
  await store.close();
  return jobs - gone;
}

it(`is refused or used to its end, and no job vanishes, when a backup is damaged in ${seeds.length} ways`, async () => {
  const folder = temporaryFolder();
  const backup = join(folder, 'backup');
  const jobs = await makeBackup(backup);
  await using program = await BundledProgram.build(new URL('damage-worker.ts', import.meta.url));
  const halves = [0, 1].map((half) => {
    const settings: DamageSettings = {
      ...{ backup, copy: join(folder, `copy-${half}`), seeds: seeds.filter((seed) => seed % 2 === half) },
      queues: ['bundles', 'singles', 'large'],
    };
    return program.start(settings);
  });
  for (const half of halves) {
    const end = await half.ended;
    expect(end, half.lines().slice(-3).join('\n')).toEqual({ code: 0, signal: null });
  }
  const outcomes = halves.flatMap((half) => half.lines());
  expect(outcomes).toHaveLength(seeds.length);
  const refused = outcomes.filter((line) => line.endsWith(': refused BACKUP_DAMAGED'));
  const used = outcomes.filter((line) => line.endsWith(`: jobs ${jobs}`));
  expect(outcomes.filter((line) => !refused.includes(line) && !used.includes(line))).toEqual([]);
  expect(refused.length).toBeGreaterThan(seeds.length / 6);
  expect(used.length).toBeGreaterThan(seeds.length / 6);
});
