import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { expect, it } from 'vitest';
import { queueKeys } from '../../src/index.js';
import { QUEUE, verifyOn } from '../integration/ledger/ledger-site.js';
import { RedisServer } from '../support/redis-server.js';
import { temporaryFolder } from '../unit/support/temporary-folder.js';

const EPOCH = `${'0123456789a'}${'c'.repeat(16)}`;
const JOBS = 1_000_000;
const FILES = 4;

it('compares a million jobs in several files, without holding them in memory', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const folder = temporaryFolder();
  const paths = Array.from({ length: FILES }, (_, n) => join(folder, `ledger-${n}.ndjson`));
  for (const [file, path] of paths.entries()) {
    const stream = createWriteStream(path);
    for (let n = 0; n < JOBS / FILES; n++) {
      const id = `${EPOCH}-${(file * JOBS) / FILES + n}`;
      const line = { v: 1, at: Date.now(), queue: QUEUE, event: 'enqueued', id };
      if (!stream.write(`${JSON.stringify(line)}\n`)) await once(stream, 'drain');
    }
    stream.end();
    await finished(stream);
  }
  const key = queueKeys(QUEUE).seen(EPOCH);
  await server.command('EVAL', `redis.call('SET', KEYS[1], string.rep('\\255', ${JOBS / 8}))`, '1', key);
  await server.command('SETBIT', key, '777777', '0');

  let most = 0;
  const before = process.memoryUsage().rss;
  const watch = setInterval(() => {
    most = Math.max(most, process.memoryUsage().rss - before);
  }, 20);
  const { code, report } = await verifyOn(server, paths);
  clearInterval(watch);
  expect(report).toMatchObject({ jobs: JOBS, counts: { delivered: JOBS - 1, lost: 1 } });
  expect(report.examples.lost).toEqual([`${EPOCH}-777777`]);
  expect(code).toBe(1);
  expect(most).toBeLessThan(200 * 2 ** 20);
});
