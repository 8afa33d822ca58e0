import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { RedisServer } from '../support/redis-server.js';
import { temporaryFolder } from '../unit/support/temporary-folder.js';
import { Child, redisUrl } from './support/child.js';

it('proves that the jobs it wrote down are there', async () => {
  await using server = await RedisServer.start();
  const path = join(temporaryFolder(), 'ledger.ndjson');
  await using example = new Child('examples/ledger.ts', {
    env: { REDIS_URL: redisUrl(server), LEDGER_PATH: path },
  });
  expect(await example.ended).toEqual({ code: 0, signal: null });
  expect(example.output).toBe('100 lines written, 0 missing\n100 delivered, 0 lost, 0 doubled\nproven\n');
  expect(readFileSync(path, 'utf8').match(/"event":"enqueued"/g)).toHaveLength(100);
});
