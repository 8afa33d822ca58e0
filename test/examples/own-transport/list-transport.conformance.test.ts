import { expect, it } from 'vitest';
import { runOnRedis } from '../support/run-on-redis.js';

it('passes the kit, run by node:test', async () => {
  const file = 'examples/own-transport/list-transport.conformance.ts';
  const output = await runOnRedis('--test', '--test-reporter=tap', file);
  expect(output).toMatch(/^# pass 40$/m);
  expect(output).toMatch(/^# fail 0$/m);
});
