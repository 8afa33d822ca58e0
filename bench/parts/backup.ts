import { MemoryBackupStore } from '@morningai/resilient-queue';
import type { Keeper } from '../contestants/keeper.js';
import { loadLmdbStore, type OpenStore } from '../contestants/lmdb-store.js';
import { queueInOutage, type Reason } from '../contestants/queue-in-outage.js';
import { rawLmdb } from '../contestants/raw-lmdb.js';
import { inFolder } from '../measure/in-folder.js';
import { keepCalling } from '../measure/keep-calling.js';
import { inRounds } from '../measure/rounds.js';
import { tell } from '../progress.js';
import { figure, type PartResult, ratios } from '../report/result.js';
import { type Settings, size } from '../settings.js';

const CALLERS = 256;

interface Contestant {
  readonly name: string;
  open(path: string): Promise<Keeper>;
}

interface Sample {
  readonly perSecond: number;
  readonly clientMicroseconds: number;
}

const flushedCommit: Contestant = {
  name: 'lmdb put, the commit flushed',
  open: (path) => rawLmdb(path, false),
};
const flushedLater: Contestant = {
  name: 'lmdb put, then its flush',
  open: (path) => rawLmdb(path, true),
};

const queueOn = (store: string, open: OpenStore): readonly Contestant[] =>
  (['isolated', 'dead'] satisfies Reason[]).map((reason) => ({
    name: `enqueue(), ${store}, ${reason === 'dead' ? 'Redis dead' : 'isolate()'}`,
    open: (path) => queueInOutage(open(path), reason),
  }));

/** How fast jobs are kept while Redis cannot take them. */
export async function run(settings: Settings): Promise<PartResult> {
  const openLmdb = await loadLmdbStore();
  const durable = openLmdb === undefined ? [] : queueOn('LMDB', openLmdb);
  const contestants = [
    flushedCommit,
    flushedLater,
    ...durable,
    ...queueOn('memory', () => new MemoryBackupStore()),
  ];
  const durationMs = size(settings, 1500, 60);
  const samples = await inRounds(contestants, settings.rounds, (contestant, round) => {
    if (contestant === flushedCommit) tell(`backup: round ${round + 1} of ${settings.rounds}`);
    return inFolder(settings.directory, (path) => measure(contestant, path, durationMs));
  });

  const of = (contestant: Contestant): readonly Sample[] => samples.get(contestant) ?? [];
  const rates = (contestant: Contestant) => of(contestant).map((sample) => sample.perSecond);
  return {
    part: 'backup',
    conditions: [
      `${CALLERS} callers that each await a call before the next; jobs of about 150 bytes of JSON; a new store for every measurement, on the disk that the repository is on.`,
      'lmdb’s own puts write the job as JSON under a number and are durable when they resolve, as the store’s are: by a flushed commit, or, with lmdb’s default, by awaiting `flushed` after the commit.',
      '“isolate()”: Redis is well and the breaker held open by hand. “Redis dead”: killed with -9, the client reconnecting, the breaker open.',
      `${settings.rounds} rounds of ${durationMs} ms for each; the jobs that were kept were counted.`,
      ...(openLmdb === undefined ? ['This build has no LmdbBackupStore.'] : []),
    ],
    tables: [
      {
        title: `Jobs kept during an outage, ${CALLERS} callers.`,
        note: 'Medians of the rounds’ ratios (lowest–highest).',
        columns: [
          '',
          'against the commit flushed',
          'against put, then flush',
          'jobs a second',
          'processor time a job',
        ],
        rows: contestants.map((contestant) => [
          contestant.name,
          ratios(rates(contestant), rates(flushedCommit)),
          ratios(rates(contestant), rates(flushedLater)),
          figure('per second', rates(contestant)),
          figure(
            'microseconds',
            of(contestant).map((sample) => sample.clientMicroseconds),
          ),
        ]),
      },
    ],
    goals: durable.flatMap((contestant) =>
      [flushedCommit, flushedLater].map((raw) => ({
        what: `${contestant.name}, against ${raw.name}`,
        least: 0.5,
        measured: ratios(rates(contestant), rates(raw)),
      })),
    ),
  };
}

async function measure(contestant: Contestant, path: string, durationMs: number): Promise<Sample> {
  const keeper = await contestant.open(path);
  await keepCalling(keeper.keep, CALLERS, durationMs / 3);
  const before = await keeper.kept();
  const cpu = process.cpuUsage();
  const { count, perSecond } = await keepCalling(keeper.keep, CALLERS, durationMs);
  const { user, system } = process.cpuUsage(cpu);
  const kept = (await keeper.kept()) - before;
  if (kept !== count) throw new Error(`${contestant.name} kept ${kept} jobs in ${count} calls.`);
  await keeper.close();
  return { perSecond, clientMicroseconds: (user + system) / count };
}
