import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type Delivery, MemoryBackupStore, type QueueOptions } from '../../src/index.js';
import { HookedTransport } from '../support/hooked-transport.js';
import { queueOnRedis } from '../support/queue-on-redis.js';

/** Takes any options. */
class ForeignTransport extends HookedTransport {
  override check(): void {}
}

async function setUp(options: Partial<QueueOptions> = {}) {
  const transport = new ForeignTransport();
  const backup = new MemoryBackupStore();
  return { transport, ...(await queueOnRedis('foreign', { backup, transport, ...options })) };
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
    transport.after = answer;
    const isolation = queue.isolate();
    const first = await Promise.all([1, 2, 3, 4, 5].map((n) => queue.enqueue('job', n)));
    isolation.dispose();
    const live = await queue.enqueue('job', 6);
    expect(live.outcome).toBe('backed-up');
    expect(await queue.replay()).toMatchObject({ remaining: 6 });
    expect(queue.health().totals).toMatchObject({ delivered: 0, pending: 6 });
    transport.after = (delivery) => delivery;
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
    const seen: unknown[] = [];
    transport.before = (jobs) => void seen.push(...jobs.map(({ transportOptions }) => transportOptions));
    isolation.dispose();
    await isUp();
    expect(seen).toEqual([{ shard: 1 }]);
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
  let isFirst = true;
  transport.after = async (delivery) => {
    if (isFirst) {
      isFirst = false;
      await sleep(1500);
    }
    return delivery;
  };
  isolation.dispose();
  await isUp();
  expect(await idsInRedis()).toHaveLength(receipts.length);
  expect(queue.health().totals).toMatchObject({ accepted: 4000, delivered: 4000, pending: 0 });
});
