import { expect, it } from 'vitest';
import { RedisServer } from '../../support/redis-server.js';
import { Child, redisUrl } from '../support/child.js';
import { survivesAnOutage } from '../support/outage.js';
import { Service } from '../support/service.js';

const host = 'test/examples/support/next-host.ts';

it('tells the truth through an outage of Redis, loses no job, and closes its queue on SIGTERM', () =>
  survivesAnOutage(host, {
    liveness: '/api/health/live',
    readiness: '/api/health',
    redis: '/api/health/redis',
    jobs: '/api/jobs',
  }));

it('has one queue, and one connection, also when its module is evaluated again', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  await using app = await Service.start(host, server);
  await app.becomes('/api/health/redis', 200);
  app.signal('SIGHUP');
  const [, found] = await app.printed(/evaluated again: (.*)/);
  expect(found).toBe('one queue');
  expect(await app.post('/api/jobs', { question: 'Again?' })).toMatchObject({ status: 202 });
  const connections = String(await server.command('CLIENT', 'LIST')).match(/cmd=(?!client)/g);
  expect(connections).toHaveLength(1);
  // As by Ctrl-C.
  app.signal('SIGINT');
  expect(await app.ended).toEqual({ code: 0, signal: null });
  expect(app.all(/(closed, 0 jobs)/)).toHaveLength(1);
});

it('connects to nothing when it is built: a build evaluates every route', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const connections = async () =>
    Number(/total_connections_received:(\d+)/.exec(String(await server.command('INFO', 'stats')))?.[1]);
  const before = await connections();
  await using build = new Child('test/examples/support/next-build.ts', {
    env: { REDIS_URL: redisUrl(server) },
  });
  // With a connection it would not end by itself.
  expect(await build.ended, build.output).toEqual({ code: 0, signal: null });
  expect(build.output).toContain('evaluated 4 routes, and called 3 in vain');
  // That of the last question.
  expect(await connections()).toBe(before + 1);
});
