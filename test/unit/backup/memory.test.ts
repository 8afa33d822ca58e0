import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { type Lease, MemoryBackupStore } from '../../../src/index.js';
import { describeBackupStore } from '../../support/backup-contract.js';
import { waitFor } from '../../support/wait-for.js';
import { jobRecord } from '../support/job-record.js';

const LEASE_MS = 30_000;

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  collect();
  // The first may have finished a collection that was under way, which spares whatever was made during it.
  collect();
}

describeBackupStore((clock) => new MemoryBackupStore({ clock }));

describe('a backlog in memory', () => {
  it.each([
    ['that never empties', 0],
    ['whose oldest job somebody holds for long', 1],
  ])('%s does not hold on to what is gone', { timeout: 60_000 }, async (_, held) => {
    const store = new MemoryBackupStore();
    await store.append('q', [jobRecord({ id: 'first' })]);
    if (held) await store.lease('q', 1, 60_000);
    const gone = await comeAndGo(store, 10_000);
    await waitFor(
      () => {
        collectGarbage();
        return gone.every((headers) => headers.deref() === undefined);
      },
      { what: 'what is gone to be collected' },
    );
    // Also keeps the store itself from being collected.
    expect(await store.stats('q')).toMatchObject({ pending: 1, leased: held });
  });
});

/**
 * Jobs that come and go, one after the other. Returns a part of the first records that every copy of them shares. This has
 * returned before somebody looks: what an async function once held may stay in its frame for as long as that waits.
 */
async function comeAndGo(store: MemoryBackupStore, jobs: number): Promise<WeakRef<object>[]> {
  const gone: WeakRef<object>[] = [];
  for (let i = 0; i < jobs; i++) {
    const headers = { n: String(i) };
    if (i < 1000) gone.push(new WeakRef(headers));
    await store.append('q', [jobRecord({ id: `j${i}`, headers })]);
    const lease = (await store.lease('q', 1, LEASE_MS)) as Lease;
    await store.acknowledge(lease.token, [lease.jobs[0]?.id as string]);
  }
  return gone;
}
