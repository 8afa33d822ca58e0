import { MemoryBackupStore, ResilientQueue, streamKey } from '@morningai/resilient-queue';
import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { RedisServer } from '../support/redis-server.js';
import { waitFor } from '../support/wait-for.js';
import { Child, redisUrl } from './support/child.js';

const STREAM = streamKey('orchestrator');
const ran = /^ran faq\.generate (\S+) /m;

const start = (server: RedisServer, claimAfterMs = 60_000) =>
  new Child('examples/consumer-group.ts', {
    env: { REDIS_URL: redisUrl(server), CLAIM_AFTER_MS: String(claimAfterMs) },
  });

/** Enqueues jobs as a producer does; resolves with their ids. */
async function enqueue(server: RedisServer, count: number): Promise<string[]> {
  const redis = new Redis(server.port);
  const queue = new ResilientQueue('orchestrator', { redis, backup: new MemoryBackupStore() });
  const jobs = Array.from({ length: count }, (_, n) => ({ name: 'faq.generate', payload: { n } }));
  const receipts = await queue.enqueueMany(jobs);
  await queue.close();
  redis.disconnect();
  return receipts.map(({ id }) => id);
}

async function untilWorkedOff(server: RedisServer): Promise<void> {
  await waitFor(async () => (await server.command('XLEN', STREAM)) === 0, {
    what: 'the stream to be empty',
    timeoutMs: 20_000,
  });
  const [pending] = (await server.command('XPENDING', STREAM, 'workers')) as [number];
  expect(pending).toBe(0);
}

async function endWell(...consumers: Child[]): Promise<void> {
  for (const consumer of consumers) consumer.signal('SIGTERM');
  for (const consumer of consumers) expect(await consumer.ended).toEqual({ code: 0, signal: null });
}

it('runs every job once, shared among the consumers', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  await using one = start(server);
  await using other = start(server);
  await Promise.all([one.printed(/waits for jobs/), other.printed(/waits for jobs/)]);
  const ids = await enqueue(server, 200);
  await untilWorkedOff(server);
  await endWell(one, other);
  expect([...one.all(ran), ...other.all(ran)].sort()).toEqual(ids.sort());
});

it('takes over what a dead consumer had read, and runs it once', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const ids = await enqueue(server, 30);
  await server.command('XGROUP', 'CREATE', STREAM, 'workers', '0');
  await server.command('XREADGROUP', 'GROUP', 'workers', 'dead', 'COUNT', '25', 'STREAMS', STREAM, '>');
  await using consumer = start(server, 100);
  await untilWorkedOff(server);
  await endWell(consumer);
  expect(consumer.all(ran).sort()).toEqual(ids.sort());
});

it('leaves alone what a live consumer is at work on', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const ids = await enqueue(server, 10);
  await server.command('XGROUP', 'CREATE', STREAM, 'workers', '0');
  await server.command('XREADGROUP', 'GROUP', 'workers', 'busy', 'COUNT', '4', 'STREAMS', STREAM, '>');
  await using consumer = start(server);
  await waitFor(() => consumer.all(ran).length === 6, { what: 'six jobs to be run' });
  await endWell(consumer);
  expect(consumer.all(ran)).toEqual(ids.slice(4));
  expect(await server.command('XLEN', STREAM)).toBe(4);
});

it('goes on by itself when Redis was killed and lost the group', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  await using consumer = start(server);
  await consumer.printed(/waits for jobs/);
  await server.restart();
  const ids = await enqueue(server, 10);
  await untilRun(consumer, ids.length);
  await endWell(consumer);
  expect(consumer.all(ran).sort()).toEqual(ids.sort());
});

it('ends on SIGTERM also while Redis hangs', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  await using consumer = start(server);
  await consumer.printed(/waits for jobs/);
  server.pause();
  await endWell(consumer);
});

const untilRun = (consumer: Child, count: number) =>
  waitFor(() => consumer.all(ran).length === count, { what: `${count} jobs to be run`, timeoutMs: 30_000 });
