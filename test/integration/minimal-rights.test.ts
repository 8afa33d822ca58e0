import { readFile } from 'node:fs/promises';
import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { MemoryBackupStore, ResilientQueue, streamKey } from '../../src/index.js';
import { RedisServer } from '../support/redis-server.js';
import { readStream } from '../support/stream.js';
import { waitFor } from '../support/wait-for.js';

it('needs no other rights than those the README names', async () => {
  await using server = await RedisServer.start();
  const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
  const [, commands] = /`(\+evalsha [^`]+)`/.exec(readme) ?? [];
  expect(commands).toBeDefined();
  const rights = (commands as string).split(' ');
  await server.command('ACL', 'SETUSER', 'app', 'on', '>secret', '~rsq:*', '-@all', '+info', ...rights);
  // An epoch that was last used long ago, to be swept.
  await server.command('ZADD', 'rsq:{least}:epochs', '1', 'stale');
  await server.command('SET', 'rsq:{least}:seen:stale', 'x');

  const redis = new Redis({
    port: server.port,
    username: 'app',
    password: 'secret',
    disableClientInfo: true,
  });
  const queue = new ResilientQueue('least', { redis, backup: new MemoryBackupStore() });
  const errors: unknown[] = [];
  queue.on('error', (event) => errors.push(event));
  try {
    expect(await queue.enqueue('plain')).toMatchObject({ outcome: 'enqueued' });
    const rest = [
      queue.enqueue('mine', 1, { id: 'mine', headers: { a: 'b' } }),
      queue.enqueue('mine', 2, { id: 'mine' }),
    ];
    expect((await Promise.all(rest)).map(({ outcome }) => outcome)).toEqual(['enqueued', 'duplicate']);
    const isolation = queue.isolate();
    await queue.enqueue('backed-up');
    isolation.dispose();
    await waitFor(() => queue.health().status === 'up', { what: 'the replay' });
    expect(await queue.check()).toMatchObject({ redis: { reachable: true, writable: true } });
    await waitFor(async () => (await server.command('EXISTS', 'rsq:{least}:seen:stale')) === 0, {
      what: 'the stale epoch to be swept',
    });
    expect(await server.command('ZCARD', 'rsq:{least}:epochs')).toBe(1);
    expect(await readStream(server, streamKey('least'))).toHaveLength(3);
    expect(errors).toEqual([]);
    const denied = String(await server.command('ACL', 'LOG'));
    expect(denied).not.toMatch(/evalsha|xadd|bitfield|zadd|unlink/);
  } finally {
    await queue.close();
    redis.disconnect();
  }
});
