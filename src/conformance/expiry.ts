import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JobRecord } from '../job/job-record.js';
import { again, type Bench, every } from './bench.js';
import type { Theme } from './theme.js';

/** A job expires when its options say so, where the transport has options that do. */
export const expiry: Theme = ({ describe, test, subject }) => {
  /** Some of the options taken, with which a job expires. */
  const expiring = (bench: Bench) => {
    const some = subject.options.taken.filter(
      (transportOptions) => bench.expiresAt(bench.job(1, { transportOptions })) !== undefined,
    );
    assert.notDeepEqual(
      some,
      [],
      'options.taken needs some with which a job expires, so that expiresAt() is tried.',
    );
    return some;
  };

  describe('when a job expires', () => {
    test('is counted from when it was enqueued, whenever it is asked for', async (bench) => {
      if (!bench.canExpire) return;
      assert.equal(
        bench.expiresAt(bench.job(1)),
        undefined,
        'A job without options does not expire by them.',
      );
      for (const transportOptions of expiring(bench)) {
        const job = bench.job(1, { transportOptions });
        const at = bench.expiresAt(job) as number;
        assert.ok(
          Number.isFinite(at) && at > job.enqueuedAt,
          `${at} is no time (epoch ms) after ${job.enqueuedAt}`,
        );
        const later = bench.expiresAt({ ...job, enqueuedAt: job.enqueuedAt + 60_000 });
        // The same: the option itself is a point in time.
        assert.ok(
          later === at + 60_000 || later === at,
          `${at}, and ${later} for a job enqueued 60,000 ms later`,
        );
        await sleep(5);
        assert.equal(bench.expiresAt(asStored(job)), at, 'It is another for a job that was in a backup.');
      }
    });

    test('ends it in Redis, too, as it would have if it had not waited', async (bench) => {
      if (!bench.canExpire) return;
      for (const transportOptions of expiring(bench)) {
        const whole = bench.job('whole', { transportOptions });
        if (bench.expiresAt({ ...whole, enqueuedAt: 0 }) === bench.expiresAt(whole)) continue;
        const [passed, soon] = [-1000, 300].map((ms) => expiringIn(ms, bench, transportOptions)) as [
          JobRecord,
          JobRecord,
        ];
        const jobs = [passed, whole, soon];
        assert.deepEqual(await bench.deliver(jobs), every(jobs, 'delivered'));
        await bench.untilIds([whole.id]);
        bench.assertRecognised(await bench.deliver(again(jobs)));
        assert.deepEqual(await bench.ids(), [whole.id]);
        await bench.run();
      }
    });
  });
};

/** Enqueued so long ago that it expires in `ms`. */
function expiringIn(ms: number, bench: Bench, transportOptions: unknown): JobRecord {
  const job = bench.job(`${ms} ms left`, { transportOptions });
  const leftMs = (bench.expiresAt(job) as number) - Date.now();
  return { ...job, enqueuedAt: job.enqueuedAt - leftMs + ms };
}

/** As a store gives it back after an attempt that nobody heard of. */
function asStored(job: JobRecord): JobRecord {
  return JSON.parse(JSON.stringify(again([job])[0]));
}
