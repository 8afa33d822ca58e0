import { MemoryBackupStore, ResilientQueue, streamKey } from '@morningai/resilient-queue';
import { Redis } from 'ioredis';
import { EPOCH_JOBS } from '../../src/recognition/delivery-id.js';
import { queueKeys } from '../../src/recognition/queue-keys.js';
import { RedisServer } from '../../test/support/redis-server.js';
import { JOB_NAME, payloadOf } from '../contestants/job.js';
import { patience } from '../contestants/patience.js';
import { tell } from '../progress.js';
import { type Figure, figure, type PartResult } from '../report/result.js';
import { grouped } from '../report/write-figure.js';
import { type Settings, size } from '../settings.js';

const QUEUE = 'recognition';
/** Calls under way at once, and so the most that stand in the stream. */
const AT_ONCE = 4096;

interface Kept {
  readonly processes: number;
  readonly jobsEach: number;
  readonly epochs: number;
  /** Bytes of the bitmaps. */
  readonly bitmaps: number;
  /** Bytes of the list of epochs. */
  readonly list: number;
}

/** What Redis keeps to recognise jobs: of processes that live long, and of such that do not. Counted, not timed: no rounds. */
export async function run(settings: Settings): Promise<PartResult> {
  const longLived = 2 * EPOCH_JOBS + EPOCH_JOBS / 2;
  const ofOne = [1, 1000, 100_000, EPOCH_JOBS, longLived].map((jobs) =>
    size(settings, jobs, Math.ceil(jobs / 256)),
  );
  const ofMany = [100, 1000].map((processes) => size(settings, processes, processes / 10));
  const kept: Kept[] = [];
  for (const jobs of ofOne) kept.push(await measure(1, jobs));
  for (const processes of ofMany) kept.push(await measure(processes, 1));
  const longest = kept[ofOne.length - 1] as Kept;
  return {
    part: 'recognition',
    conditions: [
      'What `MEMORY USAGE` says of the bitmaps and of the list of epochs, after queues of one name have laid their jobs down and were closed; a new server for each line.',
      `An epoch belongs to one queue object in one process and has ${grouped(EPOCH_JOBS)} jobs at most; it is removed 7 days after its last use. A job with an id of the caller’s has a marker besides, for 24 hours.`,
    ],
    tables: [
      {
        title: 'What Redis keeps to recognise the jobs of processes.',
        columns: ['processes × jobs', 'epochs', 'bitmaps', 'list of epochs', 'an epoch', 'a job'],
        rows: kept.map((one) => [
          `${grouped(one.processes)} × ${grouped(one.jobsEach)}`,
          grouped(one.epochs),
          counted('bytes', one.bitmaps),
          counted('bytes', one.list),
          counted('bytes', (one.bitmaps + one.list) / one.epochs),
          bytesAJob(one),
        ]),
      },
    ],
    goals: [
      {
        what: `one process of ${grouped(longest.jobsEach)} jobs, bytes a job`,
        most: 1,
        measured: bytesAJob(longest),
      },
    ],
  };
}

const counted = (unit: 'bytes' | 'bytes a job', value: number): Figure => figure(unit, [value]);

const bytesAJob = ({ bitmaps, list, processes, jobsEach }: Kept): Figure =>
  counted('bytes a job', (bitmaps + list) / (processes * jobsEach));

async function measure(processes: number, jobsEach: number): Promise<Kept> {
  tell(`recognition: ${processes} × ${jobsEach} jobs`);
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const redis = new Redis({ port: server.port });
  await redis.ping();
  // A queue object has epochs of its own, as a process would.
  for (let i = 0; i < processes; i++) await layDown(redis, jobsEach);
  const keys = queueKeys(QUEUE);
  const epochs = await redis.zrange(keys.epochs, '0', '-1');
  let bitmaps = 0;
  for (const epoch of epochs) bitmaps += Number(await redis.memory('USAGE', keys.seen(epoch)));
  const list = Number(await redis.memory('USAGE', keys.epochs));
  redis.disconnect();
  return { processes, jobsEach, epochs: epochs.length, bitmaps, list };
}

async function layDown(redis: Redis, jobs: number): Promise<void> {
  const queue = new ResilientQueue(QUEUE, { redis, backup: new MemoryBackupStore(), ...patience });
  for (let made = 0; made < jobs; ) {
    const calls = Array.from({ length: Math.min(AT_ONCE, jobs - made) }, (_, i) =>
      queue.enqueue(JOB_NAME, payloadOf(made + i)),
    );
    made += calls.length;
    for (const { outcome } of await Promise.all(calls)) {
      if (outcome !== 'enqueued') throw new Error(`A job was ${outcome}.`);
    }
    await redis.del(streamKey(QUEUE));
  }
  await queue.close();
}
