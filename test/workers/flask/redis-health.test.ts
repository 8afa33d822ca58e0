import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { beforeAll, expect, it, onTestFinished } from 'vitest';
import { findPython } from '../../../scripts/find-python.js';
import { createHealth } from '../../../src/health/index.js';
import { MemoryBackupStore, ResilientQueue } from '../../../src/index.js';
import { Child } from '../../examples/support/child.js';
import { RedisServer } from '../../support/redis-server.js';
import { waitFor } from '../../support/wait-for.js';

// The endpoint that services have today, and ours in its place, asked side by side over HTTP about one Redis.

let python: string;
beforeAll(async () => {
  python = await findPython('flask', 'redis');
}, 300_000);

interface Answer {
  readonly status: number;
  readonly type: string | null;
  readonly body: unknown;
}

const UP: Answer = {
  status: 200,
  type: 'application/json',
  body: { status: 'success', message: 'Redis is up' },
};
const DOWN: Answer = {
  status: 500,
  type: 'application/json',
  body: { status: 'error', message: 'Failed to connect to Redis' },
};

async function ask(url: string, timeoutMs = 10_000): Promise<Answer> {
  const response = await fetch(`${url}/health/redis`, {
    headers: { connection: 'close' },
    signal: AbortSignal.timeout(timeoutMs),
  });
  const type = response.headers.get('content-type');
  return { status: response.status, type, body: await response.json() };
}

async function openFlask(server: RedisServer): Promise<string> {
  const program = fileURLToPath(new URL('./redis_health.py', import.meta.url));
  const flask = new Child(program, { program: [python], env: { REDIS_PORT: `${server.port}` } });
  onTestFinished(() => flask[Symbol.asyncDispose]());
  const [, url] = await flask.printed(/Running on (http:\/\/127\.0\.0\.1:\d+)/);
  return url as string;
}

async function openOurs(server: RedisServer): Promise<string> {
  const redis = new Redis({ port: server.port, retryStrategy: () => 50 });
  redis.on('error', () => {});
  onTestFinished(() => redis.disconnect());
  const queue = new ResilientQueue('orchestrator', { redis, backup: new MemoryBackupStore() });
  queue.on('error', () => {});
  onTestFinished(async () => void (await queue.close({ timeoutMs: 100 })));
  const handler = createHealth(queue).nodeHandler('redis', { format: 'simple' });
  const http = createServer((request, response) => {
    if (request.url === '/health/redis') void handler(request, response);
  });
  http.listen(0, '127.0.0.1');
  onTestFinished(() => void http.close());
  await once(http, 'listening');
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
}

/** Both answer so: ours as soon as its client has noticed, and what was asked a moment ago is forgotten. */
async function expectBoth(urls: readonly [string, string], expected: Answer): Promise<void> {
  const [flask, ours] = urls;
  await waitFor(async () => (await ask(ours)).status === expected.status, {
    ...{ what: `ours to answer ${expected.status}`, everyMs: 50 },
  });
  expect(await Promise.all([ask(flask), ask(ours)])).toEqual([expected, expected]);
}

it('answers what the Flask endpoint does, while Redis comes and goes', async () => {
  await using server = await RedisServer.start();
  const urls = [await openFlask(server), await openOurs(server)] as const;
  await expectBoth(urls, UP);
  for (let round = 1; round <= 3; round++) {
    await server.kill();
    await expectBoth(urls, DOWN);
    await server.restart();
    await expectBoth(urls, UP);
  }
  // A password that neither has.
  await server.restart(['--requirepass', 'secret']);
  await expectBoth(urls, DOWN);
  await server.restart();
  await expectBoth(urls, UP);
});

it('answers what the Flask endpoint does to a HEAD', async () => {
  await using server = await RedisServer.start();
  const urls = [await openFlask(server), await openOurs(server)] as const;
  await expectBoth(urls, UP);
  for (const url of urls) {
    const response = await fetch(`${url}/health/redis`, { method: 'HEAD', headers: { connection: 'close' } });
    expect([response.status, await response.text()]).toEqual([200, '']);
  }
});

// The Flask endpoint's client has no timeout, so it says nothing for as long as Redis does. With a `socket_timeout` it would be
// redis.exceptions.TimeoutError, which is no ConnectionError: an HTML page with 500.
it('answers while Redis hangs, for as long as the Flask endpoint hangs with it', async () => {
  await using server = await RedisServer.start();
  const urls = [await openFlask(server), await openOurs(server)] as const;
  await expectBoth(urls, UP);
  server.pause();
  const flask = ask(urls[0], 60_000);
  expect(await Promise.race([flask.then(() => 'Flask answered'), saysDown(urls[1])])).toBe('ours answered');
  server.resume();
  expect(await flask).toEqual(UP);
  await expectBoth(urls, UP);
});

/** Ours says that Redis is down, each time within its timeout. */
async function saysDown(url: string): Promise<string> {
  // Until then what was found out just before is said again.
  await waitFor(async () => (await ask(url)).status === 500, { what: 'ours to notice', everyMs: 50 });
  for (let round = 1; round <= 4; round++) {
    const startedAt = performance.now();
    expect(await ask(url)).toEqual(DOWN);
    expect(performance.now() - startedAt).toBeLessThan(1000);
  }
  return 'ours answered';
}

// Here it is ours that is right: PING is answered by a Redis that takes no jobs.
it('says that a read-only Redis is down, of which the Flask endpoint says that it is up', async () => {
  await using server = await RedisServer.start();
  const urls = [await openFlask(server), await openOurs(server)] as const;
  await expectBoth(urls, UP);
  await server.command('REPLICAOF', '127.0.0.1', '1');
  await waitFor(async () => (await ask(urls[1])).status === 500, { what: 'ours to notice', everyMs: 50 });
  expect(await Promise.all(urls.map((url) => ask(url)))).toEqual([UP, DOWN]);
});
