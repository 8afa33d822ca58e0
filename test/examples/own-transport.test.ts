import { expect, it } from 'vitest';
import { runOnRedis } from './support/run-on-redis.js';

it('lays a job down once, where its worker finds it', async () => {
  const output = await runOnRedis('examples/own-transport.ts');
  expect(output).toContain('enqueued again: duplicate');
  expect(output).toContain(
    'the worker got {"id":"task-1","name":"faq.generate","payload":{"question":"What if Redis is down?"}}',
  );
});
