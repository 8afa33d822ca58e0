import { expect, it } from 'vitest';
import { createHealth } from '../../../src/health/index.js';
import { VirtualClock } from '../../simulation/virtual-clock.js';
import { ScriptedQueue } from '../support/scripted-queue.js';

it('writes health+json with an entry for each queue, and what is left of its backup', async () => {
  const clock = new VirtualClock();
  const queue = new ScriptedQueue('orchestrator');
  const other = new ScriptedQueue('mail:urgent');
  const health = createHealth([queue, other], { clock, cacheMs: 0 });
  await health.check('readiness');
  await clock.advance(10_000);
  Object.assign(queue, { status: 'degraded', pending: 50 });
  const { status, headers, body } = await health.respond('readiness');
  expect({ status, headers }).toEqual({
    status: 200,
    headers: { 'content-type': 'application/health+json', 'cache-control': 'no-store' },
  });
  const time = new Date(clock.now()).toISOString();
  const ofQueue = { componentId: 'orchestrator', status: 'warn', time };
  const ofOther = { componentId: 'mail:urgent', status: 'pass', time };
  const jobs = { componentType: 'datastore', observedUnit: 'jobs' };
  expect(JSON.parse(body)).toEqual({
    status: 'warn',
    output: 'Jobs wait in the backup until Redis takes them',
    checks: {
      'queue:state': [
        { ...ofQueue, componentType: 'component', observedValue: 'degraded' },
        { ...ofOther, componentType: 'component', observedValue: 'up' },
      ],
      'backup:pending': [
        { ...ofQueue, ...jobs, observedValue: 50 },
        { ...ofOther, ...jobs, observedValue: 0 },
      ],
      'backup:left': [
        { ...ofQueue, ...jobs, observedValue: 50 },
        { ...ofOther, ...jobs, observedValue: 100 },
      ],
      'backup:untilFull': [{ ...ofQueue, componentType: 'datastore', observedValue: 10, observedUnit: 's' }],
    },
  });
});

it('writes of Redis alone for the probe redis', async () => {
  const clock = new VirtualClock();
  const queue = new ScriptedQueue();
  queue.redis = { reachable: false, writable: false };
  const { status, headers, body } = await createHealth(queue, { clock }).respond('redis');
  expect(status).toBe(503);
  expect(headers['retry-after']).toBe('5');
  expect(JSON.parse(body)).toEqual({
    status: 'fail',
    output: 'Failed to connect to Redis',
    checks: {
      'redis:writable': [
        {
          ...{ componentId: 'orchestrator', componentType: 'datastore', status: 'fail' },
          ...{ observedValue: false, time: new Date(clock.now()).toISOString() },
        },
      ],
    },
  });
});

it('writes exactly what the endpoint did that it stands in for', async () => {
  const queue = new ScriptedQueue();
  const health = createHealth(queue, { cacheMs: 0, format: 'simple', retryAfterSeconds: 30 });
  expect(await health.respond('redis')).toEqual({
    status: 200,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
    body: '{"status":"success","message":"Redis is up"}',
  });
  queue.redis = { reachable: true, writable: false };
  expect(await health.respond('redis')).toEqual({
    status: 500,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store', 'retry-after': '30' },
    body: '{"status":"error","message":"Failed to connect to Redis"}',
  });
});

it('writes no body for a HEAD, however it is spelt', async () => {
  const health = createHealth(new ScriptedQueue());
  for (const method of ['HEAD', 'head']) {
    for (const format of ['health+json', 'simple'] as const) {
      expect(await health.respond('readiness', { method, format })).toMatchObject({ status: 200, body: '' });
    }
  }
});

it('adds each whole report when details are asked for', async () => {
  const queue = new ScriptedQueue();
  const body = async (details: boolean) =>
    JSON.parse((await createHealth(queue, { details }).respond('readiness')).body).checks['queue:state'][0];
  expect(await body(false)).not.toHaveProperty('report');
  expect((await body(true)).report).toMatchObject({
    status: 'up',
    redis: { lastError: { kind: 'timeout' } },
  });
});
