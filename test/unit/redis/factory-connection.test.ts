import { Cluster, Redis } from 'ioredis';
import { Cluster as Cluster5 } from 'ioredis5';
import { createCluster } from 'redis';
import { createCluster as createCluster5 } from 'redis5';
import { expect, it, onTestFinished } from 'vitest';
import { FactoryConnection } from '../../../src/redis/factory-connection.js';
import { waitFor } from '../../support/wait-for.js';

const PATIENCE_MS = 30;

/** Clients that never connect; each call of the factory is answered by hand. */
function open() {
  const gives: ((client: unknown) => void)[] = [];
  const connection = new FactoryConnection(
    () => new Promise((resolve) => gives.push(resolve)),
    undefined,
    PATIENCE_MS,
  );
  onTestFinished(() => connection.destroy());
  const settle = () => new Promise(setImmediate);
  return {
    connection,
    calls: () => gives.length,
    /** Asks for a client until the factory has been called so often. */
    async askUntil(calls: number) {
      await waitFor(
        async () => {
          void connection.replace();
          await settle();
          return gives.length >= calls;
        },
        { what: `call ${calls}`, everyMs: 5 },
      );
    },
    async give(call: number, client = new Redis({ lazyConnect: true })) {
      gives[call]?.(client);
      await settle();
      return client;
    },
  };
}

it('is asked once at a time, and again when it has not answered for long', async () => {
  const { connection, calls, askUntil, give } = open();
  for (let n = 0; n < 5; n++) void connection.replace();
  await new Promise(setImmediate);
  expect(calls()).toBe(1);
  await askUntil(2);
  const client = await give(1);
  expect(connection.client).toBe(client);
});

it('has three calls without an answer at most', async () => {
  const { connection, calls, askUntil, give } = open();
  await askUntil(3);
  await new Promise((resolve) => setTimeout(resolve, 2 * PATIENCE_MS));
  void connection.replace();
  await new Promise(setImmediate);
  expect(calls()).toBe(3);
  await give(0);
  await askUntil(4);
});

it('takes the client of a call that was answered late, and ends that of an earlier one', async () => {
  const { connection, askUntil, give } = open();
  await askUntil(3);
  const second = await give(1);
  expect(connection.client).toBe(second);
  const first = await give(0);
  expect(connection.client).toBe(second);
  expect(first.status).toBe('end');
  const third = await give(2);
  expect(connection.client).toBe(third);
  expect(second.status).toBe('end');
});

it('keeps a client that it is given twice, in whatever order', async () => {
  const { connection, askUntil, give } = open();
  await askUntil(2);
  const client = await give(1);
  await give(0, client);
  expect(connection.client).toBe(client);
  expect(client.status).not.toBe('end');
});

/** Asks for `client`; resolves with what was told of it. */
async function offer(client: unknown): Promise<string[]> {
  const connection = new FactoryConnection(() => client);
  onTestFinished(() => connection.destroy());
  const errors: string[] = [];
  connection.listen({ up() {}, down() {}, error: (error) => errors.push(String(error)) });
  await connection.replace();
  expect(connection.client).toBeUndefined();
  return errors;
}

const rootNodes = [{ socket: { host: '127.0.0.1', port: 1 } }];
const REFUSED = [expect.stringContaining('returned no ioredis or node-redis client')];

it.each([
  { name: 'ioredis 6', make: () => new Cluster([{ host: '127.0.0.1', port: 1 }]) },
  { name: 'ioredis 5', make: () => new Cluster5([{ host: '127.0.0.1', port: 1 }]) },
])('ends a client of a cluster, which goes on connecting else: $name', async ({ make }) => {
  const cluster = make();
  onTestFinished(() => cluster.disconnect());
  expect(cluster.status).toBe('connecting');
  expect(await offer(cluster)).toEqual(REFUSED);
  await waitFor(() => cluster.status === 'end', { what: 'the cluster’s client to end' });
});

it.each([
  { name: 'node-redis 6', make: () => createCluster({ rootNodes }) },
  { name: 'node-redis 5', make: () => createCluster5({ rootNodes }) },
])('ends a client of a cluster that is open: $name', async ({ make }) => {
  const cluster = make();
  const connecting = cluster.connect().catch(() => {});
  expect(cluster.isOpen).toBe(true);
  expect(await offer(cluster)).toEqual(REFUSED);
  expect(cluster.isOpen).toBe(false);
  expect(cluster.listenerCount('error')).toBeGreaterThan(0);
  await connecting;
});

it.each<[string, unknown]>([
  ['nothing', undefined],
  ['text', 'redis://127.0.0.1'],
  ['an object', {}],
  ['one whose end fails', { disconnect: () => Promise.reject(new Error('secret')) }],
  [
    'one whose end throws',
    {
      destroy() {
        throw new Error('secret');
      },
    },
  ],
])('says of anything else that it is no client: %s', async (_, client) => {
  expect(await offer(client)).toEqual(REFUSED);
});
