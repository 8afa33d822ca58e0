import { Cluster, Redis } from 'ioredis';
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis5';
import { createCluster } from 'redis';
import { createCluster as createCluster5 } from 'redis5';
import { describe, expect, it, onTestFinished } from 'vitest';
import { MemoryBackupStore, type QueueOptions, ResilientQueue } from '../../../../src/index.js';
import { IoredisConnection } from '../../../../src/redis/ioredis.js';
import { RqTransport, type RqTransportOptions } from '../../../../src/transport/rq.js';
import { IdleConnection } from '../../support/idle-connection.js';
import { jobRecord } from '../../support/job-record.js';
import { thrownBy } from '../../support/thrown.js';

const lazy = { lazyConnect: true } as const;
const nodes = [{ host: '127.0.0.1', port: 1 }];
const rootNodes = [{ url: 'redis://127.0.0.1:1' }];

function construct(redis: unknown): void {
  const queue = new ResilientQueue('q', {
    redis: redis as QueueOptions['redis'],
    backup: new MemoryBackupStore(),
    transport: new RqTransport({ serializer: 'json' }),
  });
  onTestFinished(async () => void (await queue.close({ timeoutMs: 1 })));
}

describe('a queue for RQ', () => {
  it.each<[string, () => unknown]>([
    ['ioredis 6', () => new Redis({ ...lazy, keyPrefix: 'app:' })],
    ['ioredis 5', () => new Redis5({ ...lazy, keyPrefix: 'app:' })],
    ['a connection of one’s own', () => new IoredisConnection(new Redis({ ...lazy, keyPrefix: 'app:' }))],
  ])('refuses a client with a keyPrefix, saying what to do: %s', (_, make) => {
    expect(thrownBy(() => construct(make()))).toMatchObject({
      name: 'TypeError',
      message: expect.stringMatching(/keyPrefix.*Give "redis" a client without one/),
    });
  });

  it.each<[string, () => unknown]>([
    ['ioredis 6', () => new Cluster(nodes, lazy)],
    ['ioredis 5', () => new Cluster5(nodes, lazy)],
    ['node-redis 6', () => createCluster({ rootNodes })],
    ['node-redis 5', () => createCluster5({ rootNodes })],
  ])('refuses a client of a cluster, saying what to do: %s', (_, make) => {
    expect(thrownBy(() => construct(make()))).toMatchObject({
      name: 'TypeError',
      message: expect.stringMatching(/Redis Cluster.*Give "redis" a client of the standalone Redis/),
    });
  });

  it.each<[string, () => unknown]>([
    ['ioredis', () => new Redis(lazy)],
    ['an empty prefix', () => new Redis({ ...lazy, keyPrefix: '' })],
    ['a connection of one’s own', () => new IdleConnection()],
  ])('takes every other client: %s', (_, make) => {
    expect(() => construct(make())).not.toThrow();
  });

  it('leaves what is no client to the queue', () => {
    for (const redis of [null, 'redis://secret', undefined]) {
      expect(String(thrownBy(() => construct(redis)))).toContain(
        'Option "redis" must be an ioredis or node-redis',
      );
    }
  });
});

describe('the transport', () => {
  it.each<[string, unknown, string]>([
    ['none', undefined, 'Option "serializer"'],
    ['another serializer', { serializer: 'yaml' }, 'Option "serializer"'],
    ['compress of another type', { serializer: 'json', compress: 'yes' }, 'Option "compress"'],
    ['an unknown one', { serializer: 'json', serialiser: 'json' }, 'Unknown option "serialiser"'],
  ])('refuses options by name: %s', (_, options, message) => {
    expect(thrownBy(() => new RqTransport(options as RqTransportOptions))).toMatchObject({
      ...{ name: 'TypeError', message: expect.stringContaining(message) },
    });
  });

  it('says that a job expires when its ttl is over, and nothing of one that has none', () => {
    const transport = new RqTransport({ serializer: 'json' });
    const job = (transportOptions: object) => jobRecord({ enqueuedAt: 1000, transportOptions });
    expect(transport.expiresAt(job({ ttlSeconds: 60 }))).toBe(61_000);
    expect(transport.expiresAt(job({ timeoutSeconds: 60 }))).toBeUndefined();
  });
});
