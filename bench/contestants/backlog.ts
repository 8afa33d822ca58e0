import { type BackupStore, ResilientQueue, systemClock } from '@morningai/resilient-queue';
import { Redis } from 'ioredis';
import { JOB_NAME, payloadOf } from './job.js';

/** Calls that are under way at once. */
const AT_ONCE = 2560;
/** At which rate the jobs seem to have come: those of one millisecond are laid down with fewer arguments. */
const JOBS_A_MS = 10;

/**
 * Fills `store` with `jobs` jobs of `queue`, as an outage at 10,000 jobs a second would have. Resolves with a function that
 * lets go of the store: one in memory would forget them before.
 */
export async function fillBacklog(
  store: BackupStore,
  queue: string,
  jobs: number,
  port: number,
): Promise<() => Promise<void>> {
  const redis = new Redis({ port });
  await redis.ping();
  const startedAt = Date.now() - Math.ceil(jobs / JOBS_A_MS);
  let made = 0;
  const filler = new ResilientQueue(queue, {
    redis,
    backup: store,
    backupLimit: { jobs: Number.MAX_SAFE_INTEGER },
    replay: { auto: false },
    clock: { ...systemClock, now: () => startedAt + Math.floor(made / JOBS_A_MS) },
  });
  filler.isolate();
  while (made < jobs) {
    const calls: Promise<unknown>[] = [];
    while (made < jobs && calls.length < AT_ONCE) {
      made += 1;
      calls.push(filler.enqueue(JOB_NAME, payloadOf(made)));
    }
    await Promise.all(calls);
  }
  return async () => {
    await filler.close({ timeoutMs: 0 });
    redis.disconnect();
  };
}
