import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { RedisServer } from '../../support/redis-server.js';
import { redisUrl, root } from './child.js';

const run = promisify(execFile);

/** Runs an example to its end, on a Redis of its own. Resolves with what it printed; rejects when it fails. */
export async function runOnRedis(...args: readonly string[]): Promise<string> {
  await using server = await RedisServer.start();
  const { NODE_TEST_CONTEXT, ...env } = process.env;
  const { stdout } = await run(process.execPath, ['--import', 'tsx', ...args], {
    cwd: root,
    env: { ...env, REDIS_URL: redisUrl(server) },
  });
  return stdout;
}
