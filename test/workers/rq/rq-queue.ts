import { Redis } from 'ioredis';
import { onTestFinished } from 'vitest';
import { type ErrorEvent, MemoryBackupStore, type QueueOptions, ResilientQueue } from '../../../src/index.js';
import { type RqSerializer, RqTransport } from '../../../src/transport/rq.js';
import { RedisServer } from '../../support/redis-server.js';
import { RqSite } from '../../support/rq/rq-site.js';
import { waitFor } from '../../support/wait-for.js';

/** A queue for RQ's workers on a server of its own, and a place where these can work; all of it ends with the test. */
export async function rqQueue(
  name: string,
  options: Partial<QueueOptions<RqTransport>> & {
    readonly serializer?: RqSerializer;
    readonly compress?: boolean;
  } = {},
) {
  const { serializer = 'json', compress = false, ...queueOptions } = options;
  const server = await RedisServer.start({ appendOnly: 'no' });
  onTestFinished(() => server.stop());
  const site = await RqSite.open(server, serializer);
  onTestFinished(() => site[Symbol.asyncDispose]());
  const redis = new Redis(server.port);
  redis.on('error', () => {});
  onTestFinished(() => redis.disconnect());
  const transport = new RqTransport({ serializer, compress });
  const backup = new MemoryBackupStore();
  const queue = new ResilientQueue(name, { redis, backup, transport, ...queueOptions });
  onTestFinished(async () => void (await queue.close()));
  const errors: ErrorEvent[] = [];
  queue.on('error', (event) => errors.push(event));
  return {
    server,
    site,
    queue,
    backup,
    errors,
    waiting: () => server.command('LRANGE', `rq:queue:${name}`, '0', '-1') as Promise<string[]>,
    isUp: () => waitFor(() => queue.health().status === 'up', { what: 'the queue to be up' }),
  };
}
