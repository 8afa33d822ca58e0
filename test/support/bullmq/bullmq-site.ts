import { onTestFinished } from 'vitest';
import { type ErrorEvent, MemoryBackupStore, type QueueOptions, ResilientQueue } from '../../../src/index.js';
import { BullMqTransport } from '../../../src/transport/bullmq.js';
import { RedisServer } from '../redis-server.js';
import { waitFor } from '../wait-for.js';
import type { AnyQueue, BullMqKind, QueueSettings, RunJob } from './kinds.js';

type Options = Partial<Omit<QueueOptions, 'redis' | 'transport'>>;

/** A server with a BullMQ queue on it, which all end with the test. */
export async function bullMqSite(kind: BullMqKind, settings: QueueSettings = {}) {
  const server = await RedisServer.start({ appendOnly: 'no' });
  onTestFinished(() => server.stop());
  const { queue: bullMq, end } = kind.make('orders', server.port, settings);
  onTestFinished(end);
  const ran: RunJob[] = [];
  return {
    server,
    bullMq,
    /** What workers were given. */
    ran,
    idsRun: () => ran.map(({ id }) => id),
    open: (options: Options = {}) => openQueue(bullMq, options),
    /** A worker that notes each job, and fails those of the name `fail`, until the test ends. */
    async work() {
      const worker = kind.work('orders', server.port, (job) => {
        ran.push(job);
        if (job.name === 'fail') throw new Error('as it should');
      });
      onTestFinished(() => worker.close(true));
      await worker.waitUntilReady();
    },
    hasRun: (count: number) =>
      waitFor(() => ran.length >= count, { what: `${count} jobs to be run` }).catch((error: Error) => {
        throw new Error(`${error.message}: ${ran.length} were`);
      }),
    keys: async (pattern: string) => (await server.command('KEYS', pattern)) as string[],
  };
}

/** A queue in front of a BullMQ queue, until the test ends. */
export function openQueue(bullMq: AnyQueue, options: Options = {}) {
  const transport = new BullMqTransport(bullMq);
  const queue = new ResilientQueue('orders', { backup: new MemoryBackupStore(), transport, ...options });
  onTestFinished(async () => void (await queue.close({ timeoutMs: 100 })));
  const errors: ErrorEvent[] = [];
  queue.on('error', (event) => errors.push(event));
  return {
    queue,
    errors,
    isUp: () =>
      waitFor(() => queue.health().status === 'up', { what: 'the queue to be up', timeoutMs: 20_000 }),
  };
}
