import { Redis } from 'ioredis';
import type { Contestant } from './contestant.js';
import { rawEntry } from './raw-entry.js';

/** `xadd` of ioredis: what a service writes that does without the library. */
export async function rawIoredis(
  port: number,
  { autoPipelining }: { readonly autoPipelining: boolean },
): Promise<Contestant> {
  const key = autoPipelining ? 'raw:auto' : 'raw';
  const redis = new Redis({ port, enableAutoPipelining: autoPipelining });
  await redis.ping();
  let n = 0;
  return {
    name: autoPipelining ? 'ioredis xadd, auto-pipelined' : 'ioredis xadd',
    command: 'xadd',
    enqueue() {
      const { id, name, payload, enqueuedAt } = rawEntry(n++);
      return redis.xadd(key, '*', 'id', id, 'name', name, 'payload', payload, 'enqueuedAt', enqueuedAt);
    },
    laidDown: () => redis.xlen(key),
    clear: () => redis.del(key),
    close: () => redis.quit(),
  };
}
