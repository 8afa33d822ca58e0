import assert from 'node:assert/strict';
import type { JobRecord } from '../job/job-record.js';
import { again, type Bench, every, idsOf } from './bench.js';
import type { Theme } from './theme.js';

/** Jobs stand in the order in which they were delivered, whatever kind of job they are. */
export const order: Theme = ({ describe, test }) => {
  describe('the order', () => {
    test('of a batch is kept by jobs of every kind', async (bench) => {
      const jobs = mixed(bench, 12);
      assert.deepEqual(await bench.deliver(jobs), every(jobs, 'delivered'));
      assert.deepEqual(await bench.ids(), idsOf(jobs));
    });

    test('of batches is kept by those of every size and kind, whoever sends them', async (bench) => {
      const jobs: JobRecord[] = [];
      for (const [n, size] of [1, 3, 1, 4, 2, 1].entries()) {
        const some = mixed(bench, size, n % 2);
        jobs.push(...some);
        await bench.deliver(some, { isNoted: n > 1, ...(n % 2 === 0 ? {} : bench.other) });
      }
      assert.deepEqual(await bench.ids(), idsOf(jobs));
    });

    test('of the jobs of one orderingKey is kept', async (bench) => {
      if (!bench.capabilities.orderingKey) return;
      const keys = ['one', 'ü:{two}', 'three'];
      const jobs = Array.from({ length: 30 }, (_, n) => bench.job(n, { orderingKey: keys[n % 3] as string }));
      for (let at = 0; at < jobs.length; at += 10) {
        await bench.deliver(jobs.slice(at, at + 10), { isNoted: at > 0 });
      }
      bench.assertRecognised(await bench.deliver(again(jobs)));
      const ids = await bench.ids();
      assert.deepEqual(ids.toSorted(), idsOf(jobs).toSorted());
      for (const key of keys) {
        const expected = idsOf(jobs.filter(({ orderingKey }) => orderingKey === key));
        assert.deepEqual(
          ids.filter((id) => expected.includes(id)),
          expected,
          `the jobs of orderingKey ${key}`,
        );
      }
    });
  });
};

/** Jobs of one process: with an id of their own and of their caller's, new, replayed, and with headers where these can be had. */
function mixed(bench: Bench, count: number, process = 0): JobRecord[] {
  return Array.from({ length: count }, (_, n) => {
    const delivery = bench.deliveryOf(process);
    const kinds: Partial<JobRecord>[] = [
      { id: `callers-${delivery}` },
      {},
      { fate: 'unknown', lastAttemptAt: Date.now() },
      ...(bench.capabilities.headers ? [{ headers: { traceparent: '00' } }] : []),
    ];
    return bench.job(n, { delivery, ...kinds[n % kinds.length] });
  });
}
