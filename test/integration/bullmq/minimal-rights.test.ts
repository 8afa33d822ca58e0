import { readFile } from 'node:fs/promises';
import { expect, it, onTestFinished } from 'vitest';
import { openQueue } from '../../support/bullmq/bullmq-site.js';
import { bullMqKinds, type RunJob } from '../../support/bullmq/kinds.js';
import { RedisServer } from '../../support/redis-server.js';
import { waitFor } from '../../support/wait-for.js';

// What connects its clients, and what its scripts use when jobs are added.
const bullMqs =
  '+info +hello +client +evalsha +eval +script|load +multi +exec +get +set +incr +hget +hset +hmset +lpush +rpush +llen +lindex +zadd +zcard +zrange +zrevrangebyscore +zrem +xadd +pttl +persist +sadd +scard';

async function rightsOfReadme() {
  const readme = await readFile(new URL('../../../README.md', import.meta.url), 'utf8');
  const [, onBullMqs, onOurs] =
    /In front of a BullMQ queue .+? on BullMQ's keys, `([^`]+)`; for the canary, on `~rsq:\*` too, `([^`]+)`/.exec(
      readme,
    ) ?? [];
  return { onBullMqs: onBullMqs?.split(' ') ?? [], onOurs: onOurs?.split(' ') ?? [] };
}

it.each(bullMqKinds)('$name needs no other rights than those the README names', async (kind) => {
  const server = await RedisServer.start({ appendOnly: 'no' });
  onTestFinished(() => server.stop());
  const { onBullMqs, onOurs } = await rightsOfReadme();
  expect([onBullMqs.length, onOurs.length]).toEqual([6, 3]);
  const rights = ['~bull:*', '-@all', ...bullMqs.split(' '), ...onBullMqs, `(~rsq:* ${onOurs.join(' ')})`];
  await server.command('ACL', 'SETUSER', 'app', 'on', '>secret', ...rights);
  const credentials = { username: 'app', password: 'secret' };
  const { queue: bullMq, end } = kind.make('orders', server.port, {}, credentials);
  onTestFinished(end);
  const { queue, errors, isUp } = openQueue(bullMq);
  const ran: RunJob[] = [];
  const outcomes = async (...options: NonNullable<Parameters<typeof queue.enqueue>[2]>[]) => {
    const receipts = await queue.enqueueMany(options.map((of) => ({ name: 'job', options: of })));
    return receipts.map(({ outcome }) => outcome);
  };

  const first = await outcomes({}, { id: 'mine' }, { runAt: Date.now() + 100 });
  expect(first).toEqual(['enqueued', 'enqueued', 'enqueued']);
  const options = [{ priority: 3 }, { lifo: true }].map((transport) => ({ transport: transport as never }));
  expect(await outcomes(...options, { id: 'mine' })).toEqual(['enqueued', 'enqueued', 'duplicate']);
  const isolation = queue.isolate();
  expect(await outcomes({}, { id: 'later' })).toEqual(['backed-up', 'backed-up']);
  isolation.dispose();
  await isUp();
  expect(await queue.check()).toMatchObject({ redis: { reachable: true, writable: true } });
  // In the middle of being added it is refused: what is left behind is found and removed.
  await server.command('RENAME', 'bull:orders:wait', 'elsewhere');
  await server.command('SET', 'bull:orders:wait', 'no list');
  await expect(queue.enqueue('job', 1, { id: 'refused' })).rejects.toMatchObject({ fate: 'not-delivered' });
  await server.command('RENAME', 'elsewhere', 'bull:orders:wait');
  expect(await outcomes({ id: 'refused' })).toEqual(['enqueued']);

  const worker = kind.work('orders', server.port, (job) => void ran.push(job));
  onTestFinished(() => worker.close(true));
  await waitFor(() => ran.length === 8, { what: 'the jobs to be run' });
  expect(errors).toEqual([]);
  expect(await server.command('ACL', 'LOG')).toEqual([]);
});
