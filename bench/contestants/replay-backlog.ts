import { type BackupStore, ResilientQueue } from '@morningai/resilient-queue';
import type { Redis } from 'ioredis';
import { patience } from './patience.js';

/** Replays what `store` holds for `queue` and resolves with how long that took, ms. Rejects unless it was `jobs` jobs. */
export async function replayBacklog(
  redis: Redis,
  store: BackupStore,
  queue: string,
  jobs: number,
): Promise<number> {
  const replaying = new ResilientQueue(queue, {
    redis,
    backup: store,
    replay: { auto: false },
    ...patience,
  });
  await replaying.check();
  const startedAt = performance.now();
  const result = await replaying.replay();
  const tookMs = performance.now() - startedAt;
  await replaying.close();
  if (result.replayed !== jobs || result.remaining !== 0)
    throw new Error(`Of ${jobs} jobs ${result.replayed} were replayed: ${JSON.stringify(result)}`);
  return tookMs;
}
