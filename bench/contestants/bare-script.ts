import { randomBytes } from 'node:crypto';
import {
  type DeliveryContext,
  JOB_RECORD_VERSION,
  type JobRecord,
  type RedisConnection,
  StreamsTransport,
  streamKey,
} from '@morningai/resilient-queue';
import { Redis } from 'ioredis';
import type { Contestant } from './contestant.js';
import { JOB_NAME, payloadOf } from './job.js';

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
  const context = contextOf(jobs[0]?.queue ?? '');
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

/** One job a call through the recognition script alone: what is left of the client's speed before the queue does anything. */
export async function bareScript(port: number): Promise<Contestant> {
  const redis = new Redis({ port });
  await redis.ping();
  const transport = new StreamsTransport();
  const connection = bareConnection(redis);
  const queue = 'bare-script';
  const context = contextOf(queue);
  let epoch = '';
  let n = 0;
  const nextJob = (): JobRecord => {
    if (n % 2 ** 20 === 0) epoch = randomBytes(14).toString('hex').slice(1);
    const delivery = `${epoch}-${n % 2 ** 20}`;
    const payload = JSON.stringify(payloadOf(n++));
    return {
      ...{ version: JOB_RECORD_VERSION, queue, id: delivery, delivery, name: JOB_NAME, payload },
      ...{ fate: 'not-delivered', enqueuedAt: Date.now(), transport: transport.name },
    };
  };
  return {
    name: 'the script alone over ioredis',
    command: 'evalsha',
    enqueue: () => transport.deliver(connection, [nextJob()], context),
    laidDown: () => redis.xlen(streamKey(queue)),
    clear: () => redis.del(streamKey(queue)),
    close: () => redis.quit(),
  };
}

/** As a queue's context is that has sent a batch of each epoch before, so that the usual script is run. */
function contextOf(queue: string): DeliveryContext {
  const noted = new Set<string>();
  const notes = {
    isFresh: (epoch: string) => noted.has(epoch),
    noted: (epochs: readonly string[]) => {
      for (const epoch of epochs) noted.add(epoch);
    },
  };
  return { queue, now: Date.now(), callerMs: 86_400_000, witness: undefined, notes };
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
