import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { RedisServer } from '../support/redis-server.js';
import { redisUrl, root } from './support/child.js';

const run = promisify(execFile);

async function runOnRedis(args: readonly string[]): Promise<string> {
  await using server = await RedisServer.start();
  const { NODE_TEST_CONTEXT, ...env } = process.env;
  const { stdout } = await run(process.execPath, ['--import', 'tsx', ...args], {
    cwd: root,
    env: { ...env, REDIS_URL: redisUrl(server) },
  });
  return stdout;
}

it('lays a job down once, where its worker finds it', async () => {
  const output = await runOnRedis(['examples/own-transport.ts']);
  expect(output).toContain('enqueued again: duplicate');
  expect(output).toContain(
    'the worker got {"id":"task-1","name":"faq.generate","payload":{"question":"What if Redis is down?"}}',
  );
});

it('passes the kit, run by node:test', async () => {
  const output = await runOnRedis([
    '--test',
    '--test-reporter=tap',
    'examples/own-transport/list-transport.conformance.ts',
  ]);
  expect(output).toMatch(/^# pass 28$/m);
  expect(output).toMatch(/^# fail 0$/m);
});

it('stands in the page about writing one as it is', async () => {
  const page = await readFile(join(root, 'docs/writing-a-transport.md'), 'utf8');
  const blocks = [...page.matchAll(/<!-- (\S+) -->\n\n```ts\n(.*?)```\n/gs)];
  expect(blocks).toHaveLength(2);
  for (const [, file = '', code] of blocks) expect(code).toBe(await readFile(join(root, file), 'utf8'));
});
