import { expect, it } from 'vitest';
import { RedisServer } from '../../support/redis-server.js';
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

  service.signal('SIGTERM');
  expect(await service.ended).toEqual({ code: 0, signal: null });
  expect(service.output).toContain('closed, 0 jobs were left in the backup');
});
