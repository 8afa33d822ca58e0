import type { Redis } from 'ioredis';

/** Deletes RQ's keys and no others: a queue that finds its bitmaps gone lays its last 10,000 jobs down again. */
export async function clearRq(redis: Redis): Promise<void> {
  let cursor = '0';
  do {
    const [next, keys] = await redis.scan(cursor, 'MATCH', 'rq:*', 'COUNT', 10_000);
    if (keys.length > 0) await redis.unlink(keys);
    cursor = next;
  } while (cursor !== '0');
}
