import { expect, it } from 'vitest';
import {
  type DeliveryContext,
  type JobRecord,
  MemoryBackupStore,
  type RedisConnection,
} from '../../src/index.js';
import { HookedTransport } from '../support/hooked-transport.js';
import { queueOnRedis } from '../support/queue-on-redis.js';

/** Notes which job each batch carries as its witness. */
class WatchedTransport extends HookedTransport {
  readonly carried: [job: string, witness: string | undefined][] = [];

  override deliver(connection: RedisConnection, jobs: readonly JobRecord[], context: DeliveryContext) {
    this.carried.push([jobs.map(({ payload }) => payload).join(' '), context.witness?.split('-').at(-1)]);
    return super.deliver(connection, jobs, context);
  }
}

class MoodyStore extends MemoryBackupStore {
  /** Before the n-th acknowledgement is passed on. */
  hook: (n: number) => Promise<unknown> | undefined = () => undefined;
  #acknowledgements = 0;

  override async acknowledge(token: string, ids: readonly string[]): Promise<void> {
    await this.hook(this.#acknowledgements++);
    await super.acknowledge(token, ids);
  }
}

/** Replays jobs 0 to 3 one by one. */
async function replay(hook: MoodyStore['hook'] = () => undefined) {
  const transport = new WatchedTransport();
  const backup = new MoodyStore();
  backup.hook = hook;
  const { queue, isUp } = await queueOnRedis('witness', {
    ...{ backup, transport, ordering: 'queue', backupDeadlineMs: 2000 },
    replay: { batchSize: 1, leaseMs: 1000, pollMs: 100 },
  });
  const isolation = queue.isolate();
  for (let n = 0; n < 4; n++) await queue.enqueue('job', n);
  isolation.dispose();
  await isUp();
  return transport.carried;
}

it('has each batch stand for those before it, when the store has let go of its jobs', async () => {
  expect(await replay()).toEqual([
    ['0', undefined],
    ['1', '0'],
    ['2', '1'],
    ['3', '2'],
  ]);
});

it('has no batch stand for others whose jobs the store may give out again', async () => {
  const failed = await replay(async (n) => {
    if (n === 1) throw new Error('The disk is full');
  });
  expect(failed.slice(0, 3)).toEqual([
    ['0', undefined],
    ['1', '0'],
    ['1', '0'],
  ]);
});

it('has none stand for others whose lease had ended when the store answered: a neighbour may have them', async () => {
  const slow = await replay((n) =>
    n === 1 ? new Promise((resolve) => setTimeout(resolve, 950)) : undefined,
  );
  expect(slow.filter(([job]) => job === '2')).toEqual([['2', '0']]);
});
