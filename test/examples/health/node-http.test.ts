import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { streamKey } from '@morningai/resilient-queue';
import { expect, it } from 'vitest';
import { RedisServer } from '../../support/redis-server.js';
import { readStream } from '../../support/stream.js';
import { Service } from '../support/service.js';

const file = 'examples/health/node-http.ts';

it('answers each probe over HTTP while Redis is up, killed, and back', async () => {
  await using server = await RedisServer.start();
  await using service = await Service.start(file, server, { BACKUP_JOBS: '3' });

  expect(await service.becomes('/health/ready', 200, 'pass')).toMatchObject({
    ...{ type: 'application/health+json', retryAfter: null },
    body: { checks: { 'queue:state': [{ componentId: 'orchestrator', observedValue: 'up' }] } },
  });
  expect(await service.get('/health/live')).toMatchObject({ status: 200, body: { status: 'pass' } });
  expect(await service.get('/health/startup')).toMatchObject({ status: 200, body: { status: 'pass' } });
  const up = { status: 200, type: 'application/json', body: { status: 'success', message: 'Redis is up' } };
  expect(await service.get('/health/redis')).toMatchObject(up);
  expect(await service.head('/health/ready')).toMatchObject({ status: 200, body: {} });
  expect((await service.post('/jobs', {})).body.outcome).toBe('enqueued');

  await server.kill();
  expect((await service.post('/jobs', {})).body.outcome).toBe('backed-up');
  expect(await service.becomes('/health/redis', 500)).toMatchObject({
    ...{ type: 'application/json', retryAfter: '5' },
    body: { status: 'error', message: 'Failed to connect to Redis' },
  });
  expect(await service.becomes('/health/ready', 200, 'warn')).toMatchObject({
    body: { checks: { 'backup:pending': [{ observedValue: 1 }], 'backup:left': [{ observedValue: 2 }] } },
  });

  // The backup is full.
  for (const outcome of ['backed-up', 'backed-up', undefined]) {
    expect((await service.post('/jobs', {})).body.outcome).toBe(outcome);
  }
  expect(await service.becomes('/health/ready', 503, 'fail')).toMatchObject({ retryAfter: '5' });
  expect(await service.get('/health/live')).toMatchObject({ status: 200 });
  expect(await service.get('/health/startup')).toMatchObject({ status: 200 });

  await server.restart();
  await service.becomes('/health/ready', 200, 'pass');
  expect(await service.get('/health/redis')).toMatchObject(up);

  // Whoever only looks must not make jobs.
  expect(await service.get('/jobs')).toMatchObject({ status: 405 });
  service.signal('SIGTERM');
  expect(await service.ended).toEqual({ code: 0, signal: null });
  expect(service.output).toContain('closed, 0 jobs were left in the backup');
  expect(await readStream(server, streamKey('orchestrator'))).toHaveLength(4);
});

it.each(['SIGTERM', 'SIGINT'] as const)(
  'sends load balancers away at %s, serves on, sees to every job, and ends well',
  async (signal) => {
    await using server = await RedisServer.start();
    await using service = await Service.start(file, server);
    const accepted = [(await service.post('/jobs', {})).body.id];
    await server.kill();
    for (let n = 0; n < 3; n++) {
      const { body } = await service.post('/jobs', {});
      expect(body.outcome).toBe('backed-up');
      accepted.push(body.id);
    }
    await server.restart();

    // A client that keeps its connection, and never leaves it idle.
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const calls = keepCalling(`${service.url}/jobs`, agent);
    service.signal(signal);
    // Whoever is on call must not take it for a queue that is down.
    expect(await service.becomes('/health/ready', 503)).toMatchObject({
      ...{ cacheControl: 'no-store', body: { status: 'fail', output: 'This process is ending' } },
    });
    expect(await service.get('/health/live')).toMatchObject({ status: 200 });
    const last = await service.post('/jobs', {});
    expect(last.status).toBe(202);
    accepted.push(last.body.id);
    expect(await service.ended, service.output).toEqual({ code: 0, signal: null });
    agent.destroy();
    accepted.push(...(await calls));
    expect(service.output).toContain('closed, 0 jobs were left in the backup');
    const laidDown = (await readStream(server, streamKey('orchestrator'))).map(({ fields }) => fields.id);
    expect(laidDown.sort()).toEqual(accepted.sort());
  },
);

it('says what is left when it ends while Redis is down', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  await using service = await Service.start(file, server, { GRACE_MS: '0' });
  await server.kill();
  for (let n = 0; n < 2; n++) {
    expect((await service.post('/jobs', {})).body.outcome).toBe('backed-up');
  }
  service.signal('SIGINT');
  expect(await service.ended).toEqual({ code: 0, signal: null });
  expect(service.output).toContain('closed, 2 jobs were left in the backup');
  expect(service.all(/(job \S+ is lost: closed)/)).toHaveLength(2);
});

it('ends at once at a second Ctrl-C', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  await using service = await Service.start(file, server, { GRACE_MS: '60000' });
  service.signal('SIGINT');
  await service.becomes('/health/ready', 503);
  service.signal('SIGINT');
  expect(await service.ended).toEqual({ code: null, signal: 'SIGINT' });
});

/** Posts a job after the other until nobody listens any more. Resolves with the ids of those that were accepted. */
async function keepCalling(url: string, agent: Agent): Promise<unknown[]> {
  const ids: unknown[] = [];
  for (;;) {
    const call = request(url, { method: 'POST', agent });
    call.end();
    try {
      const [response] = await once(call, 'response');
      const body = JSON.parse(await text(response));
      if (response.statusCode === 202) ids.push(body.id);
    } catch {
      return ids;
    }
  }
}
