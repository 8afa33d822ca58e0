import { MemoryBackupStore, ResilientQueue } from '@morningai/resilient-queue';
import { RqTransport } from '@morningai/resilient-queue/transport/rq';
import { Redis } from 'ioredis';
import { clearRq } from './clear-rq.js';
import type { Contestant } from './contestant.js';
import { payloadOf } from './job.js';
import { patience } from './patience.js';

/** `enqueue()` for RQ's workers. */
export async function queueForRq(port: number, serializer: 'json' | 'pickle'): Promise<Contestant> {
  const redis = new Redis({ port });
  await redis.ping();
  const name = `rq-${serializer}`;
  const queue = new ResilientQueue(name, {
    redis,
    transport: new RqTransport({ serializer }),
    backup: new MemoryBackupStore(),
    ...patience,
  });
  let n = 0;
  return {
    name: `enqueue(), RqTransport, ${serializer}`,
    command: 'evalsha',
    enqueue: () => queue.enqueue('tasks.answer', [payloadOf(n++)]),
    many: {
      name: `enqueueMany(), RqTransport, ${serializer}`,
      enqueue: (count) =>
        queue.enqueueMany(
          Array.from({ length: count }, () => ({ name: 'tasks.answer', payload: [payloadOf(n++)] })),
        ),
    },
    laidDown: () => redis.llen(`rq:queue:${name}`),
    clear: () => clearRq(redis),
    async close() {
      await queue.close();
      await redis.quit();
    },
  };
}
