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
    const gone: WeakRef<object>[] = [];
    // In a function of its own: what this one once held may stay in its frame as long as it waits.
    const recordOf = (i: number) => {
      const headers = { n: String(i) }; // a part of the record that every copy of it shares
      if (i < 1000) gone.push(new WeakRef(headers));
      return jobRecord({ id: `j${i}`, headers });
    };
    await store.append('q', [jobRecord({ id: 'first' })]);
    if (held) await store.lease('q', 1, 60_000);
    for (let i = 0; i < 10_000; i++) {
      await store.append('q', [recordOf(i)]);
      const lease = (await store.lease('q', 1, LEASE_MS)) as Lease;
      await store.acknowledge(lease.token, [lease.jobs[0]?.id as string]);
    }
    // What a WeakRef points to stays until the turn is over. One of them may be kept by the engine itself (a frame, a compiler
    // on another thread); a store that holds on to what is gone keeps all.
    await waitFor(
      () => {
        collectGarbage();
        return gone.filter((headers) => headers.deref() !== undefined).length < 10;
      },
      { what: 'what is gone to be collected' },
    );
    // Also keeps the store itself from being collected.
    expect(await store.stats('q')).toMatchObject({ pending: 1, leased: held });
  });
});
