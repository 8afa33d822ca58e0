import { afterAll, beforeAll, describe, it } from 'vitest';
import { ListTransport, listKey } from '../../examples/own-transport/list-transport.js';
import { describeTransport } from '../../src/conformance/index.js';
import { StreamsTransport, streamKey } from '../../src/index.js';
import { RqTransport } from '../../src/transport/rq.js';
import { benches, block } from './support/bench.js';
import { listed, pickledRqJobs, rqJobs, streamed } from './support/read-jobs.js';

let setting: Awaited<ReturnType<typeof benches>>;
beforeAll(async () => {
  setting = await benches();
});
afterAll(() => setting.server.stop());

describe('StreamsTransport', () => {
  describeTransport(
    {
      open: () => setting.open(() => new StreamsTransport(), streamed, streamKey),
      options: { taken: [], refused: [{}, 'fast', null] },
    },
    { describe, it },
  );
});

describe('ListTransport, the example', () => {
  describeTransport(
    {
      open: () => setting.open(() => new ListTransport(), listed, listKey),
      options: { taken: [], refused: [{}, 'fast', null] },
    },
    { describe, it },
  );
});

describe.each(['json', 'pickle'] as const)('RqTransport, %s', (serializer) => {
  describeTransport(
    {
      open: () =>
        setting.open(
          () => new RqTransport({ serializer }),
          serializer === 'json' ? rqJobs : pickledRqJobs,
          () => 'rq:*',
          (server, { id }) => block(server, `rq:job:${id}`),
        ),
      job: (marked) => ({ name: 'tasks.run', payload: [marked] }),
      options: {
        taken: [
          {},
          { timeoutSeconds: 60, ttlSeconds: 600 },
          { retry: { max: 3, intervalSeconds: [10, 30] } },
        ],
        refused: [null, 'fast', { timeout: 60 }, { ttlSeconds: 'soon' }, { retry: { max: 0 } }],
      },
      refusedIds: ['a:b', 'a b', 'ä', 'a/b'],
    },
    { describe, it },
  );
});
