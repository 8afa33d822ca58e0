import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type JobRecord, ResilientQueue, streamKey } from '@morningai/resilient-queue';
import { LmdbBackupStore } from '@morningai/resilient-queue/backup/lmdb';
import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { RedisServer } from '../support/redis-server.js';
import { readStream } from '../support/stream.js';
import { waitFor } from '../support/wait-for.js';
import { jobRecord } from '../unit/support/job-record.js';
import { Child } from './support/child.js';

const QUEUE = 'orchestrator';

async function runExample(path: string, ...args: string[]): Promise<{ code: number | null; output: string }> {
  await using child = new Child('examples/parked-jobs.ts', { args, env: { BACKUP_PATH: path } });
  const { code } = await child.ended;
  return { code, output: child.output };
}

it('lists what was parked, puts it back in line, and deletes it, beside the service that uses the backup', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'resilient-queue-example-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, 'backup');
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const redis = new Redis(server.port);
  onTestFinished(() => redis.disconnect());
  const [mend, giveUp] = [0, 1].map((n) =>
    jobRecord({ queue: QUEUE, name: n ? 'give up' : 'mend', delivery: `018bcfe5680aaaaaaaaaaaaaaaa-${n}` }),
  ) as [JobRecord, JobRecord];
  const backup = new LmdbBackupStore({ path });
  await backup.append(QUEUE, [mend, giveUp]);
  const lease = await backup.lease(QUEUE, 2, 1000);
  await backup.park(lease?.token as string, [mend.id, giveUp.id], 'rejected');
  const queue = new ResilientQueue(QUEUE, { redis, backup, replay: { pollMs: 100 } });
  onTestFinished(async () => void (await queue.close()));

  const listed = await runExample(path, QUEUE);
  expect(listed.code, listed.output).toBe(0);
  expect(listed.output).toMatch(
    new RegExp(`^${mend.id}  mend  rejected.+\\n${giveUp.id}  give up  rejected`),
  );

  expect((await runExample(path, QUEUE, 'unpark', mend.id, 'unknown')).output).toBe(
    '1 of 2 jobs are in line again\n',
  );
  expect((await runExample(path, QUEUE, 'remove', giveUp.id)).output).toBe('1 of 1 jobs are gone\n');
  const waits = jobRecord({ queue: QUEUE, name: 'waits', delivery: `018bcfe5680aaaaaaaaaaaaaaaa-2` });
  const isolation = queue.isolate();
  await backup.append(QUEUE, [waits]);
  expect((await runExample(path, QUEUE, 'remove', waits.id)).output).toBe('0 of 1 jobs are gone\n');
  isolation.dispose();
  await waitFor(async () => (await readStream(server, streamKey(QUEUE))).length === 2, {
    ...{ what: 'the job to be laid down', timeoutMs: 20_000 },
  });
  const laid = (await readStream(server, streamKey(QUEUE))).map(({ fields }) => fields.id);
  expect(laid).toEqual([mend.id, waits.id]);
  expect(await runExample(path, QUEUE)).toEqual({ code: 0, output: '' });
});

it('makes no backup where there is none', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'resilient-queue-example-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, 'elsewhere');
  const { code, output } = await runExample(path, QUEUE);
  expect(code).toBe(2);
  expect(output).toContain('There is no backup');
  expect(existsSync(path)).toBe(false);
});

it('says how it is called', async () => {
  const { code, output } = await runExample('./nowhere', QUEUE, 'eat');
  expect(code).toBe(2);
  expect(output).toMatch(/^usage: /);
});
