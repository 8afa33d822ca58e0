import { getEventListeners } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import { PendingJob, type Phase } from '../../../src/queue/pending-job.js';
import { jobRecord } from '../support/job-record.js';

function makeJob() {
  const job = new PendingJob(jobRecord({ id: 'mine' }), 0, false);
  const controller = new AbortController();
  const onAborted = vi.fn();
  job.abortWith(controller.signal, onAborted);
  return { job, controller, onAborted };
}

describe('an abort', () => {
  it.each<Phase>(['waiting', 'to-backup'])('takes back a job that was never sent: %s', async (phase) => {
    const { job, controller, onAborted } = makeJob();
    job.phase = phase;
    controller.abort(new Error('why'));
    await expect(job.promise).rejects.toMatchObject({ code: 'ABORTED', jobId: 'mine' });
    expect(onAborted).toHaveBeenCalledTimes(1);
    expect(job.isSettled).toBe(true);
  });

  it.each<[Phase, number]>([
    ['sending', 1],
    ['to-backup', 1],
    ['appending', 1],
    ['appending', 0],
    ['settled', 0],
  ])('has no effect in phase %s, last sent at %i: the job may be somewhere', async (phase, lastAttemptAt) => {
    const { job, controller, onAborted } = makeJob();
    job.phase = phase;
    job.lastAttemptAt = lastAttemptAt;
    controller.abort();
    expect(onAborted).not.toHaveBeenCalled();
    expect(job.phase).toBe(phase);
    job.resolve({ id: 'mine', outcome: 'duplicate' });
    expect(await job.promise).toEqual({ id: 'mine', outcome: 'duplicate' });
  });

  it('is no longer listened for once the job has settled', () => {
    const { job, controller } = makeJob();
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1);
    job.resolve({ id: 'mine', outcome: 'duplicate' });
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });
});

describe('the record for the backup', () => {
  it('is the job itself while nothing was sent', () => {
    const { job } = makeJob();
    expect(job.toBackup()).toBe(job.record);
  });

  it('says unknown, and since when, as long as an attempt has no answer', () => {
    const { job } = makeJob();
    job.lastAttemptAt = 5;
    job.unanswered = 1;
    expect(job.toBackup()).toEqual({ ...job.record, fate: 'unknown', lastAttemptAt: 5 });
    job.unanswered = 0;
    expect(job.toBackup()).toEqual({ ...job.record, fate: 'not-delivered', lastAttemptAt: 5 });
  });
});
