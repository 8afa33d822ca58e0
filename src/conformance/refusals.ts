import assert from 'node:assert/strict';
import { every, idsOf } from './bench.js';
import type { Theme } from './theme.js';

/** What Redis refuses is nowhere, and takes nothing else with it. */
export const refusals: Theme = ({ describe, test, subject }) => {
  describe('a refusal', () => {
    test('of one job leaves the others of its batch alone, and nothing of the job itself', async (bench) => {
      const [one, poison, two] = [
        bench.job(1),
        bench.job(2, { id: 'poison', ...subject.refusable }),
        bench.job(3, { id: 'behind-it' }),
      ] as const;
      const allow = await bench.refuse(poison);
      const [first, refused, last] = await bench.deliver([one, poison, two]);
      assert.deepEqual([first, last], ['delivered', 'delivered']);
      assert.ok(typeof refused === 'object' && refused.rejected instanceof Error, `got ${String(refused)}`);
      assert.deepEqual(await bench.ids(), [one.id, two.id]);
      await allow();
      assert.deepEqual(await bench.deliver([poison]), ['delivered']);
      assert.deepEqual(await bench.ids(), [one.id, two.id, poison.id]);
    });

    test("of the transport's own write leaves nothing behind, and loses nothing", async (bench) => {
      const jobs = [...bench.jobs(3), bench.job(4, { id: 'mine' })];
      for (const isNoted of [false, true]) {
        for (const some of [jobs, jobs.slice(0, 1)]) {
          const allow = await bench.obstruct();
          const outcomes = await bench.deliver(some, { isNoted }).catch(() => []);
          await allow();
          for (const outcome of outcomes) assert.equal(typeof outcome, 'object', `got ${String(outcome)}`);
          assert.deepEqual(await bench.ids(), []);
        }
      }
      assert.deepEqual(await bench.deliver(jobs), every(jobs, 'delivered'));
      assert.deepEqual(await bench.ids(), idsOf(jobs));
    });

    test('of every write lays nothing down, and loses nothing', async (bench) => {
      const jobs = [...bench.jobs(3), bench.job(4, { id: 'mine' })];
      await bench.setting('min-replicas-to-write', '1');
      const outcomes = await bench.deliver(jobs).catch(() => []);
      await bench.setting('min-replicas-to-write', '0');
      for (const outcome of outcomes) assert.equal(typeof outcome, 'object', `got ${String(outcome)}`);
      assert.deepEqual(await bench.ids(), []);
      assert.deepEqual(await bench.deliver(jobs), every(jobs, 'delivered'));
      assert.deepEqual(await bench.ids(), idsOf(jobs));
    });
  });
};
