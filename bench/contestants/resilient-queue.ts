import { MemoryBackupStore, ResilientQueue, streamKey } from '@morningai/resilient-queue';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import type { Contestant } from './contestant.js';
import { JOB_NAME, payloadOf } from './job.js';
import { patience } from './patience.js';

/** `enqueue()` of this library over ioredis. */
export async function queueOverIoredis(port: number): Promise<Contestant> {
  const redis = new Redis({ port });
  await redis.ping();
  const queue = new ResilientQueue('over-ioredis', { redis, backup: new MemoryBackupStore(), ...patience });
  return contestant('enqueue() over ioredis', queue, {
    laidDown: (key) => redis.xlen(key),
    clear: (key) => redis.del(key),
    close: () => redis.quit(),
  });
}

/** The same over node-redis. */
export async function queueOverNodeRedis(port: number): Promise<Contestant> {
  const redis = createClient({ socket: { host: '127.0.0.1', port } });
  await redis.connect();
  const queue = new ResilientQueue('over-node-redis', {
    redis,
    backup: new MemoryBackupStore(),
    ...patience,
  });
  return contestant('enqueue() over node-redis', queue, {
    laidDown: (key) => redis.xLen(key),
    clear: (key) => redis.del(key),
    close: () => redis.close(),
  });
}

interface StreamAccess {
  laidDown(key: string): Promise<number>;
  clear(key: string): Promise<unknown>;
  close(): Promise<unknown>;
}

function contestant(name: string, queue: ResilientQueue, stream: StreamAccess): Contestant {
  const key = streamKey(queue.name);
  let n = 0;
  return {
    name,
    command: 'evalsha',
    enqueue: () => queue.enqueue(JOB_NAME, payloadOf(n++)),
    many: {
      name: name.replace('enqueue()', 'enqueueMany()'),
      enqueue: (count) =>
        queue.enqueueMany(Array.from({ length: count }, () => ({ name: JOB_NAME, payload: payloadOf(n++) }))),
    },
    laidDown: () => stream.laidDown(key),
    // The bitmaps stay: a queue that finds them gone lays its last 10,000 jobs down again.
    clear: () => stream.clear(key),
    async close() {
      await queue.close();
      await stream.close();
    },
  };
}
