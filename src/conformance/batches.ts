import assert from 'node:assert/strict';
import { again, asLaidDown, every, idsOf, QUEUE } from './bench.js';
import type { Theme } from './theme.js';

/** Jobs are laid down as they are, each once, in their order. */
export const batches: Theme = ({ describe, test, subject }) => {
  describe('a batch', () => {
    test('is laid down in its order, each job once and as it is', async (bench) => {
      const jobs = bench.jobs(20);
      assert.deepEqual(await bench.deliver(jobs), every(jobs, 'delivered'));
      assert.deepEqual(await bench.read(), jobs.map(asLaidDown));
    });

    test('stands behind those before it', async (bench) => {
      const jobs = bench.jobs(9);
      for (let at = 0; at < jobs.length; at += 3) await bench.deliver(jobs.slice(at, at + 3));
      assert.deepEqual(await bench.ids(), idsOf(jobs));
    });

    test('of 256 jobs is laid down whole', async (bench) => {
      const jobs = bench.jobs(256);
      await bench.deliver(jobs);
      assert.deepEqual(await bench.ids(), idsOf(jobs));
    });

    test('of jobs of several processes is laid down, and recognised', async (bench) => {
      const jobs = Array.from({ length: 12 }, (_, n) =>
        bench.job(n, { delivery: bench.deliveryOf(n % 3) }),
      ).map((job) => ({ ...job, id: job.delivery }));
      assert.deepEqual(await bench.deliver(jobs), every(jobs, 'delivered'));
      assert.deepEqual(await bench.read(), jobs.map(asLaidDown));
      bench.assertRecognised(await bench.deliver(again(jobs).toReversed()));
      assert.deepEqual(await bench.ids(), idsOf(jobs));
    });

    test('carries text of every kind', async (bench) => {
      const job = bench.job({ text: ['ü€😀', '\u0000\r\n', '"\\', ''] });
      await bench.deliver([job]);
      assert.deepEqual(await bench.read(), [asLaidDown(job)]);
    });

    test('does not mix with that of another queue', async (bench) => {
      if (subject.hasOwnQueue) return;
      const [one, another] = [bench.jobs(3), bench.jobs(3, { queue: `${QUEUE}-2` })];
      await bench.deliver(one);
      await bench.deliver(another, { queue: `${QUEUE}-2` });
      assert.deepEqual(await bench.ids(), idsOf(one));
      assert.deepEqual(await bench.ids(`${QUEUE}-2`), idsOf(another));
    });
  });
};
