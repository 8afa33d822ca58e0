import { expect, it } from 'vitest';
import {
  type Delivery,
  type JobRecord,
  systemClock,
  type Transport,
  type TransportCapabilities,
} from '../../../src/index.js';
import { RedisGateway } from '../../../src/policy/redis-gateway.js';
import { LossWindow } from '../../../src/recognition/loss-window.js';
import { IdleConnection } from '../support/idle-connection.js';
import { jobRecord } from '../support/job-record.js';

const DAY_MS = 86_400_000;

function setUp(capabilities: Partial<TransportCapabilities> = {}) {
  const answers: ((delivery: Delivery | Promise<never>) => void)[] = [];
  const carried: (string | undefined)[] = [];
  const transport = {
    name: 'streams',
    capabilities,
    deliver: (_: unknown, __: unknown, { witness }: { readonly witness: string | undefined }) => {
      carried.push(witness);
      return new Promise<Delivery>((resolve) => answers.push(resolve));
    },
  } as unknown as Transport;
  const window = new LossWindow({ ms: 30_000, jobs: 100, bytes: 2 ** 20, onLoss: 'report' }, 7 * DAY_MS);
  const gateway = new RedisGateway({
    queue: 'q',
    connection: Object.assign(new IdleConnection(), { isReady: true }),
    transport,
    clock: systemClock,
    recognition: { callerMs: DAY_MS, generatedMs: 7 * DAY_MS },
    lossWindow: window,
    onLoss: () => {},
    onFailure: () => {},
    onWritable: () => {},
  });
  const answer = (witness: Delivery['witness']) => answers.shift()?.({ outcomes: ['delivered'], witness });
  const refuse = (text: string) => answers.shift()?.(Promise.reject(new Error(text)));
  return { gateway, window, answer, refuse, carried };
}

const job = (seq: number): JobRecord => jobRecord({ delivery: `018bcfe5680aaaaaaaaaaaaaaaa-${seq}` });

it('knows of a late answer that it laid down what had been lost', async () => {
  const { gateway, window, answer } = setUp();
  const first = gateway.deliver([job(0)], 1000);
  answer(undefined);
  await first;
  const { relaid } = window.freeze();
  await expect(gateway.deliver([job(0)], 1)).rejects.toMatchObject({ kind: 'timeout' });
  answer(undefined);
  await new Promise(setImmediate);
  expect(relaid.has(job(0).delivery)).toBe(true);
});

it('lets a job stand for others at once, and one from a store when it is gone from there', async () => {
  const { gateway, answer, carried } = setUp();
  const deliver = async (seq: number, isStored: boolean) => {
    const delivering = gateway.deliver([job(seq)], 1000, undefined, isStored);
    answer('kept');
    return delivering;
  };
  const stored = await deliver(0, true);
  await deliver(1, true);
  gateway.gone(stored);
  await deliver(2, false);
  await deliver(3, false);
  expect(carried).toEqual([undefined, undefined, job(0).delivery, job(2).delivery]);
});

it.each([
  { atomicBatch: true, jobs: 1, fate: 'not-delivered' },
  { atomicBatch: true, jobs: 2, fate: 'not-delivered' },
  { atomicBatch: false, jobs: 1, fate: 'not-delivered' },
  { atomicBatch: false, jobs: 2, fate: 'unknown' },
])('believes a refusal as far as it is of all: $jobs jobs, atomicBatch $atomicBatch', async (given) => {
  const { gateway, refuse } = setUp({ atomicBatch: given.atomicBatch });
  const batch = [job(0), job(1)].slice(0, given.jobs);
  const delivering = gateway.deliver(batch, 1000);
  refuse("READONLY You can't write against a read only replica.");
  await expect(delivering).rejects.toMatchObject({ kind: 'readonly', treatment: 'outage', fate: given.fate });
});
