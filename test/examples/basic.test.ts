import { streamKey } from '@morningai/resilient-queue';
import { expect, it } from 'vitest';
import { RedisServer } from '../support/redis-server.js';
import { readStream } from '../support/stream.js';
import { Child, redisUrl } from './support/child.js';

it('enqueues one job and prints its receipt', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  await using example = new Child('examples/basic.ts', { env: { REDIS_URL: redisUrl(server) } });
  expect(await example.ended).toEqual({ code: 0, signal: null });
  expect(example.output).toContain("outcome: 'enqueued'");
  const [id] = example.all(/id: '(.+)'/);
  const entries = await readStream(server, streamKey('orchestrator'));
  expect(entries.map(({ fields }) => fields)).toEqual([
    expect.objectContaining({ id, name: 'faq.generate', payload: '{"question":"What if Redis is down?"}' }),
  ]);
});

it('has its job taken while Redis is down, and says that memory did not keep it', async () => {
  const port = await RedisServer.reservePort();
  await using example = new Child('examples/basic.ts', { env: { REDIS_URL: redisUrl({ port }) } });
  expect(await example.ended).toEqual({ code: 0, signal: null });
  expect(example.output).toContain("outcome: 'backed-up'");
  expect(example.output).toMatch(/job \S+ is lost: closed/);
  expect(example.output).not.toContain('ECONNREFUSED');
});
