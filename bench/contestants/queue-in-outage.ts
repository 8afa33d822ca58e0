import { type BackupStore, ResilientQueue } from '@morningai/resilient-queue';
import { Redis } from 'ioredis';
import { RedisServer } from '../../test/support/redis-server.js';
import { waitFor } from '../../test/support/wait-for.js';
import { JOB_NAME, payloadOf } from './job.js';
import type { Keeper } from './keeper.js';

/** What keeps jobs from Redis: the breaker held open by hand while Redis is well, or a server that is gone. */
export type Reason = 'isolated' | 'dead';

/** `enqueue()` of a queue whose jobs all go to `store`. Closes the store with the queue. */
export async function queueInOutage(store: BackupStore, reason: Reason): Promise<Keeper> {
  const server = await RedisServer.start({ appendOnly: 'no' });
  const redis = new Redis({ port: server.port });
  redis.on('error', () => {}); // else it prints each
  await redis.ping();
  const queue = new ResilientQueue('outage', {
    redis,
    backup: store,
    backupLimit: { jobs: Number.MAX_SAFE_INTEGER },
  });
  const enqueue = async (n: number) => {
    const { outcome } = await queue.enqueue(JOB_NAME, payloadOf(n));
    // One that slipped through to Redis would be the faster for it.
    if (outcome !== 'backed-up') throw new Error(`A job was ${outcome} during an outage.`);
  };
  let n = 0;
  if (reason === 'isolated') {
    queue.isolate();
  } else {
    await server.kill();
    await enqueue(n++);
    await waitFor(() => queue.health().breaker === 'open', { what: 'the breaker to open' });
  }
  return {
    keep: () => enqueue(n++),
    kept: async () => (await store.stats(queue.name)).pending,
    async close() {
      await queue.close({ timeoutMs: 0 });
      redis.disconnect();
      await server.stop();
    },
  };
}
