import { streamKey } from '@morningai/resilient-queue';
import { RedisServer } from '../../test/support/redis-server.js';
import type { FillOrder } from '../backlog/fill.js';
import type { ReplayOrder, WatchedReplay } from '../backlog/replay-watched.js';
import type { StoreKind } from '../backlog/store-kind.js';
import { runInChild } from '../child/run-in-child.js';
import { loadLmdbStore } from '../contestants/lmdb-store.js';
import { inFolder } from '../measure/in-folder.js';
import type { MemoryCourse, ProcessMemory } from '../measure/process-memory.js';
import { inRounds } from '../measure/rounds.js';
import { tell } from '../progress.js';
import { type Figure, figure, type PartResult, ratios, type Table } from '../report/result.js';
import { grouped } from '../report/write-figure.js';
import { type Settings, size } from '../settings.js';

const QUEUE = 'backlog';

interface Backlog {
  readonly store: StoreKind;
  readonly jobs: number;
}

/** Whether a large backlog needs more memory, or more time a job, than a small one. */
export async function run(settings: Settings): Promise<PartResult> {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const stores: StoreKind[] = (await loadLmdbStore()) === undefined ? ['memory'] : ['LMDB', 'memory'];
  const sizes = [10_000, 100_000, 1_000_000].map((jobs) => (settings.quick ? jobs / 100 : jobs));
  const [small, middle, large] = sizes as [number, number, number];
  const backlogs = stores.flatMap((store) => sizes.map((jobs): Backlog => ({ store, jobs })));
  const samples = await inRounds(backlogs, settings.rounds, (backlog, round) => {
    tell(`backlog: round ${round + 1} of ${settings.rounds}, ${backlog.jobs} jobs in ${backlog.store}`);
    return inFolder(settings.directory, (path) => measure(server, settings, backlog, path));
  });

  const of = (store: StoreKind, jobs: number): readonly WatchedReplay[] =>
    samples.get(backlogs.find((one) => one.store === store && one.jobs === jobs) as Backlog) ?? [];
  const costs = (store: StoreKind, jobs: number) => of(store, jobs).map((sample) => sample.microsecondsAJob);
  const cost = (store: StoreKind, jobs: number): Figure => ratios(costs(store, jobs), costs(store, middle));
  const memory = (store: StoreKind, jobs: number, when: keyof MemoryCourse, what: keyof ProcessMemory) =>
    figure(
      'mebibytes',
      of(store, jobs).map((sample) => sample.memory[when][what]),
    );

  const memoryTable = (store: StoreKind): Table => {
    const kinds = ['rss', 'anonymous', 'heapUsed'] as const;
    const times = ['before', 'most', 'after'] as const;
    return {
      title: `The replaying process’s memory, ${store}: before, the most during, after.`,
      ...(store === 'LMDB' && {
        note: 'RSS counts the pages of the mapped file, which the system takes back when it needs them; “anonymous” does not.',
      }),
      columns: ['jobs', ...kinds.flatMap((kind) => times.map((when) => `${titles[kind]} ${when}`))],
      rows: sizes.map((jobs) => [
        grouped(jobs),
        ...kinds.flatMap((kind) => times.map((when) => memory(store, jobs, when, kind))),
      ]),
    };
  };

  return {
    part: 'backlog',
    conditions: [
      'Each replay in a new process that has replayed 100,000 other jobs before; of the smallest backlog ten, one after another. The LMDB backlog was left on the disk by another process, and is opened after “before” and closed before “after”; the one in memory was made in the same process, so its “before” holds the backlog.',
      `Jobs of about 150 bytes of JSON, Redis on the same machine without persistence, garbage collected before “before” and “after”; ${settings.rounds} rounds.`,
      ...(stores.length === 1 ? ['This build has no LmdbBackupStore.'] : []),
    ],
    tables: [
      {
        title: `What a job costs, against a backlog of ${grouped(middle)}.`,
        note: 'Medians of the rounds’ ratios (lowest–highest), and microseconds by the clock.',
        columns: ['jobs', ...stores.flatMap((store) => [store, `${store}, a job`])],
        rows: sizes.map((jobs) => [
          grouped(jobs),
          ...stores.flatMap((store) => [cost(store, jobs), figure('microseconds', costs(store, jobs))]),
        ]),
      },
      ...stores.map(memoryTable),
    ],
    goals: stores.flatMap((store) => [
      ...[small, large].map((jobs) => ({
        what: `${store}: a job of ${grouped(jobs)}, against one of ${grouped(middle)}`,
        least: 0.8,
        most: 1.2,
        measured: cost(store, jobs),
      })),
      ...(store === 'LMDB'
        ? [
            {
              what: `LMDB: most anonymous memory with ${grouped(large)} jobs, against ${grouped(middle)}`,
              most: 1.2,
              measured: ratios(
                memory(store, large, 'most', 'anonymous').samples,
                memory(store, middle, 'most', 'anonymous').samples,
              ),
            },
          ]
        : []),
    ]),
  };
}

const titles: Readonly<Record<keyof ProcessMemory, string>> = {
  rss: 'RSS',
  anonymous: 'anonymous',
  heapUsed: 'heap',
};

async function measure(
  server: RedisServer,
  settings: Settings,
  { store, jobs }: Backlog,
  path: string,
): Promise<WatchedReplay> {
  // A small one alone is over before it can be measured.
  const backlogs = Math.max(1, Math.round(size(settings, 100_000, 1000) / jobs));
  const fill: FillOrder = { store, path, queue: QUEUE, jobs, backlogs, port: server.port };
  if (store === 'LMDB') await runInChild<void>('backlog/fill', fill);
  const order: ReplayOrder = { ...fill, warmUpJobs: size(settings, 100_000, 500) };
  const replay = await runInChild<WatchedReplay>('backlog/replay-watched', order);
  const laidDown = await server.command('XLEN', streamKey(QUEUE));
  if (laidDown !== jobs * backlogs) throw new Error(`${laidDown} of ${jobs * backlogs} jobs were laid down.`);
  await server.command('DEL', streamKey(QUEUE), streamKey(`${QUEUE}-warm`));
  return replay;
}
