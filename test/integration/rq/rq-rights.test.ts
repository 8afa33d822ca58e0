import { readFile } from 'node:fs/promises';
import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { MemoryBackupStore, ResilientQueue } from '../../../src/index.js';
import { RqTransport } from '../../../src/transport/rq.js';
import { RedisServer } from '../../support/redis-server.js';
import { waitFor } from '../../support/wait-for.js';

it('needs no other rights than those the README names', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const readme = await readFile(new URL('../../../README.md', import.meta.url), 'utf8');
  const [, usual = ''] = /`(\+evalsha [^`]+)`/.exec(readme) ?? [];
  const [, ofRq = ''] = /For RQ's workers .* `~rq:\*` too, `([^`]+)`/.exec(readme) ?? [];
  const rights = [...usual.split(' ').filter((right) => right !== '+xadd'), ...ofRq.split(' ')];
  expect(rights.length).toBeGreaterThan(18);
  await server.command(
    ...['ACL', 'SETUSER', 'app', 'on', '>secret', '~rsq:*', '~rq:*', '-@all', '+info', ...rights],
  );
  // Of a failed job, which another of its id replaces.
  await server.command('HSET', 'rq:job:again', 'data', 'old', 'status', 'failed');
  await server.command('ZADD', 'rq:failed:least', '9999999999', 'again');

  const redis = new Redis({
    ...{ port: server.port, username: 'app', password: 'secret', disableClientInfo: true },
  });
  const transport = new RqTransport({ serializer: 'json' });
  const queue = new ResilientQueue('least', { redis, backup: new MemoryBackupStore(), transport });
  const errors: unknown[] = [];
  queue.on('error', (event) => errors.push(event));
  try {
    const runAt = Date.now() + 3_600_000;
    const receipts = [
      queue.enqueue('jobs.note'),
      queue.enqueue('jobs.note', [], { id: 'mine', transport: { ttlSeconds: 60 } }),
      queue.enqueue('jobs.note', [], { id: 'mine' }),
      queue.enqueue('jobs.note', [], { id: 'again', transport: { atFront: true } }),
      queue.enqueue('jobs.note', [], { id: 'later', runAt }),
    ];
    expect((await Promise.all(receipts)).map(({ outcome }) => outcome)).toEqual([
      ...['enqueued', 'enqueued', 'duplicate', 'enqueued', 'enqueued'],
    ]);
    // Of so many, some are looked for in the line together.
    const ids = Array.from({ length: 12 }, (_, i) => `backed-up-${i}`);
    const isolation = queue.isolate();
    for (const id of ids) await queue.enqueue('jobs.note', [], { id });
    isolation.dispose();
    await waitFor(() => queue.health().status === 'up', { what: 'the replay' });
    expect(await queue.check()).toMatchObject({ redis: { reachable: true, writable: true } });
    expect(await server.command('LLEN', 'rq:queue:least')).toBe(3 + ids.length);
    expect(await server.command('ZCARD', 'rq:failed:least')).toBe(0);
    expect(errors).toEqual([]);
    expect(String(await server.command('ACL', 'LOG'))).not.toMatch(/lua|evalsha/);
  } finally {
    await queue.close();
    redis.disconnect();
  }
});
