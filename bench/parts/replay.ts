import { type BackupStore, type JobRecord, MemoryBackupStore, streamKey } from '@morningai/resilient-queue';
import { Redis } from 'ioredis';
import { RedisServer } from '../../test/support/redis-server.js';
import { fillBacklog } from '../contestants/backlog.js';
import { deliverBare, type Sending } from '../contestants/bare-script.js';
import { loadLmdbStore, type OpenStore } from '../contestants/lmdb-store.js';
import { replayBacklog } from '../contestants/replay-backlog.js';
import { inFolder } from '../measure/in-folder.js';
import { inRounds } from '../measure/rounds.js';
import { tell } from '../progress.js';
import { figure, type PartResult, ratios } from '../report/result.js';
import { grouped } from '../report/write-figure.js';
import { type Settings, size } from '../settings.js';

const BATCH = 256;

interface Contestant {
  readonly name: string;
  readonly open: OpenStore;
  /** Lays the backlog down; resolves with how long that took, ms. */
  deliver(redis: Redis, store: BackupStore, queue: string, jobs: number): Promise<number>;
}

interface Sample {
  readonly perSecond: number;
  readonly clientMicroseconds: number;
}

const openMemory: OpenStore = () => new MemoryBackupStore();

const bare = (name: string, sending: Sending): Contestant => ({
  name,
  open: openMemory,
  async deliver(redis, store, queue, jobs) {
    const listed = await store.admin?.list(queue, 'pending', { limit: jobs });
    const startedAt = performance.now();
    await deliverBare(redis, listed?.jobs as readonly JobRecord[], sending);
    return performance.now() - startedAt;
  },
});
const oneByOne = bare('the script, one batch after another', {
  sizes: () => BATCH,
  atOnce: 1,
  yields: false,
});
// Starts with 16 and doubles, and lets others have a turn: what pacing costs by itself.
const paced = bare('the script, paced as replay is', {
  sizes: (batch) => Math.min(BATCH, 16 * 2 ** batch),
  atOnce: 1,
  yields: true,
});
const fourAtOnce = bare('the script, four batches at once', { sizes: () => BATCH, atOnce: 4, yields: false });
const replayFrom = (store: string, open: OpenStore): Contestant => ({
  name: `replay() from ${store}`,
  open,
  deliver: replayBacklog,
});

/** How fast a backlog is replayed, against what the script alone could do. */
export async function run(settings: Settings): Promise<PartResult> {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const openLmdb = await loadLmdbStore();
  const replays = [
    replayFrom('memory', openMemory),
    ...(openLmdb === undefined ? [] : [replayFrom('LMDB', openLmdb)]),
  ];
  const contestants = [oneByOne, paced, fourAtOnce, ...replays];
  const jobs = size(settings, 150_000, 5000);
  const once = (contestant: Contestant, count: number) =>
    inFolder(settings.directory, (path) => measure(server, contestant, path, count));

  for (const contestant of contestants) await once(contestant, Math.ceil(jobs / 3));
  const samples = await inRounds(contestants, settings.rounds, (contestant, round) => {
    if (contestant === oneByOne) tell(`replay: round ${round + 1} of ${settings.rounds}`);
    return once(contestant, jobs);
  });

  const of = (contestant: Contestant): readonly Sample[] => samples.get(contestant) ?? [];
  const rates = (contestant: Contestant) => of(contestant).map((sample) => sample.perSecond);
  return {
    part: 'replay',
    conditions: [
      `A backlog of ${grouped(jobs)} jobs of about 150 bytes of JSON, made as by an outage at 10,000 jobs a second; ${settings.rounds} rounds.`,
      `“The script”: \`StreamsTransport.deliver()\` with the same jobs from an array, in batches of ${BATCH}. \`replay()\` has its default options but for the deadlines, no live traffic beside it, and also leases and acknowledges each job.`,
      'Redis on the same machine without persistence.',
      ...(openLmdb === undefined ? ['This build has no LmdbBackupStore.'] : []),
    ],
    tables: [
      {
        title: 'A backlog laid down.',
        note: 'Medians of the rounds’ ratios (lowest–highest).',
        columns: ['', 'against one batch after another', 'jobs a second', 'processor time a job'],
        rows: contestants.map((contestant) => [
          contestant.name,
          ratios(rates(contestant), rates(oneByOne)),
          figure('per second', rates(contestant)),
          figure(
            'microseconds',
            of(contestant).map((sample) => sample.clientMicroseconds),
          ),
        ]),
      },
    ],
    goals: replays.map((replay) => ({
      what: `${replay.name}, against ${oneByOne.name}`,
      least: 0.5,
      measured: ratios(rates(replay), rates(oneByOne)),
    })),
  };
}

async function measure(
  server: RedisServer,
  contestant: Contestant,
  path: string,
  jobs: number,
): Promise<Sample> {
  const queue = 'replay';
  const store = contestant.open(path);
  const letGo = await fillBacklog(store, queue, jobs, server.port);
  const redis = new Redis({ port: server.port });
  await redis.ping();
  const cpu = process.cpuUsage();
  const tookMs = await contestant.deliver(redis, store, queue, jobs);
  const { user, system } = process.cpuUsage(cpu);
  const laidDown = await redis.xlen(streamKey(queue));
  if (laidDown !== jobs) throw new Error(`${contestant.name}: ${laidDown} of ${jobs} jobs were laid down.`);
  await letGo();
  await redis.del(streamKey(queue));
  redis.disconnect();
  return { perSecond: (jobs * 1000) / tookMs, clientMicroseconds: (user + system) / jobs };
}
