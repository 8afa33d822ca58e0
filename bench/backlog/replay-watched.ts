import { join } from 'node:path';
import { Redis } from 'ioredis';
import { fillBacklog } from '../contestants/backlog.js';
import { replayBacklog } from '../contestants/replay-backlog.js';
import { type MemoryCourse, watchMemory } from '../measure/process-memory.js';
import { type FillOrder, folderOf } from './fill.js';
import { openStore } from './store-kind.js';

export interface ReplayOrder extends FillOrder {
  /** Jobs replayed before, so that small backlogs do not pay for compiling what large ones hardly notice. */
  readonly warmUpJobs: number;
}

export interface WatchedReplay {
  readonly microsecondsAJob: number;
  /** Of the last backlog. */
  readonly memory: MemoryCourse;
}

/** Replays what another process left on the disk, or what is made here in memory, and watches this process's memory. */
export async function run(order: ReplayOrder): Promise<WatchedReplay> {
  const { queue, jobs, backlogs, warmUpJobs } = order;
  const redis = new Redis({ port: order.port });
  await redis.ping();
  await replayOne(order, redis, join(order.path, 'warm'), `${queue}-warm`, warmUpJobs, true);
  let tookMs = 0;
  let memory: MemoryCourse | undefined;
  for (let n = 0; n < backlogs; n++) {
    const isMadeHere = order.store === 'memory';
    const watched = await replayOne(order, redis, folderOf(order, n), queue, jobs, isMadeHere);
    tookMs += watched.value;
    memory = watched.memory;
  }
  redis.disconnect();
  return { microsecondsAJob: (tookMs * 1000) / (jobs * backlogs), memory: memory as MemoryCourse };
}

async function replayOne(
  { store: kind, port }: ReplayOrder,
  redis: Redis,
  folder: string,
  queue: string,
  jobs: number,
  isMadeHere: boolean,
) {
  if (!isMadeHere)
    return watchMemory(async () => replayBacklog(redis, await openStore(kind, folder), queue, jobs));
  const store = await openStore(kind, folder);
  // What filled it stays until the end: the last queue on a store closes it.
  const letGo = await fillBacklog(store, queue, jobs, port);
  const watched = await watchMemory(() => replayBacklog(redis, store, queue, jobs));
  await letGo();
  return watched;
}
