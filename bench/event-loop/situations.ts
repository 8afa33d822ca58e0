import { setTimeout as sleep } from 'node:timers/promises';
import { type BackupStore, MemoryBackupStore, ResilientQueue, streamKey } from '@morningai/resilient-queue';
import { Redis } from 'ioredis';
import type { SettledJob } from '../../test/support/ledger.js';
import { waitFor } from '../../test/support/wait-for.js';
import { fillBacklog } from '../contestants/backlog.js';
import { JOB_NAME, payloadOf } from '../contestants/job.js';
import type { OpenStore } from '../contestants/lmdb-store.js';
import { rawIoredis } from '../contestants/raw-ioredis.js';
import { watchLoop } from '../measure/loop-delay.js';
import { type Watched, watchLoad } from './watch-load.js';

const QUEUE = 'event-loop';

export interface Sizes {
  readonly durationMs: number;
  /** Jobs that wait before a replay begins. */
  readonly backlog: number;
}

/** What a process does while its event loop is watched. */
export interface Situation {
  readonly name: string;
  watch(port: number, sizes: Sizes, path: string): Promise<Watched>;
}

export const idle: Situation = {
  name: 'nothing',
  async watch(_port, { durationMs }) {
    return { ...(await watchLoop(() => sleep(durationMs))), p99Call: Number.NaN, watchedMs: durationMs };
  },
};

export const rawXadd: Situation = {
  name: 'ioredis xadd',
  async watch(port, { durationMs }) {
    const contestant = await rawIoredis(port, { autoPipelining: false });
    const watched = await watchLoad(durationMs, async (n) => {
      await contestant.enqueue();
      return { id: String(n), outcome: 'enqueued' };
    });
    await contestant.clear();
    await contestant.close();
    return watched;
  },
};

export const live: Situation = {
  name: 'enqueue()',
  watch: (port, { durationMs }) =>
    withQueue(port, new MemoryBackupStore(), (_queue, enqueue) => watchLoad(durationMs, enqueue)),
};

export const backingUp = (store: string, open: OpenStore): Situation => ({
  name: `enqueue(), backed up in ${store}`,
  watch: (port, { durationMs }, path) =>
    withQueue(port, open(path), (queue, enqueue) => {
      queue.isolate();
      return watchLoad(durationMs, enqueue);
    }),
});

export const replaying = (store: string, open: OpenStore): Situation => ({
  name: `enqueue(), beside a replay from ${store}`,
  async watch(port, { backlog }, path) {
    const opened = open(path);
    const letGo = await fillBacklog(opened, QUEUE, backlog, port);
    const watched = await withQueue(port, opened, (queue, enqueue) => {
      const isOver = () => queue.health().totals.delivered >= backlog && queue.health().status === 'up';
      const replayed = waitFor(isOver, { what: 'the backlog to be replayed', timeoutMs: 120_000 });
      return watchLoad(replayed, enqueue);
    });
    await letGo();
    return watched;
  },
});

async function withQueue(
  port: number,
  backup: BackupStore,
  work: (queue: ResilientQueue, enqueue: (n: number) => Promise<SettledJob>) => Promise<Watched>,
): Promise<Watched> {
  const redis = new Redis({ port });
  await redis.ping();
  const backupLimit = { jobs: Number.MAX_SAFE_INTEGER };
  const queue = new ResilientQueue(QUEUE, { redis, backup, backupLimit });
  const watched = await work(queue, (n) => queue.enqueue(JOB_NAME, payloadOf(n)));
  await queue.close({ timeoutMs: 0 });
  await redis.del(streamKey(QUEUE));
  redis.disconnect();
  return watched;
}
