import { Redis } from 'ioredis';
import type { LaidDownJob, TransportBench } from '../../../src/conformance/index.js';
import type { JobRecord, Transport } from '../../../src/index.js';
import { queueKeys } from '../../../src/recognition/queue-keys.js';
import { RedisServer } from '../../support/redis-server.js';

/** A server for all tests of a file, and how a bench on it is made: empty each time. */
export async function benches() {
  const server = await RedisServer.start({ appendOnly: 'no' });

  /** `read` is given the server's commands, as strings. */
  async function open(
    make: () => Transport,
    read: (server: RedisServer, queue: string) => Promise<readonly LaidDownJob[]>,
    keyOf: (queue: string) => string,
  ): Promise<TransportBench> {
    await server.command('FLUSHALL');
    const clients = [new Redis({ port: server.port }), new Redis({ port: server.port })] as const;
    return {
      transport: make(),
      redis: clients[0],
      other: { transport: make(), redis: clients[1] },
      read: (queue) => read(server, queue),
      run: async (queue) => void (await server.command('DEL', keyOf(queue))),
      refuse: (job) => blockMarker(server, job),
      async close() {
        for (const client of clients) client.disconnect();
      },
    };
  }

  return { server, open };
}

/** A key of another type where the marker of the job's id would be. */
async function blockMarker(server: RedisServer, { queue, id }: JobRecord): Promise<() => Promise<void>> {
  const marker = queueKeys(queue).marker(id);
  await server.command('HSET', marker, 'in', 'the way');
  return async () => void (await server.command('DEL', marker));
}
