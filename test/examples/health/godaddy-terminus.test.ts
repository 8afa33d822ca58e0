import { once } from 'node:events';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { RedisServer } from '../../support/redis-server.js';
import { survivesAnOutage } from '../support/outage.js';
import { Service } from '../support/service.js';

const file = 'examples/health/godaddy-terminus.ts';

it('tells the truth through an outage of Redis, loses no job, and closes its queue on SIGTERM', () =>
  survivesAnOutage(file, {
    type: 'application/json',
    wordOf: ({ details }) => (details as { status: string }).status,
  }));

it('answers a request that takes its time when SIGTERM comes', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  await using service = await Service.start(file, server);
  const headers = { 'content-type': 'application/json', connection: 'close' };
  const slow = request(`${service.url}/jobs`, { method: 'POST', headers });
  const answered = once(slow, 'response');
  slow.write('{ "question": ');
  await service.becomes('/health/redis', 200);
  service.signal('SIGTERM');
  setTimeout(() => slow.end('"Slow?" }'), 1500);
  const [response] = await answered;
  expect([response.statusCode, JSON.parse(await text(response)).outcome]).toEqual([202, 'enqueued']);
  expect(await service.ended).toEqual({ code: 0, signal: null });
});
