import { Redis } from 'ioredis';
import { onTestFinished } from 'vitest';
import { type ErrorEvent, type QueueOptions, ResilientQueue, streamKey } from '../../src/index.js';
import { RedisServer } from './redis-server.js';
import { readStream } from './stream.js';
import { waitFor } from './wait-for.js';

/** A queue on a server of its own, which both end with the test. */
export async function queueOnRedis(name: string, options: Omit<QueueOptions, 'redis'>) {
  const server = await RedisServer.start({ appendOnly: 'no' });
  onTestFinished(() => server.stop());
  const redis = new Redis(server.port);
  onTestFinished(() => redis.disconnect());
  const queue = new ResilientQueue(name, { redis, ...options });
  onTestFinished(async () => void (await queue.close()));
  const errors: ErrorEvent[] = [];
  queue.on('error', (event) => errors.push(event));
  return {
    server,
    queue,
    errors,
    idsInRedis: async () =>
      (await readStream(server, streamKey(name))).map(({ fields }) => fields.id as string),
    isUp: () => waitFor(() => queue.health().status === 'up', { what: 'the queue to be up' }),
  };
}
