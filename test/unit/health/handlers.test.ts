import { expect, it } from 'vitest';
import { createHealth, type NodeResponse, ProbeFailedError } from '../../../src/health/index.js';
import { ScriptedQueue } from '../support/scripted-queue.js';
import { rejectionOf, thrownBy } from '../support/thrown.js';

function open() {
  const queue = new ScriptedQueue();
  return { queue, health: createHealth(queue, { cacheMs: 0 }) };
}

/** A response that notes what is done with it. */
class NotedResponse implements NodeResponse {
  statusCode = 0;
  headersSent = false;
  readonly headers: Record<string, string> = {};
  readonly ended: (string | undefined)[] = [];

  setHeader(name: string, value: string): void {
    this.headers[name] = value;
  }

  end(body?: string): void {
    this.ended.push(body);
  }
}

it('answers a request of node:http once', async () => {
  const { queue, health } = open();
  queue.status = 'down';
  const response = new NotedResponse();
  await health.nodeHandler('readiness', { format: 'simple' })({ method: 'GET' }, response);
  expect(response.statusCode).toBe(503);
  expect(response.headers).toEqual({
    ...{ 'content-type': 'application/json', 'cache-control': 'no-store', 'retry-after': '5' },
  });
  expect(response.ended).toEqual(['{"status":"error","message":"Neither Redis nor the backup takes jobs"}']);
});

it('leaves a response alone that somebody else has begun', async () => {
  const { health } = open();
  const response = Object.assign(new NotedResponse(), { headersSent: true });
  await health.nodeHandler('readiness')({}, response);
  expect(response.ended).toEqual([]);
});

it('refuses what is no response of node:http’s, by name', () => {
  const { health } = open();
  const handler = health.nodeHandler('readiness') as (...args: unknown[]) => unknown;
  for (const [args, got] of [
    [[{ method: 'GET' }], 'undefined'],
    [[{}, {}], 'an object (Object)'],
    [[{}, null], 'null'],
  ] as const) {
    expect(thrownBy(() => handler(...args))).toEqual(
      new TypeError(`The handler takes (request, response) of node:http, got ${got} as the response.`),
    );
  }
});

it('answers a node:http request that says nothing of a method', async () => {
  const { health } = open();
  for (const request of [undefined, {}, { method: 7 }]) {
    const response = new NotedResponse();
    await health.nodeHandler('liveness')(request as never, response);
    expect(response.ended).toEqual(['{"status":"pass"}']);
  }
});

it('answers a fetch request with a Response', async () => {
  const { queue, health } = open();
  const handler = health.fetchHandler('redis', { format: 'simple' });
  const up = await handler(new Request('http://localhost/health/redis'));
  expect(up).toBeInstanceOf(Response);
  expect(up.status).toBe(200);
  expect(up.headers.get('content-type')).toBe('application/json');
  expect(await up.json()).toEqual({ status: 'success', message: 'Redis is up' });
  queue.redis = { reachable: false, writable: false };
  const down = await handler();
  expect([down.status, down.headers.get('retry-after')]).toEqual([500, '5']);
  const head = await handler({ method: 'HEAD' });
  expect([head.status, head.body]).toEqual([500, null]);
  for (const withoutMethod of [null, 7, { method: 7 }, { req: { method: 'HEAD' } }]) {
    expect((await handler(withoutMethod)).body).not.toBeNull();
  }
});

it('reads the headers of a fetch request, without which Next.js may keep the answer when an app is built', async () => {
  const { health } = open();
  const read: unknown[] = [];
  const request = new Proxy(new Request('http://localhost/health/live'), {
    get(target, name) {
      read.push(name);
      return Reflect.get(target, name, target);
    },
  });
  await health.fetchHandler('liveness')(request);
  expect(read).toContain('headers');
});

it('answers events of Lambda, in either version of the payload', async () => {
  const { queue, health } = open();
  queue.status = 'degraded';
  const handler = health.lambdaHandler('readiness', { format: 'simple' });
  const answer = {
    statusCode: 200,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
    body: '{"status":"success","message":"Jobs wait in the backup until Redis takes them"}',
  };
  expect(await handler()).toEqual(answer);
  expect(await handler({ httpMethod: 'GET' })).toEqual(answer);
  expect(await handler({ httpMethod: 'HEAD' })).toEqual({ ...answer, body: '' });
  expect(await handler({ requestContext: { http: { method: 'HEAD' } } })).toEqual({ ...answer, body: '' });
  for (const odd of [null, 7, { httpMethod: 7 }, { requestContext: null }]) {
    expect(await handler(odd as never)).toEqual(answer);
  }
});

it.each([
  { state: 'up', status: 'up' },
  { state: 'recovering', status: 'degraded' },
  { state: 'degraded', status: 'degraded' },
  { state: 'down', status: 'down' },
] as const)('indicates to Nest a queue that is $state as $status', async ({ state, status }) => {
  const { queue, health } = open();
  queue.status = state;
  const message = expect.any(String);
  const { queues } = await health.check('readiness');
  expect(await health.nestIndicator('readiness')()).toEqual({ readiness: { status, message, queues } });
  expect(await health.nestIndicator('readiness', 'jobs')()).toEqual({ jobs: { status, message, queues } });
});

it('resolves for godaddy’s terminus, or rejects with causes', async () => {
  const { queue, health } = open();
  const check = health.terminusCheck('readiness');
  queue.status = 'degraded';
  expect(await check()).toMatchObject({ status: 'warn', queues: [{ state: 'degraded' }] });
  queue.status = 'down';
  const error = await rejectionOf(check());
  expect(error).toBeInstanceOf(ProbeFailedError);
  expect(error).toMatchObject({
    message: 'Neither Redis nor the backup takes jobs',
    causes: { probe: 'readiness', status: 'fail', queues: [{ state: 'down' }] },
  });
});
