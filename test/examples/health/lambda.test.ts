import { streamKey } from '@morningai/resilient-queue';
import { expect, it } from 'vitest';
import { RedisServer } from '../../support/redis-server.js';
import { readStream } from '../../support/stream.js';
import { Service } from '../support/service.js';

it('tells whoever invoked it to come again while Redis is down, and makes one job of all his visits', async () => {
  await using server = await RedisServer.start();
  await using lambda = await Service.start('test/examples/support/lambda-host.ts', server);
  const faq = { question: 'What if Redis is down?' };
  const post = (id: string) => lambda.post('/jobs', faq, { 'idempotency-key': id });

  await lambda.becomes('/health/redis', 200);
  expect(await post('a')).toMatchObject({ status: 202, body: { id: 'a', outcome: 'enqueued' } });
  expect(await post('a')).toMatchObject({ status: 202, body: { id: 'a', outcome: 'duplicate' } });
  // curl says that what it posts is a form, unless it is told.
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const named = await lambda.post('/jobs', faq, form);
  expect(named).toMatchObject({ status: 202, body: { id: expect.any(String), outcome: 'enqueued' } });

  server.pause();
  expect(await post('b')).toMatchObject({
    status: 503,
    body: { id: 'b', code: 'UNAVAILABLE', fate: 'unknown' },
  });
  expect(await lambda.get('/health/redis')).toMatchObject({ status: 503, retryAfter: '5' });
  await server.kill();
  expect(await post('c')).toMatchObject({ status: 503, body: { id: 'c', code: 'UNAVAILABLE' } });
  expect(await lambda.get('/health/redis')).toMatchObject({ status: 503, retryAfter: '5' });

  await server.restart();
  await lambda.becomes('/health/redis', 200);
  for (const id of ['b', 'c']) expect(await post(id)).toMatchObject({ status: 202, body: { id } });
  expect(await post('c')).toMatchObject({ status: 202, body: { outcome: 'duplicate' } });
  lambda.signal('SIGTERM');
  expect(await lambda.ended, lambda.output).toEqual({ code: 0, signal: null });
  const laidDown = (await readStream(server, streamKey('orchestrator'))).map(({ fields }) => fields.id);
  expect(laidDown.sort()).toEqual([named.body.id, 'a', 'b', 'c'].sort());
});
