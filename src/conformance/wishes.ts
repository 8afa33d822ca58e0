import assert from 'node:assert/strict';
import { again, asLaidDown, every, idsOf } from './bench.js';
import type { Theme } from './theme.js';

/** The options of a job, but for its expiry. */
export const wishes: Theme = ({ describe, test, subject }) => {
  describe('what a caller asks for', () => {
    test('is taken, or refused by name before anything happens', async (bench) => {
      for (const options of [undefined, ...subject.options.taken]) bench.check({ options });
      for (const options of subject.options.refused) {
        const named = typeof options === 'object' ? Object.keys(options ?? {}) : [];
        bench.assertRefused({ options }, 'OPTION_UNSUPPORTED', ['options.transport', ...named]);
      }
      for (const id of subject.refusedIds ?? []) bench.assertRefused({ id }, 'ID_INVALID', ['id']);
    });

    test('is laid down with the job: options', async (bench) => {
      const jobs = subject.options.taken.map((transportOptions, n) => bench.job(n, { transportOptions }));
      if (jobs.length === 0) return;
      assert.deepEqual(await bench.deliver(jobs), every(jobs, 'delivered'));
      bench.assertRecognised(await bench.deliver(again(jobs)));
      assert.deepEqual((await bench.ids()).toSorted(), idsOf(jobs).toSorted());
    });

    test('is laid down with the job: headers', async (bench) => {
      if (!bench.capabilities.headers) return;
      const job = bench.job(1, { headers: { traceparent: '00-ä', other: '' } });
      await bench.deliver([job, bench.job(2)]);
      const [first, second] = await bench.read();
      assert.deepEqual(first, asLaidDown(job));
      assert.deepEqual({ ...second?.headers }, {});
    });

    test('is laid down with the job: when to run it', async (bench) => {
      if (!bench.capabilities.runAt) return;
      const due = bench.job(1, { runAt: Date.now() - 1000 });
      const later = bench.job(2, { runAt: Date.now() + 3_600_000 });
      assert.deepEqual(await bench.deliver([later, due]), ['delivered', 'delivered']);
      assert.deepEqual(await bench.ids(), [due.id]);
      bench.assertRecognised(await bench.deliver(again([later])));
    });
  });
};
