import * as cockatiel from 'cockatiel';
import * as cockatiel4 from 'cockatiel4';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  type Backoff,
  type Breaker,
  MemoryBackupStore,
  type QueueOptions,
  ResilientQueue,
  streamKey,
} from '../../src/index.js';
import { RedisServer } from '../support/redis-server.js';
import { readStream } from '../support/stream.js';
import { waitFor } from '../support/wait-for.js';

it('is what COCKATIEL says: 4, or else the one in package.json', () => {
  const runsOn4 = cockatiel.ConsecutiveBreaker === (cockatiel4.ConsecutiveBreaker as unknown);
  expect(runsOn4).toBe(process.env.COCKATIEL === '4');
});

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.stop());

let queues = 0;

function open(options: Partial<QueueOptions>) {
  const name = `cockatiel-${++queues}`;
  const client = new Redis({ port: server.port });
  client.on('error', () => {});
  onTestFinished(() => client.disconnect());
  const queue = new ResilientQueue(name, { redis: client, backup: new MemoryBackupStore(), ...options });
  queue.on('error', () => {});
  onTestFinished(async () => void (await queue.close()));
  const idsInRedis = async () => (await readStream(server, streamKey(name))).map(({ fields }) => fields.id);
  return { queue, idsInRedis };
}

/** Redis answers READONLY until the test ends or `heal()` is called. */
async function refuseWrites() {
  const heal = () => server.command('REPLICAOF', 'NO', 'ONE');
  await server.command('REPLICAOF', '127.0.0.1', '1');
  await server.command('CONFIG', 'RESETSTAT');
  onTestFinished(async () => void (await heal()));
  return { heal };
}

const refusals = async () =>
  Number(/errorstat_READONLY:count=(\d+)/.exec(String(await server.command('INFO', 'errorstats')))?.[1] ?? 0);

const majors = [
  { major: 3, ...cockatiel },
  { major: 4, ...cockatiel4 },
];

describe.each(majors)('of cockatiel $major', (its) => {
  // Each sees one success first, which the last two count among their ten calls.
  const breakers: readonly [string, number, () => Breaker][] = [
    ['ConsecutiveBreaker', 7, () => new its.ConsecutiveBreaker(7)],
    ['CountBreaker', 9, () => new its.CountBreaker({ threshold: 0.5, size: 10 })],
    [
      'SamplingBreaker',
      9,
      () => new its.SamplingBreaker({ threshold: 0.5, duration: 10_000, minimumRps: 1 }),
    ],
  ];

  it.each(breakers)('a %s opens after %i failures, and closes by itself', async (_, failures, breaker) => {
    // A replay's failures count too: here it waits to be called.
    const { queue, idsInRedis } = open({
      ...{ breaker: breaker(), retry: { attempts: 0 }, replay: { auto: false } },
    });
    const first = await queue.enqueue('job', {}); // makes its epoch's key, too: one write less to be refused
    const { heal } = await refuseWrites();
    const ids = [first.id];
    const states: string[] = [];
    for (let n = 0; n < failures; n++) {
      states.push(queue.health().breaker);
      const receipt = await queue.enqueue('job', { n });
      expect(receipt.outcome).toBe('backed-up');
      ids.push(receipt.id);
    }
    expect(states).toEqual(Array(failures).fill('closed'));
    expect(queue.health().breaker).not.toBe('closed');
    expect(await idsInRedis()).toEqual([first.id]);

    await heal();
    await waitFor(() => queue.health().breaker === 'closed', { what: 'the breaker to close by itself' });
    expect(await queue.replay()).toMatchObject({ replayed: failures, remaining: 0 });
    expect((await idsInRedis()).sort()).toEqual(ids.sort());
  });

  const backoffs: readonly [string, () => Backoff][] = [
    ['ConstantBackoff', () => new its.ConstantBackoff(200)],
    [
      'ExponentialBackoff',
      () => new its.ExponentialBackoff({ initialDelay: 200, generator: its.noJitterGenerator }),
    ],
    ['IterableBackoff', () => new its.IterableBackoff([200])],
    ['DelegateBackoff', () => new its.DelegateBackoff(() => 200)],
  ];

  it.each(backoffs)('a %s says when a job that Redis refused is sent again', async (_, backoff) => {
    const { queue, idsInRedis } = open({
      breaker: { failures: 100 },
      retry: { attempts: 3, backoff: backoff() },
      deadlineMs: 5000,
    });
    const first = await queue.enqueue('job', {});
    const { heal } = await refuseWrites();
    const sentAt = performance.now();
    const receipt = queue.enqueue('job', {});
    await waitFor(async () => (await refusals()) > 0, { what: 'Redis to refuse the job' });
    await heal();
    expect((await receipt).outcome).toBe('enqueued');
    expect(performance.now() - sentAt).toBeGreaterThanOrEqual(195);
    expect(await idsInRedis()).toEqual([first.id, (await receipt).id]);
  });

  it('a backoff longer than the deadline does not keep a caller waiting', async () => {
    const { queue, idsInRedis } = open({
      breaker: { failures: 100 },
      retry: { attempts: 1, backoff: new its.ConstantBackoff(20_000) },
      deadlineMs: 300,
    });
    const first = await queue.enqueue('job', {});
    const { heal } = await refuseWrites();
    const sentAt = performance.now();
    const receipt = await queue.enqueue('job', {});
    expect(receipt.outcome).toBe('backed-up');
    expect(performance.now() - sentAt).toBeLessThan(10_000);
    await heal();
    await queue.replay();
    expect(await idsInRedis()).toEqual([first.id, receipt.id]);
  });
});
