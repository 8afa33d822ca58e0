import { statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import { LmdbBackupStore } from '../../../src/backup/lmdb.js';
import type { JobRecord } from '../../../src/index.js';
import { BundledProgram } from '../../support/bundled-program.js';
import { waitFor } from '../../support/wait-for.js';
import { jobRecord } from '../../unit/support/job-record.js';
import { temporaryFolder } from '../../unit/support/temporary-folder.js';
import type { AppenderSettings } from './appender.js';
import { mayContain } from './privileges.js';
import type { ThreadsSettings } from './threads.js';

let appender: BundledProgram;
beforeAll(async () => {
  appender = await BundledProgram.build(new URL('appender.ts', import.meta.url));
});
afterAll(() => appender[Symbol.asyncDispose]());

const start = (settings: AppenderSettings) => appender.start(settings);

async function idsIn(path: string): Promise<string[]> {
  const store = new LmdbBackupStore({ path });
  const { jobs } = await store.admin.list('q', 'pending', { limit: 100_000 });
  expect(await store.stats('q')).toMatchObject({ pending: jobs.length });
  await store.close();
  return (jobs as JobRecord[]).map(({ id }) => id);
}

it('keeps what four processes append to one folder at once, and one job of an id that all of them give', async () => {
  const path = temporaryFolder();
  const names = ['a', 'b', 'c', 'd'];
  const processes = names.map((name) => start({ path, name, jobs: 150, end: 'close' }));
  for (const one of processes) expect(await one.ended).toEqual({ code: 0, signal: null });
  const told = processes.flatMap((one) => one.lines());
  const expected = Array.from({ length: 150 }, (_, n) => [
    ...names.map((name) => `${name}-${n}`),
    `shared-${n}`,
  ]);
  expect([...told].sort()).toEqual(expected.flat().sort());
  const standing = await idsIn(path);
  expect([...standing].sort()).toEqual([...told].sort());
  for (const name of names) {
    const own = standing.filter((id) => id.startsWith(name));
    expect(own).toEqual(Array.from({ length: 150 }, (_, n) => `${name}-${n}`));
  }
});

it('does not keep its process from ending, and has what was appended', async () => {
  const path = temporaryFolder();
  const process = start({ path, name: 'a', jobs: 3, end: 'leave' });
  expect(await process.ended).toEqual({ code: 0, signal: null });
  expect(await idsIn(path)).toEqual(['a-0', 'shared-0', 'a-1', 'shared-1', 'a-2', 'shared-2']);
});

it('survives process.exit() in the middle, ten times', async () => {
  const path = temporaryFolder();
  const told: string[] = [];
  for (let n = 0; n < 10; n++) {
    const process = start({ path, name: `run-${n}`, jobs: 100, end: 'exit' });
    expect(await process.ended).toEqual({ code: 7, signal: null });
    told.push(...process.lines());
  }
  expect(told.length).toBeGreaterThan(100);
  const standing = new Set(await idsIn(path));
  expect(told.filter((id) => !standing.has(id))).toEqual([]);
});

it('is one for all threads of a process, also when they make it at the same moment', async () => {
  const path = temporaryFolder();
  await using program = await BundledProgram.build(new URL('threads.ts', import.meta.url));
  const settings: ThreadsSettings = { path, rounds: 10, threads: 4 };
  const running = program.start(settings);
  expect(await running.ended).toEqual({ code: 0, signal: null });
  const ids = (round: number) => Array.from({ length: 4 }, (_, n) => `${round}-${n}`);
  expect(running.lines().sort()).toEqual(Array.from({ length: 10 }, (_, round) => ids(round)).flat());
  expect((await idsIn(join(path, '7'))).sort()).toEqual(ids(7));
});

it.runIf(mayContain)(
  'is refused, with what to do, by a process with the id of one in another container',
  async () => {
    const path = temporaryFolder();
    const contained = { path, jobs: 1, isContained: true };
    const holder = start({ ...contained, name: 'first', end: 'stay' });
    await waitFor(() => holder.lines().includes('shared-0'), { what: 'the first to append' });
    const second = start({ ...contained, name: 'second', end: 'close' });
    expect(await second.ended).toEqual({ code: 1, signal: null });
    expect(second.lines().join('\n')).toMatch(
      /open in another container, by a process with the same id .* 1: .*folder of its own/,
    );
    await holder.kill();
    expect(await idsIn(path)).toEqual(['first-0', 'shared-0']);
  },
);

it('forgets the snapshot of a process that was killed: the file does not grow for its sake', async () => {
  const path = temporaryFolder();
  const store = new LmdbBackupStore({ path });
  await store.append('q', [jobRecord({ id: 'first' })]);
  const holder = start({ path, name: 'holder', jobs: 0, end: 'hold' });
  await waitFor(() => holder.lines().includes('holding'), { what: 'a process to hold a snapshot' });
  const size = () => statSync(join(path, 'data.mdb')).size;
  const churn = async () => {
    for (let n = 0; n < 30; n++) {
      const jobs = Array.from({ length: 20 }, (_, i) =>
        jobRecord({ id: `${n}-${i}`, payload: `"${'x'.repeat(4000)}"` }),
      );
      await store.append('churn', jobs);
      const lease = await store.lease('churn', 20, 60_000);
      await store.acknowledge(lease?.token as string, lease?.jobs.map(({ id }) => id) ?? []);
    }
  };
  await churn();
  const grown = size();
  expect(grown).toBeGreaterThan(3 * 1024 * 1024);
  await holder.kill();
  // It is looked after every half minute.
  const later = performance.now() + 31_000;
  vi.spyOn(performance, 'now').mockImplementation(() => later);
  onTestFinished(() => void vi.restoreAllMocks());
  await churn();
  await churn();
  expect(size()).toBe(grown);
  await store.close();
});
