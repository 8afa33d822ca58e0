import assert from 'node:assert/strict';
import type { JobRecord } from '../job/job-record.js';
import type { Delivery } from '../recognition/recognise.js';
import { again, asLaidDown, idsOf } from './bench.js';
import type { Theme } from './theme.js';

/** A delivery, and a caller's id, that comes again. */
export const deliveriesAgain: Theme = ({ describe, test }) => {
  // The first batch of an epoch is noted in Redis, those after it need not be: transports may take another way for them.
  for (const isNoted of [false, true]) {
    describe(`a delivery again, ${isNoted ? 'its epoch noted before' : 'its epoch not noted yet'}`, () => {
      test('changes nothing, as the whole batch or as part of another', async (bench) => {
        const jobs = bench.jobs(4);
        const more = bench.jobs(2);
        await bench.deliver(jobs, { isNoted });
        bench.assertRecognised(await bench.deliver(again(jobs), { isNoted }));
        const [one, , , four] = again(jobs);
        const mixed = [more[0], four, more[1], one] as JobRecord[];
        const outcomes = await bench.deliver(mixed, { isNoted });
        assert.deepEqual([outcomes[0], outcomes[2]], ['delivered', 'delivered']);
        bench.assertRecognised([outcomes[1], outcomes[3]] as Delivery['outcomes']);
        assert.deepEqual(await bench.ids(), idsOf([...jobs, ...more]));
      });

      test('changes nothing when it stands in one batch twice', async (bench) => {
        const [job] = bench.jobs(1) as [JobRecord];
        const [first, second] = await bench.deliver([job, ...again([job])], { isNoted });
        assert.equal(first, 'delivered');
        bench.assertRecognised([second] as Delivery['outcomes']);
        assert.deepEqual(await bench.ids(), [job.id]);
      });

      test('changes nothing after its job has been run and forgotten', async (bench) => {
        const jobs = bench.jobs(3);
        await bench.deliver(jobs, { isNoted });
        await bench.run();
        bench.assertRecognised(await bench.deliver(again(jobs), { isNoted }));
        assert.deepEqual(await bench.ids(), []);
      });

      test('changes nothing when it comes from another process', async (bench) => {
        const jobs = bench.jobs(3);
        await bench.deliver(jobs, { isNoted });
        bench.assertRecognised(await bench.deliver(again(jobs), { isNoted, ...bench.other }));
        assert.deepEqual(await bench.ids(), idsOf(jobs));
      });

      test('is laid down once when many send it at the same time', async (bench) => {
        const jobs = bench.jobs(10);
        const sent = await Promise.all(
          Array.from({ length: 10 }, (_, n) =>
            bench.deliver(again(jobs), { isNoted, ...(n % 2 === 0 ? {} : bench.other) }),
          ),
        );
        assert.deepEqual((await bench.ids()).toSorted(), idsOf(jobs).toSorted());
        if (!bench.capabilities.tellsDuplicates) return;
        assert.equal(sent.flat().filter((outcome) => outcome === 'delivered').length, jobs.length);
      });
    });
  }

  describe("a caller's id", () => {
    test('has one job, whoever delivers it again: the first', async (bench) => {
      const [first, second, third] = ['first', 'second', 'third'].map((payload) =>
        bench.job(payload, { id: 'mine' }),
      ) as [JobRecord, JobRecord, JobRecord];
      await bench.deliver([first]);
      bench.assertDuplicates(await bench.deliver([second]));
      bench.assertDuplicates(await bench.deliver([third], bench.other));
      assert.deepEqual(await bench.read(), [asLaidDown(first)]);
    });

    test('has one job also in one batch', async (bench) => {
      const [first, second] = [bench.job(1, { id: 'mine' }), bench.job(2, { id: 'mine' })];
      const [one, two] = await bench.deliver([first, second]);
      assert.equal(one, 'delivered');
      bench.assertDuplicates([two] as Delivery['outcomes']);
      assert.deepEqual(await bench.read(), [asLaidDown(first)]);
    });

    test('has one job also after that has been run and forgotten', async (bench) => {
      await bench.deliver([bench.job(1, { id: 'mine' })]);
      await bench.run();
      bench.assertDuplicates(await bench.deliver([bench.job(2, { id: 'mine' })]));
      assert.deepEqual(await bench.ids(), []);
    });

    test('is recognised, and no duplicate, in the delivery that has it', async (bench) => {
      const job = bench.job(1, { id: 'mine' });
      await bench.deliver([job]);
      bench.assertRecognised(await bench.deliver(again([job])));
    });
  });
};
