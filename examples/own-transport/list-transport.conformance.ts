// Holds the transport to what every transport promises. Flushes the Redis that it is given, and denies it commands for a while.
//   node --import tsx --test examples/own-transport/list-transport.conformance.ts     (REDIS_URL)
import { describe, it } from 'node:test';
import { queueKeys } from '@morningai/resilient-queue';
import { describeTransport } from '@morningai/resilient-queue/conformance';
import { Redis } from 'ioredis';
import { ListTransport, listKey } from './list-transport.js';

const url = process.env.REDIS_URL ?? 'redis://127.0.0.1:6379';

describe('ListTransport', () => {
  describeTransport(
    {
      async open() {
        const redis = new Redis(url);
        const other = new Redis(url);
        await redis.flushall();
        return {
          transport: new ListTransport(),
          redis,
          other: { transport: new ListTransport(), redis: other },
          read: async (queue) =>
            (await redis.lrange(listKey(queue), 0, -1)).map((text) => {
              const { id, name, payload } = JSON.parse(text);
              return { id, name, payload };
            }),
          run: async (queue) => void (await redis.del(listKey(queue))),
          // The id's marker, and the list, of another type than they should be.
          refuse: ({ queue, id }) => block(redis, queueKeys(queue).marker(id)),
          obstruct: (queue) => block(redis, listKey(queue)),
          async close() {
            redis.disconnect();
            other.disconnect();
          },
        };
      },
      options: { taken: [], refused: [{}, 'fast', null] },
    },
    { describe, it },
  );
});

async function block(redis: Redis, key: string): Promise<() => Promise<void>> {
  await redis.sadd(key, 'in the way');
  return async () => void (await redis.del(key));
}
