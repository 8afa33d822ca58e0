import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { isResilientQueueError, MemoryBackupStore, ResilientQueue, streamKey } from '../../src/index.js';
import { RedisServer } from '../support/redis-server.js';
import { readStream } from '../support/stream.js';
import { waitFor } from '../support/wait-for.js';

/** Outlives its queues, as a durable store outlives a process. */
class LastingStore extends MemoryBackupStore {
  override readonly durability = 'fsynced' as never;
  override async close(): Promise<void> {}
}

let server: RedisServer;
let client: Redis;

beforeAll(async () => {
  server = await RedisServer.start({ appendOnly: 'no' });
  client = new Redis({ port: server.port });
  return () => client.disconnect();
});
afterAll(() => server.stop());
beforeEach(async () => {
  await server.command('FLUSHALL');
});

const payloads = async () =>
  (await readStream(server, streamKey('faq'))).map(({ fields }) => JSON.parse(fields.payload as string));

it('refuses a payload that does not fit, at once, writes nothing, and takes the next one as it was given', async () => {
  const schemas = { ask: z.object({ question: z.string(), times: z.number().default(1) }) };
  await using queue = new ResilientQueue('faq', { redis: client, backup: new MemoryBackupStore(), schemas });
  const untyped = queue as unknown as ResilientQueue;

  const refused = await untyped.enqueue('ask', { question: ['secret'] }).catch((error: unknown) => error);
  expect(isResilientQueueError(refused) && refused.code).toBe('PAYLOAD_INVALID');
  expect(refused).toMatchObject({ fate: 'not-delivered' });
  expect(String(refused)).toContain('payload.question');
  expect(String(refused)).not.toContain('secret');
  await expect(untyped.enqueue('answer', {})).rejects.toMatchObject({ code: 'NAME_INVALID' });
  await expect(
    untyped.enqueueMany([
      { name: 'ask', payload: { question: 'good' } },
      { name: 'ask', payload: {} },
    ]),
  ).rejects.toMatchObject({ code: 'PAYLOAD_INVALID' });
  expect(await payloads()).toEqual([]);

  expect(await queue.enqueue('ask', { question: 'why' })).toMatchObject({ outcome: 'enqueued' });
  expect(await payloads()).toEqual([{ question: 'why' }]);
  expect(queue.health().totals).toMatchObject({ accepted: 1, delivered: 1, rejected: 0 });
});

it('checks a predecessor’s jobs again at replay: parks what does not fit any more, and delivers the rest', async () => {
  const backup = new LastingStore();
  const first = new ResilientQueue('faq', {
    redis: client,
    backup,
    schemas: { ask: z.object({ question: z.string() }), tell: z.string() },
  });
  first.isolate();
  await first.enqueue('ask', { question: 'why' });
  await first.enqueue('ask', { question: '7' });
  await first.enqueue('tell', 'a story');
  expect(await first.close()).toEqual({ pending: 3 });

  const schemas = { ask: z.object({ question: z.string().regex(/^\d$/) }) };
  const second = new ResilientQueue('faq', { redis: client, backup, schemas });
  onTestFinished(async () => void (await second.close()));
  const parked: unknown[] = [];
  second.on('parked', (event) => parked.push(event));
  await waitFor(() => parked.length > 0 && second.health().status === 'up', {
    what: 'the backlog to be worked off',
  });

  expect(parked).toMatchObject([{ name: 'ask', reason: 'schema-mismatch' }]);
  expect((parked[0] as { text: string }).text).toContain('payload.question');
  expect(await payloads()).toEqual([{ question: '7' }, 'a story']);
  const { totals } = second.health();
  expect(totals).toMatchObject({ inherited: 3, delivered: 2, parked: 1, pending: 0 });

  // With the schema put right, a person gives it back.
  const { jobs } = await backup.admin.list('faq', 'parked', { limit: 10 });
  expect(jobs).toMatchObject([{ reason: expect.stringMatching(/^schema-mismatch: /) }]);
  await second.close();
  const third = new ResilientQueue('faq', { redis: client, backup, schemas: { ask: z.object({}) } });
  onTestFinished(async () => void (await third.close()));
  await backup.admin.unpark('faq', [(parked[0] as { id: string }).id]);
  await third.replay();
  expect(await payloads()).toEqual([{ question: '7' }, 'a story', { question: 'why' }]);
});

it('does not check its own jobs again', async () => {
  let checks = 0;
  const counting = z.string().refine(() => {
    checks += 1;
    return true;
  });
  const backup = new MemoryBackupStore();
  await using queue = new ResilientQueue('faq', { redis: client, backup, schemas: { ask: counting } });
  const isolation = queue.isolate();
  await queue.enqueue('ask', 'why');
  isolation.dispose();
  await waitFor(() => queue.health().status === 'up', { what: 'the backlog to be replayed' });
  expect(await payloads()).toEqual(['why']);
  expect(checks).toBe(1);
});
