import { join } from 'node:path';
import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { LmdbBackupStore } from '../../src/backup/lmdb.js';
import { MemoryBackupStore, ResilientQueue, streamKey } from '../../src/index.js';
import { writeLedger } from '../../src/ledger/index.js';
import { QUEUE, verifyOn } from '../integration/ledger/ledger-site.js';
import { ioredisDefault, nodeRedisDefault } from '../support/clients.js';
import { offerThrough, withOutage } from '../support/outage-run.js';
import { temporaryFolder } from '../unit/support/temporary-folder.js';
import { faults } from './faults.js';

/** Takes entries out of the stream and deletes them, as consumers do, until it is ended. */
function consumeAll(port: number) {
  const redis = new Redis({ port, retryStrategy: () => 50 });
  redis.on('error', () => {});
  let eaten = 0;
  let isEnded = false;
  const eat = async (): Promise<void> => {
    while (!isEnded) {
      try {
        const entries = await redis.xrange(streamKey(QUEUE), '-', '+', 'COUNT', 50);
        if (entries.length > 0) eaten += await redis.xdel(streamKey(QUEUE), ...entries.map(([id]) => id));
        else await new Promise((resolve) => setTimeout(resolve, 10));
      } catch {
        // Redis is down: the test ends it.
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  };
  const eating = eat();
  return {
    eaten: () => eaten,
    async end() {
      isEnded = true;
      redis.disconnect();
      await eating;
    },
  };
}

it.each([
  { fault: 'kill -9 and restart', kind: ioredisDefault, disk: false },
  { fault: 'kill -9 and restart', kind: nodeRedisDefault, disk: true },
  { fault: 'SIGSTOP for 4 s, and what was sent is executed late', kind: nodeRedisDefault, disk: false },
  { fault: 'SIGSTOP for 4 s, and what was sent is executed late', kind: ioredisDefault, disk: true },
])('proves after $fault that nothing was lost (on a disk: $disk)', async ({ fault: name, kind, disk }) => {
  const fault = faults.find((fault) => fault.name === name);
  if (!fault) throw new Error(`There is no fault ${name}`);
  await withOutage(fault, async (outage) => {
    const { client, end } = kind.make({ port: outage.proxy.port });
    onTestFinished(end);
    const folder = temporaryFolder();
    const path = join(folder, 'ledger.ndjson');
    const backup = disk ? new LmdbBackupStore({ path: join(folder, 'backup') }) : new MemoryBackupStore();
    const queue = new ResilientQueue(QUEUE, { redis: client, backup });
    queue.on('error', () => {});
    const ledger = writeLedger(queue, path);
    const consumer = consumeAll(outage.server.port);
    const { ledger: told, offered } = await offerThrough(fault, outage, queue, {
      perSecond: 500,
      enqueue: (n) => queue.enqueue('outage.job', { n }, n % 3 === 0 ? { id: `mine-${n}` } : {}),
    });
    await consumer.end();
    await queue.close();
    expect(await ledger.close()).toEqual({ lines: offered, missing: 0 });
    const { accepted, backedUp } = told.summary();
    expect(backedUp).toBeGreaterThan(0);
    expect(consumer.eaten()).toBeGreaterThan(0);
    const store = disk ? ['--backup-lmdb', join(folder, 'backup')] : [];
    const { code, report } = await verifyOn(outage.server, path, ...store);
    expect(report).toMatchObject({
      jobs: accepted,
      counts: { delivered: accepted, pending: 0, parked: 0, dropped: 0, lost: 0, doubled: 0, unknowable: 0 },
      ledger: { torn: 0, missing: 0, openWriters: 0 },
    });
    expect(code).toBe(0);
  });
});
