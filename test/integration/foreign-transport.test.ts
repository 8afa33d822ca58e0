import { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  type Delivery,
  type DeliveryContext,
  type JobRecord,
  MemoryBackupStore,
  type QueueOptions,
  type RedisConnection,
  ResilientQueue,
  StreamsTransport,
  streamKey,
} from '../../src/index.js';
import { RedisServer } from '../support/redis-server.js';
import { readStream } from '../support/stream.js';
import { waitFor } from '../support/wait-for.js';

/** Takes any options, and answers as `answer` says. */
class ForeignTransport extends StreamsTransport {
  answer: (delivery: Delivery) => unknown = (delivery) => delivery;
  readonly options: unknown[] = [];
  delayMs = 0;

  override check(): void {}

  override async deliver(
    connection: RedisConnection,
    jobs: readonly JobRecord[],
    context: DeliveryContext,
  ): Promise<Delivery> {
    this.options.push(...jobs.map(({ transportOptions }) => transportOptions));
    const delivery = await super.deliver(connection, jobs, context);
    const { delayMs } = this;
    this.delayMs = 0;
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
    return this.answer(delivery) as Delivery;
  }
}

async function setUp(options: Partial<QueueOptions> = {}) {
  const server = await RedisServer.start({ appendOnly: 'no' });
  onTestFinished(() => server.stop());
  const redis = new Redis(server.port);
  onTestFinished(() => redis.disconnect());
  const transport = new ForeignTransport();
  const queue = new ResilientQueue('foreign', {
    ...{ redis, backup: new MemoryBackupStore(), transport },
    ...options,
  });
  onTestFinished(async () => void (await queue.close()));
  const errors: string[] = [];
  queue.on('error', ({ error }) => errors.push(error.message));
  const idsInRedis = async () =>
    (await readStream(server, streamKey('foreign'))).map(({ fields }) => fields.id as string);
  const isUp = () => waitFor(() => queue.health().status === 'up', { what: 'the queue to be up' });
  return { queue, transport, errors, idsInRedis, isUp };
}

describe('a transport that does not say what became of each job', () => {
  it.each<[string, (delivery: Delivery) => unknown]>([
    ['too few outcomes', ({ outcomes }) => ({ outcomes: outcomes.slice(1) })],
    ['too many', ({ outcomes }) => ({ outcomes: [...outcomes, 'delivered'] })],
    ['none', () => ({})],
    ['no answer', () => undefined],
    ['words of its own', ({ outcomes }) => ({ outcomes: outcomes.map(() => 'fine') })],
    ['holes', ({ outcomes }) => ({ outcomes: new Array(outcomes.length) })],
  ])('has its jobs backed up, and replayed once it does: %s', async (_, answer) => {
    const { queue, transport, idsInRedis, isUp } = await setUp();
    transport.answer = answer;
    const isolation = queue.isolate();
    const first = await Promise.all([1, 2, 3, 4, 5].map((n) => queue.enqueue('job', n)));
    isolation.dispose();
    const live = await queue.enqueue('job', 6);
    expect(live.outcome).toBe('backed-up');
    expect(await queue.replay()).toMatchObject({ remaining: 6 });
    expect(queue.health().totals).toMatchObject({ delivered: 0, pending: 6 });
    transport.answer = (delivery) => delivery;
    await isUp();
    expect((await idsInRedis()).sort()).toEqual([...first, live].map(({ id }) => id).sort());
    expect(queue.health().totals).toMatchObject({ accepted: 6, delivered: 6, pending: 0 });
  });
});

describe('options for a transport', () => {
  it.each<[string, unknown]>([
    ['a bigint', { amount: 1n }],
    ['a circle', circle()],
    ['a function', () => 1],
  ])('that JSON cannot hold are refused at once, and nobody else waits for it: %s', async (_, transport) => {
    const { queue, isUp, idsInRedis } = await setUp();
    const isolation = queue.isolate();
    await expect(queue.enqueue('job', 1, options(transport))).rejects.toMatchObject({
      code: 'OPTION_UNSUPPORTED',
      fate: 'not-delivered',
    });
    const good = await queue.enqueue('job', 2, options({ shard: 1 }));
    expect(good.outcome).toBe('backed-up');
    isolation.dispose();
    await isUp();
    expect(await idsInRedis()).toEqual([good.id]);
  });

  it('are those of the call, whatever the caller does with them afterwards', async () => {
    const { queue, transport, isUp } = await setUp();
    const isolation = queue.isolate();
    const given = { shard: 1 };
    await queue.enqueue('job', 1, options(given));
    given.shard = 2;
    isolation.dispose();
    await isUp();
    expect(transport.options).toEqual([{ shard: 1 }]);
  });
});

// A stream has none of its own, and its type says so.
const options = (transport: unknown) => ({ transport: transport as undefined });

function circle(): unknown {
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  return circle;
}

it('counts each job once, although a lease ends while its jobs are laid down', async () => {
  const { queue, transport, idsInRedis, isUp } = await setUp({
    ...{ attemptTimeoutMs: 5000, deadlineMs: 6000 },
    replay: { batchSize: 16, leaseMs: 1000, pollMs: 100 },
  });
  const isolation = queue.isolate();
  const receipts = await Promise.all(Array.from({ length: 4000 }, (_, n) => queue.enqueue('job', n)));
  transport.delayMs = 1500;
  isolation.dispose();
  await isUp();
  expect(await idsInRedis()).toHaveLength(receipts.length);
  expect(queue.health().totals).toMatchObject({ accepted: 4000, delivered: 4000, pending: 0 });
});
