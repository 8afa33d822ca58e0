import { Queue } from 'bullmq';
import type { Contestant } from './contestant.js';
import { JOB_NAME, payloadOf } from './job.js';

/** `add()` of BullMQ on its own connection, everything at its default. */
export async function bullmq(port: number): Promise<Contestant> {
  const queue = new Queue('bench', { connection: { host: '127.0.0.1', port } });
  await queue.waitUntilReady();
  let n = 0;
  return {
    name: 'BullMQ add',
    command: 'evalsha',
    enqueue: () => queue.add(JOB_NAME, payloadOf(n++)),
    laidDown: () => queue.getWaitingCount(),
    clear: () => queue.drain(),
    close: () => queue.close(),
  };
}
