import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { MemoryBackupStore, type QueueOptions, ResilientQueue, streamKey } from '../../src/index.js';
import {
  type ClientKind,
  ioredis5Default,
  ioredisDefault,
  ioredisStrict,
  nodeRedis5Default,
  nodeRedisDefault,
} from '../support/clients.js';
import { RedisServer } from '../support/redis-server.js';
import { readStream } from '../support/stream.js';

// What goes through a client's own code, in each major. Its outages are in test/outages/every-client.

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.stop());

const kinds = [ioredis5Default, ioredisDefault, ioredisStrict, nodeRedis5Default, nodeRedisDefault];

/** What the clients have in common, by name and by arguments. */
interface Client {
  get(key: string): Promise<string | null>;
  set(key: string, value: string): Promise<unknown>;
}

let queues = 0;

function open(kind: ClientKind, options: Partial<QueueOptions> = {}) {
  const name = `every-client-${++queues}`;
  const { client, end: endOnce } = kind.make({ port: server.port });
  let isEnded = false;
  const end = () => {
    if (!isEnded) endOnce(); // node-redis 5 throws at the second time
    isEnded = true;
  };
  onTestFinished(end);
  const queue = new ResilientQueue(name, { redis: client, backup: new MemoryBackupStore(), ...options });
  queue.on('error', () => {});
  onTestFinished(async () => void (await queue.close({ timeoutMs: 100 })));
  const entries = async () => (await readStream(server, streamKey(name))).map(({ fields }) => fields);
  return { queue, name, client: client as unknown as Client, end, entries };
}

describe.each(kinds)('$name', (kind) => {
  it('carries any text, and the largest job, as they are', async () => {
    const { queue, entries } = open(kind, { deadlineMs: 5000, attemptTimeoutMs: 5000 });
    // They are two batches, and of those that wait for a connection either may be the first to see it.
    await queue.check();
    const payloads = ['', 'ü€😀', '\u0000\r\n$-1\r\n', '\ud800', 'x'.repeat(1024 * 1024 - 2)];
    const receipts = await queue.enqueueMany(
      payloads.map((payload, n) => ({ name: 'jöb', payload, options: { id: `ïd-${n}` } })),
    );
    expect(receipts.map(({ outcome }) => outcome)).toEqual(payloads.map(() => 'enqueued'));
    const stored = await entries();
    expect(stored.map(({ id, name }) => [id, name])).toEqual(payloads.map((_, n) => [`ïd-${n}`, 'jöb']));
    expect(stored.map(({ payload }) => JSON.parse(payload as string) as unknown)).toEqual(payloads);
  });

  it('lays down a thousand jobs of independent callers, each once', async () => {
    const { queue, entries } = open(kind);
    await queue.check();
    const receipts = await Promise.all(Array.from({ length: 1000 }, (_, n) => queue.enqueue('job', { n })));
    expect(new Set(receipts.map(({ outcome }) => outcome))).toEqual(new Set(['enqueued']));
    expect((await entries()).map(({ id }) => id).sort()).toEqual(receipts.map(({ id }) => id).sort());
  });

  it('tells a job that was laid down before', async () => {
    const { queue, entries } = open(kind);
    expect(await queue.enqueue('job', {}, { id: 'mine' })).toMatchObject({ outcome: 'enqueued' });
    expect(await queue.enqueue('job', {}, { id: 'mine' })).toEqual({ id: 'mine', outcome: 'duplicate' });
    expect((await entries()).map(({ id }) => id)).toEqual(['mine']);
  });

  it("carries a script's error: a job that Redis will never take is rejected, and the breaker stays closed", async () => {
    const { queue, name } = open(kind);
    await queue.check();
    await server.command('SET', streamKey(name), 'no stream');
    await expect(queue.enqueue('job', {})).rejects.toMatchObject({
      code: 'REJECTED_BY_REDIS',
      fate: 'not-delivered',
    });
    expect(queue.health()).toMatchObject({ breaker: 'closed', status: 'up', backup: { pending: 0 } });
  });

  it('is what execute() hands over, and is left as it is when the queue closes', async () => {
    const { queue, name, client } = open(kind);
    await queue.check();
    await queue.execute((given: Client) => {
      expect(given).toBe(client);
      return given.set(name, 'kept');
    });
    await queue.close();
    expect(await client.get(name)).toBe('kept');
  });

  it('is an outage, and no hang, once its owner has closed it', async () => {
    const { queue, end, entries } = open(kind, { deadlineMs: 300 });
    await queue.enqueue('job', {});
    end();
    const calledAt = performance.now();
    const receipts = await Promise.all([queue.enqueue('job', {}), queue.enqueue('job', {})]);
    expect(performance.now() - calledAt).toBeLessThan(700);
    expect(receipts.map(({ outcome }) => outcome)).toEqual(['backed-up', 'backed-up']);
    expect(await entries()).toHaveLength(1);
  });
});
