import { beforeAll, describe, expect, it, vi } from 'vitest';
import {
  EnqueueManyError,
  isEnqueueManyError,
  isResilientQueueError,
  ResilientQueueError,
} from '../../../src/index.js';

const details = { code: 'ABORTED', fate: 'not-delivered' } as const;

describe('an error of another copy of the library', () => {
  let other: typeof import('../../../src/index.js');
  beforeAll(async () => {
    // As when one dependency loads us by `require` and another by `import`.
    vi.resetModules();
    other = await import('../../../src/index.js');
  });

  it('is no instance of our class, and known by its brand', () => {
    const error = new other.ResilientQueueError('away', details);
    expect(error).not.toBeInstanceOf(ResilientQueueError);
    expect(isResilientQueueError(error)).toBe(true);
    expect(other.isResilientQueueError(new ResilientQueueError('away', details))).toBe(true);
  });

  it('is known as an EnqueueManyError too', () => {
    const error = new other.EnqueueManyError([new other.ResilientQueueError('away', details)]);
    expect(error).not.toBeInstanceOf(EnqueueManyError);
    expect(isEnqueueManyError(error)).toBe(true);
    expect(isResilientQueueError(error)).toBe(true);
  });
});

it('is an Error with code, fate, job and cause', () => {
  const cause = new Error('why');
  const error = new ResilientQueueError('away', { ...details, jobId: 'j', cause });
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({
    name: 'ResilientQueueError',
    message: 'away',
    code: 'ABORTED',
    fate: 'not-delivered',
    jobId: 'j',
    cause,
  });
});

it('has no cause and no job where there is none', () => {
  const error = new ResilientQueueError('away', details);
  expect('cause' in error).toBe(false);
  expect(error.jobId).toBeUndefined();
});

it('does not show its brand', () => {
  const error = new ResilientQueueError('away', details);
  expect(Object.keys(error).sort()).toEqual(['code', 'fate', 'jobId', 'name']);
  expect(JSON.parse(JSON.stringify(error))).toEqual({ name: 'ResilientQueueError', ...details });
});

it.each([null, undefined, 'ResilientQueueError', new Error('x'), { code: 'ABORTED', fate: 'unknown' }])(
  'is not what only looks alike: %o',
  (value) => {
    expect(isResilientQueueError(value)).toBe(false);
    expect(isEnqueueManyError(value)).toBe(false);
  },
);

describe('EnqueueManyError', () => {
  const receipt = { id: 'a', outcome: 'enqueued', durability: 'acked' } as const;
  const nowhere = new ResilientQueueError('refused', {
    code: 'REJECTED_BY_REDIS',
    fate: 'not-delivered',
    jobId: 'b',
  });
  const somewhere = new ResilientQueueError('no answer', {
    code: 'UNAVAILABLE',
    fate: 'unknown',
    jobId: 'c',
  });

  it('tells of the first failure, and has every result in order', () => {
    const error = new EnqueueManyError([receipt, nowhere]);
    expect(error).toBeInstanceOf(ResilientQueueError);
    expect(error).toMatchObject({
      name: 'EnqueueManyError',
      code: 'REJECTED_BY_REDIS',
      fate: 'not-delivered',
      jobId: 'b',
      cause: nowhere,
    });
    expect(error.results).toEqual([receipt, nowhere]);
    expect(error.message).toContain('1 of 2');
  });

  it('is of unknown fate as soon as one of them is', () => {
    expect(new EnqueueManyError([nowhere, receipt, somewhere]).fate).toBe('unknown');
  });
});
