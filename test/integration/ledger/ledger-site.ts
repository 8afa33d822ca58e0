import { join } from 'node:path';
import { Redis } from 'ioredis';
import { onTestFinished } from 'vitest';
import { verifyCommand } from '../../../src/cli/verify-command.js';
import { MemoryBackupStore, type QueueOptions, ResilientQueue } from '../../../src/index.js';
import { type LedgerWriter, type VerifyReport, writeLedger } from '../../../src/ledger/index.js';
import { RedisServer } from '../../support/redis-server.js';
import { runCommand } from '../../support/run-command.js';
import { waitFor } from '../../support/wait-for.js';
import { temporaryFolder } from '../../unit/support/temporary-folder.js';

export const QUEUE = 'orders';

/** A queue on a server of its own that writes a ledger, and the command to hold that against the server; all end with the test. */
export async function ledgerSite(options: Partial<QueueOptions> = {}) {
  const server = await RedisServer.start();
  onTestFinished(() => server.stop());
  const folder = temporaryFolder();
  const path = join(folder, 'ledger.ndjson');
  const redis = new Redis({ port: server.port, retryStrategy: () => 50 });
  redis.on('error', () => {});
  onTestFinished(() => redis.disconnect());
  const queue = new ResilientQueue(QUEUE, {
    redis,
    backup: new MemoryBackupStore(),
    breaker: { probeAfterMs: 50, probeMaxMs: 100 },
    replay: { pollMs: 100 },
    ...options,
  });
  queue.on('error', () => {});
  const ledger: LedgerWriter = writeLedger(queue, path);
  let closing: Promise<unknown> | undefined;
  const end = () => {
    closing ??= queue.close({ timeoutMs: 1000 }).then(() => ledger.close());
    return closing;
  };
  onTestFinished(async () => void (await end()));
  const verify = (...args: readonly string[]) => verifyOn(server, path, ...args);
  return {
    server,
    folder,
    path,
    redis,
    queue,
    ledger,
    /** Closes the queue, then the ledger. */
    end,
    verify,
    isUp: () =>
      waitFor(() => queue.health().status === 'up', { what: 'the queue to be up', timeoutMs: 20_000 }),
    /** `count` jobs; each third has an id of the caller's. */
    enqueue: async (count: number, name = 'job') => {
      const receipts = await Promise.all(
        Array.from({ length: count }, (_, n) =>
          queue.enqueue('order.confirm', { n }, n % 3 === 0 ? { id: `${name}-${n}` } : {}),
        ),
      );
      return receipts.map(({ id }) => id);
    },
  };
}

/** What `resilient-queue verify` says of a ledger, and with which exit code. */
export async function verifyOn(
  server: { readonly port: number },
  path: string | readonly string[],
  ...args: readonly string[]
): Promise<{ readonly code: number; readonly report: VerifyReport; readonly err: string }> {
  const files = [path].flat().flatMap((file) => ['--ledger', file]);
  const { code, out, err } = await runCommand(
    verifyCommand,
    ['--queue', QUEUE, ...files, '--json', ...args],
    { REDIS_URL: `redis://127.0.0.1:${server.port}` },
  );
  return { code, report: out === '' ? ({} as VerifyReport) : JSON.parse(out), err };
}
