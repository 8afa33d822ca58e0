import { type JobRecord, type RedisConnection, StreamsTransport } from '@morningai/resilient-queue';
import type { Redis } from 'ioredis';

/** How batches are sent: how large each is, and how many are under way at once. */
export interface Sending {
  readonly sizes: (batch: number) => number;
  readonly atOnce: number;
  /** Whether other work of the process gets its turn after each batch. */
  readonly yields: boolean;
}

/** Lays `jobs` down with the recognition script alone: no queue, no deadline, no store. Rejects when one was not laid down. */
export async function deliverBare(redis: Redis, jobs: readonly JobRecord[], sending: Sending): Promise<void> {
  const transport = new StreamsTransport();
  const connection = bareConnection(redis);
  const context = { queue: jobs[0]?.queue ?? '', callerMs: 86_400_000, witness: undefined };
  let next = 0;
  let batches = 0;
  const sender = async () => {
    while (next < jobs.length) {
      const batch = jobs.slice(next, next + sending.sizes(batches));
      next += batch.length;
      batches += 1;
      const { outcomes } = await transport.deliver(connection, batch, context);
      if (!outcomes.every((outcome) => outcome === 'delivered')) throw new Error('A job was not laid down.');
      if (sending.yields) await new Promise(setImmediate);
    }
  };
  await Promise.all(Array.from({ length: sending.atOnce }, sender));
}

/** As the library's own view of an ioredis client sends, without the rest of it. */
function bareConnection(redis: Redis): RedisConnection {
  return {
    client: redis,
    isReady: true,
    send: (args) => redis.call(args[0] as string, args.slice(1)),
    listen: () => () => {},
    destroy: () => redis.disconnect(),
  };
}
