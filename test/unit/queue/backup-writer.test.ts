import { expect, it } from 'vitest';
import { type JobRecord, MemoryBackupStore, type ResilientQueueError } from '../../../src/index.js';
import { BackupWriter } from '../../../src/queue/backup-writer.js';
import { PendingJob } from '../../../src/queue/pending-job.js';
import { VirtualClock } from '../../simulation/virtual-clock.js';
import { jobRecord } from '../support/job-record.js';

/** Never answers. */
class SilentStore extends MemoryBackupStore {
  readonly asked: string[] = [];

  override append(_: string, jobs: readonly JobRecord[]) {
    this.asked.push(...jobs.map(({ id }) => id));
    return new Promise<never>(() => {});
  }
}

function makeWriter(opened: Promise<void>) {
  const clock = new VirtualClock();
  const store = new SilentStore();
  const rejected: string[] = [];
  const writer = new BackupWriter(store, 'queue', clock, 1000, { jobs: 1e6, bytes: 1e9 }, 4, {
    held: () => ({ jobs: 0, bytes: 0 }),
    onAppending() {},
    onAppended() {},
    onNotAppended() {},
    onRejected(jobs, error) {
      for (const job of jobs) {
        job.phase = 'settled';
        rejected.push(`${job.record.id} ${(error(job) as ResilientQueueError).fate} ${clock.monotonicMs()}`);
      }
    },
    onAnsweredLate() {},
    onStore() {},
  });
  writer.start(opened);
  return {
    ...{ clock, store, rejected },
    async add(id: string) {
      writer.add([new PendingJob(jobRecord({ id }), clock.monotonicMs(), false)], undefined);
      await new Promise(setImmediate);
    },
  };
}

it('keeps nobody waiting for a store beyond the deadline that has not been asked yet what it holds', async () => {
  const { clock, store, rejected, add } = makeWriter(new Promise(() => {}));
  await add('one');
  await clock.advance(600);
  await add('two');
  await clock.advance(399);
  expect(rejected).toEqual([]);
  await clock.advance(1);
  expect(rejected).toEqual(['one not-delivered 1000']);
  await clock.advance(600);
  expect(rejected).toEqual(['one not-delivered 1000', 'two not-delivered 1600']);
  expect(store.asked).toEqual([]);
});

it('refuses what is in line as soon as the store hangs in every place', async () => {
  const { clock, store, rejected, add } = makeWriter(Promise.resolve());
  for (const id of ['1', '2', '3', '4']) await add(id);
  await clock.advance(600);
  for (const id of ['5', '6']) await add(id);
  expect(store.asked).toEqual(['1', '2', '3', '4']);
  await clock.advance(400);
  expect(rejected.slice(0, 4)).toEqual(['1', '2', '3', '4'].map((id) => `${id} unknown 1000`));
  expect(rejected.slice(4)).toEqual(['5 not-delivered 1000', '6 not-delivered 1000']);
});
