import { MemoryBackupStore, ResilientQueue } from '@morningai/resilient-queue';
import { BullMqTransport } from '@morningai/resilient-queue/transport/bullmq';
import { Queue } from 'bullmq';
import type { Contestant } from './contestant.js';
import { JOB_NAME, payloadOf } from './job.js';
import { patience } from './patience.js';

/** `enqueue()` of this library in front of BullMQ's queue, which has a connection of its own. */
export async function queueBeforeBullMq(port: number): Promise<Contestant> {
  const bullMq = new Queue('bench-before', { connection: { host: '127.0.0.1', port } });
  await bullMq.waitUntilReady();
  const transport = new BullMqTransport(bullMq);
  const queue = new ResilientQueue('before-bullmq', {
    transport,
    backup: new MemoryBackupStore(),
    ...patience,
  });
  let n = 0;
  return {
    name: 'enqueue(), BullMqTransport',
    command: 'evalsha',
    enqueue: () => queue.enqueue(JOB_NAME, payloadOf(n++)),
    many: {
      name: 'enqueueMany(), BullMqTransport',
      enqueue: (count) =>
        queue.enqueueMany(Array.from({ length: count }, () => ({ name: JOB_NAME, payload: payloadOf(n++) }))),
    },
    laidDown: () => bullMq.getWaitingCount(),
    clear: () => bullMq.drain(),
    async close() {
      await queue.close();
      await bullMq.close();
    },
  };
}
