import { createClient } from 'redis';
import type { Contestant } from './contestant.js';
import { rawEntry } from './raw-entry.js';

const KEY = 'raw:node-redis';

/** `xAdd` of node-redis, which pipelines by itself what is called in one turn. */
export async function rawNodeRedis(port: number): Promise<Contestant> {
  const redis = createClient({ socket: { host: '127.0.0.1', port } });
  await redis.connect();
  let n = 0;
  return {
    name: 'node-redis xAdd',
    command: 'xadd',
    enqueue: () => redis.xAdd(KEY, '*', rawEntry(n++)),
    laidDown: () => redis.xLen(KEY),
    clear: () => redis.del(KEY),
    close: () => redis.close(),
  };
}
