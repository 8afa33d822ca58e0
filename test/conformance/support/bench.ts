import { Redis } from 'ioredis';
import type { LaidDownJob, TransportBench } from '../../../src/conformance/index.js';
import type { JobRecord, Transport } from '../../../src/index.js';
import { queueKeys } from '../../../src/recognition/queue-keys.js';
import { RedisServer } from '../../support/redis-server.js';

/** A server for all tests of a file, and how a bench on it is made: empty each time. */
export type Benches = Awaited<ReturnType<typeof benches>>;

export async function benches() {
  const server = await RedisServer.start({ appendOnly: 'no' });

  /** `keyOf`: the key that a queue's jobs stand in; `keysOf`: all keys of the jobs. */
  async function open(
    make: () => Transport,
    read: (server: RedisServer, queue: string) => Promise<readonly LaidDownJob[]>,
    keyOf: (queue: string) => string,
    keysOf: (queue: string) => string = keyOf,
    refuse: (server: RedisServer, job: JobRecord) => Promise<() => Promise<void>> = blockMarker,
  ): Promise<TransportBench> {
    await server.command('FLUSHALL');
    const clients = [new Redis({ port: server.port }), new Redis({ port: server.port })] as const;
    return {
      transport: make(),
      redis: clients[0],
      other: { transport: make(), redis: clients[1] },
      read: (queue) => read(server, queue),
      async run(queue) {
        for (const key of (await server.command('KEYS', keysOf(queue))) as string[])
          await server.command('DEL', key);
      },
      refuse: (job) => refuse(server, job),
      obstruct: (queue) => block(server, keyOf(queue)),
      async close() {
        for (const client of clients) client.disconnect();
      },
    };
  }

  return { server, open };
}

/** A key of another type where the marker of the job's id would be. */
function blockMarker(server: RedisServer, { queue, id }: JobRecord): Promise<() => Promise<void>> {
  return block(server, queueKeys(queue).marker(id));
}

/** Puts a set, which nobody expects, where `key` is going to be. */
export async function block(server: RedisServer, key: string): Promise<() => Promise<void>> {
  await server.command('SADD', key, 'in the way');
  return async () => void (await server.command('DEL', key));
}
