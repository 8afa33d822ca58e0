import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { whatIsEvicted } from '../../../src/ledger/asked-connection.js';
import { recogniseClient } from '../../../src/redis/connect.js';
import type { RedisConnection } from '../../../src/redis/redis-connection.js';
import { RedisServer } from '../../support/redis-server.js';
import { waitFor } from '../../support/wait-for.js';

it('believes that nothing was evicted of a Redis that has been the primary for long enough', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const redis = new Redis(server.port);
  onTestFinished(() => redis.disconnect());
  const connection = recogniseClient(redis) as RedisConnection;
  expect(await whatIsEvicted(connection, 3_600_000)).toBe('nothing');
  await server.command('CONFIG', 'SET', 'maxmemory-policy', 'volatile-ttl');
  expect(await whatIsEvicted(connection, 3_600_000)).toBe('nothing');
  await server.command('CONFIG', 'SET', 'maxmemory', '100mb');
  expect(await whatIsEvicted(connection, 3_600_000)).toBe('what expires');
  await waitFor(async () => (await whatIsEvicted(connection, 1000)) === 'nothing', {
    what: 'a second to pass',
  });
  await server.command('REPLICAOF', '127.0.0.1', '1');
  await server.command('REPLICAOF', 'NO', 'ONE');
  expect(await whatIsEvicted(connection, 1000)).toBe('what expires');
});
