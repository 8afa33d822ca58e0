import { MemoryBackupStore } from '@morningai/resilient-queue';
import { type ClientKind, ioredisDefault, nodeRedisDefault } from '../../test/support/clients.js';
import { loadLmdbStore, type OpenStore } from '../contestants/lmdb-store.js';
import { inFolder } from '../measure/in-folder.js';
import { inRounds } from '../measure/rounds.js';
import { type Fault, faults } from '../outage/fault.js';
import { type OutageSeen, PER_SECOND, type Phases, seeOutage } from '../outage/see-outage.js';
import { tell } from '../progress.js';
import { figure, type PartResult } from '../report/result.js';
import { grouped } from '../report/write-figure.js';
import { type Settings, size } from '../settings.js';

interface Case {
  readonly fault: Fault;
  readonly client: ClientKind;
  readonly store: string;
  readonly open: OpenStore;
}

/** What callers see when Redis goes away and comes back. */
export async function run(settings: Settings): Promise<PartResult> {
  const openLmdb = await loadLmdbStore();
  const inMemory = { store: 'memory', open: () => new MemoryBackupStore() };
  const cases = faults.flatMap((fault): readonly Case[] => [
    { fault, client: ioredisDefault, ...inMemory },
    { fault, client: nodeRedisDefault, ...inMemory },
    ...(openLmdb === undefined ? [] : [{ fault, client: ioredisDefault, store: 'LMDB', open: openLmdb }]),
  ]);
  const phases: Phases = {
    before: size(settings, 1000, 200),
    outage: size(settings, 4000, 1500),
    after: size(settings, 500, 100),
  };
  const samples = await inRounds(cases, settings.rounds, (one, round) => {
    tell(`outage: round ${round + 1} of ${settings.rounds}, ${nameOf(one)}`);
    return inFolder(settings.directory, (path) => seeOutage(one.fault, one.client, one.open(path), phases));
  });

  return {
    part: 'outage',
    conditions: [
      `${grouped(PER_SECOND)} jobs a second are offered throughout, ${phases.before} ms before the fault; the outage lasts ${grouped(phases.outage)} ms; Redis has an append-only file, fsynced always. Deadlines and breaker at their defaults.`,
      'Redis “takes writes” when a connection of the benchmark’s own has written a key. Until the client has a connection again, which its own back-off decides, nothing can be replayed.',
      `Medians of ${settings.rounds} outages for each line; in every one all jobs were counted in the stream: none lost, none doubled.`,
      ...(openLmdb === undefined ? ['This build has no LmdbBackupStore.'] : []),
    ],
    tables: [
      {
        title: 'During the outage.',
        columns: [
          'fault, client, backup',
          'to the first backed-up receipt',
          'worst enqueue()',
          'p99 of the outage’s calls',
          'jobs backed up',
        ],
        rows: cases.map((one) => [
          nameOf(one),
          ...(['firstBackedUp', 'worst', 'p99'] as const).map((what) => milliseconds(samples.get(one), what)),
          figure(
            'count',
            (samples.get(one) ?? []).map((sample) => sample.backedUp),
          ),
        ]),
      },
      {
        title: 'After it: from the moment Redis takes writes again.',
        columns: [
          'fault, client, backup',
          'until the client is connected',
          'until the first job is replayed',
          'until the last is',
        ],
        rows: cases.map((one) => [
          nameOf(one),
          ...(['reconnected', 'firstReplayed', 'lastReplayed'] as const).map((what) =>
            milliseconds(samples.get(one), what),
          ),
        ]),
      },
    ],
    goals: [],
  };
}

const nameOf = ({ fault, client, store }: Case) => `${fault}, ${client.name}, ${store}`;

const milliseconds = (samples: readonly OutageSeen[] | undefined, what: keyof OutageSeen) =>
  figure(
    'ms',
    (samples ?? []).map((sample) => sample[what]),
  );
