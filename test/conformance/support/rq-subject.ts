import { Cluster, Redis } from 'ioredis';
import { createCluster } from 'redis';
import type { LaidDownJob, TransportUnderTest } from '../../../src/conformance/index.js';
import { RqTransport } from '../../../src/transport/rq.js';
import type { RedisServer } from '../../support/redis-server.js';
import { type Benches, block } from './bench.js';

/** RqTransport as the kit tries it; `read` gives the arguments of the jobs that wait as their payload. */
export function rqSubject(
  setting: () => Benches,
  serializer: 'json' | 'pickle',
  read: (server: RedisServer, queue: string) => Promise<readonly LaidDownJob[]>,
): TransportUnderTest {
  return {
    open: () =>
      setting().open(
        () => new RqTransport({ serializer }),
        read,
        (queue) => `rq:queue:${queue}`,
        () => 'rq:*',
        (server, { id }) => block(server, `rq:job:${id}`),
      ),
    job: (marked) => ({ name: 'tasks.run', payload: [marked] }),
    options: {
      taken: [
        {},
        { timeoutSeconds: 60, ttlSeconds: 600 },
        { retry: { max: 3, intervalSeconds: [10, 30] } },
        { atFront: true },
      ],
      refused: [null, 'fast', { timeout: 60 }, { ttlSeconds: 'soon' }, { retry: { max: 0 } }],
    },
    refusedClients: [
      new Redis({ keyPrefix: 'app:', lazyConnect: true }),
      new Cluster([{ port: 1 }], { lazyConnect: true }),
      createCluster({ rootNodes: [] }),
    ],
    refusedIds: ['a:b', 'a b', 'ä', 'a/b'],
  };
}
