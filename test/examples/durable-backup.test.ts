import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { streamKey } from '@morningai/resilient-queue';
import { expect, it, onTestFinished } from 'vitest';
import { RedisServer } from '../support/redis-server.js';
import { readStream } from '../support/stream.js';
import { Child, redisUrl } from './support/child.js';

const receipt = /^(?:backed-up fsynced|enqueued acked) (\S+)$/m;

async function start(port: number, path: string): Promise<Child> {
  const child = new Child('examples/durable-backup.ts', {
    env: { REDIS_URL: redisUrl({ port }), BACKUP_PATH: path },
  });
  await child.printed(/running; end me with Ctrl-C/);
  return child;
}

it.each([
  { how: 'kill -9', signal: 'SIGKILL', end: { code: null, signal: 'SIGKILL' } },
  { how: 'SIGTERM', signal: 'SIGTERM', end: { code: 0, signal: null } },
] as const)(
  'keeps its jobs on the disk through $how of the process while Redis is down',
  async ({ signal, end }) => {
    const folder = await mkdtemp(join(tmpdir(), 'resilient-queue-example-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const path = join(folder, 'var/orchestrator');
    const port = await RedisServer.reservePort();
    await using first = await start(port, path);
    expect(first.all(/^(backed-up fsynced) /m)).toHaveLength(3);
    expect(await readdir(path)).toContain('data.mdb');
    first.signal(signal);
    expect(await first.ended).toEqual(end);
    if (signal === 'SIGTERM') expect(first.output).toContain('closed, 3 jobs are kept for the next process');

    await using server = await RedisServer.start({ port });
    await using second = await start(port, path);
    expect(second.output).toContain('3 jobs were left by the last process, 0 are parked');
    await second.printed(/replayed 3 jobs/);
    second.signal('SIGTERM');
    expect(await second.ended).toEqual({ code: 0, signal: null });
    expect(second.output).toContain('closed, 0 jobs are kept for the next process');

    const ids = (await readStream(server, streamKey('orchestrator'))).map(({ fields }) => fields.id);
    expect(ids.sort()).toEqual([...first.all(receipt), ...second.all(receipt)].sort());
    expect(new Set(ids).size).toBe(6);
  },
);
