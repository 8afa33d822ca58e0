import { Queue, Worker } from 'bullmq';
import { Queue as Queue5, Worker as Worker5 } from 'bullmq5';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { describeTransport, type TransportBench } from '../../src/conformance/index.js';
import { BullMqTransport } from '../../src/transport/bullmq.js';
import { waitFor } from '../support/wait-for.js';
import { type Benches, benches, block } from './support/bench.js';

let setting: Benches;
beforeAll(async () => {
  setting = await benches();
});
afterAll(() => setting.server.stop());

const NAME = 'conformance';

type BullMq = { readonly Queue: typeof Queue; readonly Worker: typeof Worker };

const majors = [
  { major: 6, bullMq: { Queue, Worker } },
  // What is called here is the same in both.
  { major: 5, bullMq: { Queue: Queue5, Worker: Worker5 } as unknown as BullMq },
];

async function open({ Queue, Worker }: BullMq): Promise<TransportBench> {
  const { server } = setting;
  await server.command('FLUSHALL');
  const connection = { host: '127.0.0.1', port: server.port };
  const queues = [new Queue(NAME, { connection }), new Queue(NAME, { connection })] as const;
  for (const queue of queues) queue.on('error', () => {});
  await Promise.all(queues.map((queue) => queue.waitUntilReady()));
  const [transport, other] = [new BullMqTransport(queues[0]), new BullMqTransport(queues[1])];
  await waitFor(() => transport.connection.isReady && other.connection.isReady, {
    what: 'BullMQ to connect',
  });
  return {
    transport,
    redis: transport.connection,
    other: { transport: other, redis: other.connection },
    async read() {
      const jobs = [
        ...(await queues[0].getJobs(['waiting'], 0, -1, true)),
        // Not while they are refused.
        ...(await queues[0].getJobs(['prioritized'], 0, -1, true).catch(() => [])),
      ];
      return jobs.map(({ id = '', name, data }) => ({ id, name, payload: data }));
    },
    // Nothing of a job is left but that BullMQ knows it again.
    async run() {
      const worker = new Worker(NAME, async () => {}, { connection, removeOnComplete: { count: 0 } });
      await waitFor(async () => (await queues[0].count()) + (await queues[0].getActiveCount()) === 0, {
        what: 'every job to be run',
      });
      await worker.close();
    },
    // Where jobs with a priority stand.
    refuse: () => block(server, queues[0].toKey('prioritized')),
    obstruct: () => block(server, queues[0].toKey('wait')),
    async close() {
      await Promise.all(queues.map((queue) => queue.close()));
    },
  };
}

describe.each(majors)('BullMqTransport on BullMQ $major', ({ bullMq }) => {
  describeTransport(
    {
      open: () => open(bullMq),
      hasOwnQueue: true,
      isLog: (key) => key.endsWith(':events'),
      refusable: { transportOptions: { priority: 1 } },
      options: {
        taken: [
          {},
          { attempts: 3, backoff: { type: 'fixed', delay: 100 } },
          { removeOnComplete: true },
          { lifo: true },
          { priority: 1 },
        ],
        refused: ['fast', { jobId: 'mine' }, { deduplication: { id: 'mine' } }, { delay: 5 }, { repeat: {} }],
      },
      refusedIds: ['17', 'a:b', 'wait'],
    },
    { describe, it },
  );
});
