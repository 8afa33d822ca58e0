import { MemoryBackupStore } from '@morningai/resilient-queue';
import { RedisServer } from '../../test/support/redis-server.js';
import { loadLmdbStore, type OpenStore } from '../contestants/lmdb-store.js';
import {
  backingUp,
  idle,
  live,
  rawXadd,
  replaying,
  type Situation,
  type Sizes,
} from '../event-loop/situations.js';
import { PER_SECOND, type Watched } from '../event-loop/watch-load.js';
import { inFolder } from '../measure/in-folder.js';
import { inRounds } from '../measure/rounds.js';
import { tell } from '../progress.js';
import { figure, type PartResult } from '../report/result.js';
import { grouped } from '../report/write-figure.js';
import { type Settings, size } from '../settings.js';

/** Whether other work of the process still gets its turn. */
export async function run(settings: Settings): Promise<PartResult> {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const openLmdb = await loadLmdbStore();
  const stores: readonly (readonly [string, OpenStore])[] = [
    ['memory', () => new MemoryBackupStore()],
    ...(openLmdb === undefined ? [] : [['LMDB', openLmdb] as const]),
  ];
  const situations = [
    idle,
    rawXadd,
    live,
    ...stores.map(([name, open]) => backingUp(name, open)),
    ...stores.map(([name, open]) => replaying(name, open)),
  ];
  const sizes: Sizes = { durationMs: size(settings, 4000, 300), backlog: size(settings, 200_000, 3000) };
  const once = (situation: Situation, of: Sizes) =>
    inFolder(settings.directory, (path) => situation.watch(server.port, of, path));

  const warmUp: Sizes = { durationMs: sizes.durationMs / 4, backlog: sizes.backlog / 4 };
  for (const situation of situations) await once(situation, warmUp);
  const samples = await inRounds(situations, settings.rounds, (situation, round) => {
    tell(`event loop: round ${round + 1} of ${settings.rounds}, ${situation.name}`);
    return once(situation, sizes);
  });

  const column = (situation: Situation, what: keyof Watched) =>
    figure(
      'ms',
      (samples.get(situation) ?? []).map((sample) => sample[what]),
    );
  return {
    part: 'event-loop',
    conditions: [
      'How late a timer of 1 ms came (`monitorEventLoopDelay`), in the process that offers the jobs, 50 every 5 ms.',
      `Replay: a backlog of ${grouped(sizes.backlog)} jobs, watched until it is replayed; replay yields to live traffic, so it takes longer than alone. All else is watched for ${grouped(sizes.durationMs)} ms.`,
      `Medians of ${settings.rounds} rounds; Redis on the same machine without persistence.`,
      ...(openLmdb === undefined ? ['This build has no LmdbBackupStore.'] : []),
    ],
    tables: [
      {
        title: `Delay of the event loop, at ${grouped(PER_SECOND)} jobs a second.`,
        columns: ['', 'p50', 'p99', 'most', 'p99 of the calls', 'watched for'],
        rows: situations.map((situation) => [
          situation.name,
          ...(['p50', 'p99', 'max', 'p99Call', 'watchedMs'] as const).map((what) => column(situation, what)),
        ]),
      },
    ],
    goals: [],
  };
}
