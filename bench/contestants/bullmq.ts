import { type JobsOptions, Queue } from 'bullmq';
import type { Contestant } from './contestant.js';
import { JOB_NAME, payloadOf } from './job.js';

const DAY_MS = 86_400_000;

/** `add()` of BullMQ on its own connection, everything at its default. */
export function bullmq(port: number): Promise<Contestant> {
  return contestant(port, 'bench', ['add', 'addBulk'], () => ({}));
}

/** The same with an id and a deduplication for each job, which is what BullMQ has against running it twice. */
export function bullmqDeduplicated(port: number): Promise<Contestant> {
  return contestant(port, 'bench-deduplicated', ['add, deduplicated', 'addBulk, deduplicated'], (n) => ({
    jobId: `job-${n}`,
    deduplication: { id: `job-${n}`, ttl: DAY_MS },
  }));
}

async function contestant(
  port: number,
  queueName: string,
  [one, many]: readonly [string, string],
  optionsOf: (n: number) => JobsOptions,
): Promise<Contestant> {
  const queue = new Queue(queueName, { connection: { host: '127.0.0.1', port } });
  await queue.waitUntilReady();
  let n = 0;
  const job = () => ({ name: JOB_NAME, data: payloadOf(n), opts: optionsOf(n++) });
  return {
    name: `BullMQ ${one}`,
    command: 'evalsha',
    enqueue() {
      const { name, data, opts } = job();
      return queue.add(name, data, opts);
    },
    many: { name: `BullMQ ${many}`, enqueue: (count) => queue.addBulk(Array.from({ length: count }, job)) },
    laidDown: () => queue.getWaitingCount(),
    clear: () => queue.drain(),
    close: () => queue.close(),
  };
}
