import { inspect } from 'node:util';
import { isNodeRedis } from '../../redis/node-redis.js';
import type { Producer } from './bullmq-queue.js';
import { reasonToRefuse, valueProblem } from './job-options.js';

/** Throws a `TypeError`, saying what to do, for what is no BullMQ queue, or one that jobs could not be laid down in once. */
export function checkBullMqQueue(queue: unknown): asserts queue is Producer {
  const methods = ['add', 'toKey'] as const;
  const candidate = (typeof queue === 'object' && queue !== null ? queue : {}) as Partial<Producer>;
  const isQueue =
    methods.every((method) => typeof candidate[method] === 'function') && typeof candidate.keys === 'object';
  if (!isQueue) throw new TypeError('BullMqTransport needs a Queue of BullMQ, which you make and connect.');
  // It came together with the option, 5.18 being the first release that has both.
  if (typeof candidate.removeDeduplicationKey !== 'function') {
    throw new TypeError(
      'BullMqTransport needs BullMQ 5.18 or later: before that it knows no deduplication, and a job sent again would run twice.',
    );
  }
  if (clientOf(candidate as Producer) === undefined) {
    throw new TypeError(
      'BullMqTransport needs a queue on Redis: this one has another backend (such as createPostgresBackend), which has an outbox of its own in its transactions.',
    );
  }
  const { connection } = candidate.opts ?? {};
  if (typeof connection === 'object' && connection !== null) {
    checkConnection(connection, candidate.getBackend === undefined);
  }
  for (const [option, value] of Object.entries(candidate.defaultJobOptions ?? {})) {
    const why = reasonToRefuse(option);
    if (value === undefined) continue;
    const problem = valueProblem(option, value);
    if (problem !== undefined) {
      const Kind = typeof value === 'number' ? RangeError : TypeError;
      throw new Kind(
        `Option "${option}" in the defaultJobOptions of BullMqTransport's queue must be ${problem}, got ${inspect(value)}.`,
      );
    }
    // BullMQ counts a default delay from the time when a job was enqueued, which is right also for one replayed late.
    if (why === undefined || option === 'delay') continue;
    throw new TypeError(`BullMqTransport cannot have "${option}" in the queue's defaultJobOptions: ${why}.`);
  }
}

/** Resolves with the queue's client when it has been connected once; undefined where the queue is not on Redis. */
export function clientOf(queue: Producer): Promise<unknown> | undefined {
  return queue.getBackend ? queue.getBackend().client : queue.client;
}

function checkConnection(connection: object, isBullMq5: boolean): void {
  if ('isCluster' in connection && connection.isCluster === true) {
    throw new TypeError(
      'BullMqTransport cannot use a Redis Cluster yet: give the queue a standalone client.',
    );
  }
  if (isBullMq5 && isNodeRedis(connection)) {
    throw new TypeError(
      'BullMQ 5 waits for ever for a client of node-redis: give its queue what its createNodeRedisClient() makes of the client.',
    );
  }
}
