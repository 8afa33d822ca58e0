import { describe, expect, it } from 'vitest';
import { bullMqJob } from '../../../../src/transport/bullmq/bullmq-job.js';
import { jobRecord } from '../../support/job-record.js';
import { thrownBy } from '../../support/thrown.js';

const NOW = 1_700_000_100_000;
const ENQUEUED_AT = NOW - 60_000;
const made = (fields: Parameters<typeof jobRecord>[0], now = NOW) =>
  bullMqJob(jobRecord({ id: 'mine', enqueuedAt: ENQUEUED_AT, ...fields }), 86_400_000, now);

describe('a job for add()', () => {
  it('has its id in both of the ways in which BullMQ knows it again', () => {
    expect(made({ name: 'job', payload: '{"n":1}' })).toEqual({
      name: 'job',
      data: { n: 1 },
      opts: { jobId: 'mine', deduplication: { id: 'rsq:mine', ttl: 86_400_000 }, timestamp: ENQUEUED_AT },
    });
  });

  it('has its options, and none of them in place of what knows it again', () => {
    const transportOptions = { attempts: 3, timestamp: 5, jobId: 'other', deduplication: { id: 'other' } };
    expect(made({ transportOptions }).opts).toEqual({
      ...{ attempts: 3, timestamp: 5, jobId: 'mine' },
      deduplication: { id: 'rsq:mine', ttl: 86_400_000 },
    });
  });

  it.each([
    ['in time', NOW + 1000, {}, 61_000],
    ['in a fraction of a ms: not before', NOW + 0.2, {}, 60_001],
    ['now', NOW, {}, 0],
    ['past, by the time it is laid down', NOW - 1, {}, 0],
    ['before it was enqueued', ENQUEUED_AT - 5, {}, 0],
    ['from a timestamp of its own', NOW + 1000, { timestamp: NOW - 5000 }, 6000],
  ])('is due when it was due: %s', (_, runAt, transportOptions, delay) => {
    const { opts } = made({ runAt, transportOptions });
    expect(opts.delay).toBe(delay);
    if (delay > 0) expect((opts.timestamp as number) + delay).toBe(Math.ceil(runAt));
  });

  it('is due at once when it comes too late', () => {
    expect(made({ runAt: NOW + 1000 }, NOW + 2000).opts.delay).toBe(0);
  });

  it('has a whole number as its timestamp, whatever the clock', () => {
    expect(made({ enqueuedAt: 12.7 }).opts.timestamp).toBe(12);
  });

  it('is no job when a store gave back what is no JSON, and the error does not quote it', () => {
    const error = thrownBy(() => made({ payload: '{"secret":' })) as Error;
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).not.toContain('secret');
    expect(error.cause).toBeUndefined();
  });
});
