import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { streamKey } from '@morningai/resilient-queue';
import { expect, it, onTestFinished } from 'vitest';
import { RedisServer } from '../support/redis-server.js';
import { readStream } from '../support/stream.js';
import { waitFor } from '../support/wait-for.js';
import { Child, redisUrl } from './support/child.js';

const receipt = /^(?:backed-up|enqueued) (\S+)$/m;

async function start(port: number, file: string): Promise<Child> {
  const child = new Child('examples/own-backup-store.ts', {
    env: { REDIS_URL: redisUrl({ port }), BACKUP_FILE: file },
  });
  await child.printed(/running; end me with Ctrl-C/);
  return child;
}

async function backupFile(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'resilient-queue-example-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return join(folder, 'backup.ndjson');
}

it.each([
  { how: 'kill -9', signal: 'SIGKILL', end: { code: null, signal: 'SIGKILL' } },
  { how: 'SIGTERM', signal: 'SIGTERM', end: { code: 0, signal: null } },
] as const)('keeps its jobs through $how of the process while Redis is down', async ({ signal, end }) => {
  const file = await backupFile();
  const port = await RedisServer.reservePort();
  await using first = await start(port, file);
  expect(first.all(/^(backed-up|enqueued) /m)).toEqual(['backed-up', 'backed-up', 'backed-up']);
  first.signal(signal);
  expect(await first.ended).toEqual(end);
  if (signal === 'SIGTERM') expect(first.output).toContain('closed, 3 jobs are kept for the next process');

  await using server = await RedisServer.start({ port });
  await using second = await start(port, file);
  expect(second.output).toContain('3 jobs were left by the last process');
  await second.printed(/replayed 3 jobs/);
  second.signal('SIGTERM');
  expect(await second.ended).toEqual({ code: 0, signal: null });
  expect(second.output).toContain('closed, 0 jobs are kept for the next process');

  const entries = await readStream(server, streamKey('orchestrator'));
  const ids = entries.map(({ fields }) => fields.id);
  expect(ids.sort()).toEqual([...first.all(receipt), ...second.all(receipt)].sort());
  expect(new Set(ids).size).toBe(6);
  expect(await readFile(file, 'utf8')).toBe('');
});

it('replays by itself, in the same process, and sends what hung only once', async () => {
  const file = await backupFile();
  await using server = await RedisServer.start();
  server.pause();
  await using example = await start(server.port, file);
  expect(example.all(/^(backed-up|enqueued) /m)).toEqual(['backed-up', 'backed-up', 'backed-up']);
  server.resume();
  await example.printed(/replayed 3 jobs/);
  await waitFor(async () => (await readStream(server, streamKey('orchestrator'))).length === 3, {
    what: 'three jobs to stand in the stream',
  });
  example.signal('SIGTERM');
  expect(await example.ended).toEqual({ code: 0, signal: null });
  const entries = await readStream(server, streamKey('orchestrator'));
  expect(entries.map(({ fields }) => fields.id).sort()).toEqual(example.all(receipt).sort());
});
