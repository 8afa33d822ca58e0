import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { MemoryBackupStore, type QueueOptions, ResilientQueue, streamKey } from '../../src/index.js';
import { RedisServer } from '../support/redis-server.js';
import { readStream } from '../support/stream.js';
import { waitFor } from '../support/wait-for.js';

const NAME = 'eager';

/** Calls that go on and on, each as soon as the one before has its receipt, or its error. */
function callAgainAndAgain(queue: ResilientQueue, callers: number) {
  const accepted: number[] = [];
  const codes = new Set<unknown>();
  const endsAt = performance.now() + 45_000;
  let isOn = true;
  let next = 0;
  const loop = async () => {
    while (isOn) {
      // Where they do keep everything else waiting, no timer of a test's runner ends them.
      if (performance.now() > endsAt) throw new Error('Called for 45 s');
      const n = next++;
      await queue.enqueue('job', { n }).then(
        () => accepted.push(n),
        (error: { code: unknown }) => codes.add(error.code),
      );
    }
  };
  const loops = Array.from({ length: callers }, loop);
  return {
    accepted,
    codes,
    async end(): Promise<void> {
      isOn = false;
      await Promise.all(loops);
    },
  };
}

function open(port: number, options: Partial<QueueOptions>): ResilientQueue {
  const client = new Redis({ port, retryStrategy: () => 50 });
  client.on('error', () => {});
  onTestFinished(() => client.disconnect());
  const queue = new ResilientQueue(NAME, { redis: client, backup: new MemoryBackupStore(), ...options });
  queue.on('error', () => {});
  return queue;
}

// A store in memory answers before the event loop has had a turn: neither timers nor sockets would ever be served.
describe('callers that wait for nothing but their receipts', () => {
  it.each([
    { callers: 1, ordering: 'none' },
    { callers: 64, ordering: 'none' },
    { callers: 1, ordering: 'queue' },
    { callers: 64, ordering: 'queue' },
    { callers: 4, ordering: 'none', backupLimit: { jobs: 100 } },
    { callers: 4, ordering: 'queue', backupLimit: { jobs: 100 } },
  ] as const)('do not keep the queue from getting well again: %o', async ({ callers, ...options }) => {
    await using server = await RedisServer.start();
    const queue = open(server.port, { deadlineMs: 300, attemptTimeoutMs: 100, ...options });
    await queue.enqueue('job', { n: -1 });
    const calls = callAgainAndAgain(queue, callers);
    await server.kill();
    await waitFor(() => queue.health().breaker === 'open', { what: 'the outage' });
    await server.restart();
    await waitFor(() => queue.health().status === 'up', { what: 'the queue to be up', timeoutMs: 30_000 });
    await calls.end();
    await waitFor(() => queue.health().status === 'up', { what: 'the rest', timeoutMs: 30_000 });

    const entries = await readStream(server, streamKey(NAME));
    const numbers = entries.map((entry) => (JSON.parse(entry.fields.payload as string) as { n: number }).n);
    const ordered = [...numbers].sort((a, b) => a - b);
    expect(ordered).toEqual([-1, ...calls.accepted.sort((a, b) => a - b)]);
    if (options.ordering === 'queue') expect(numbers).toEqual(ordered);
    expect([...calls.codes]).toEqual('backupLimit' in options ? ['BACKUP_FULL'] : []);
    await queue.close();
  });

  it('do not stop the clock while neither Redis nor the backup answers', async () => {
    const backup = new MemoryBackupStore();
    backup.append = () => new Promise(() => {});
    const queue = open(await RedisServer.reservePort(), {
      ...{ backup, deadlineMs: 50, backupDeadlineMs: 50 },
    });
    const calls = callAgainAndAgain(queue, 8);
    await waitFor(() => calls.codes.size > 0, { what: 'the first refusals' });
    const startedAt = performance.now();
    await sleep(300);
    expect(performance.now() - startedAt).toBeLessThan(2000);
    await calls.end();
    expect([...calls.codes]).toEqual(['UNAVAILABLE']);
    await queue.close({ timeoutMs: 100 });
  });
});
