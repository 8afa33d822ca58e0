import { inflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { Argument, JobRecord } from '../../../../src/index.js';
import { type Encoding, encodingOf } from '../../../../src/transport/rq/encoding.js';
import { pickle } from '../../../../src/transport/rq/pickle.js';
import { rqKeys } from '../../../../src/transport/rq/queue-keys.js';
import { rqLayout } from '../../../../src/transport/rq/rq-layout.js';
import { jobRecord } from '../../support/job-record.js';

const NOW = 1_700_000_000_500;
const json = encodingOf('json', false);

const make = (fields: Partial<JobRecord> = {}) =>
  jobRecord({ name: 'tasks.answer', payload: '["why"]', enqueuedAt: NOW - 500, ...fields });

/** A job's arguments by what they are. */
function written(fields: Partial<JobRecord>, now = NOW, encoding: Encoding = json) {
  const args: Argument[] = [];
  rqLayout(rqKeys('q'), encoding, now).write(args, make(fields), true, 9);
  const [key, data, createdAt, description, timeout, ttlMs, dueAt, push, callers, ...optional] = args;
  const [ttl, resultTtl, failureTtl, retriesLeft, retryIntervals, meta, atFront] = optional;
  return {
    ...{ key, data, createdAt, description, timeout, ttlMs, dueAt, push, callers },
    ...{ ttl, resultTtl, failureTtl, retriesLeft, retryIntervals, meta, atFront },
  };
}

describe('the arguments of a job', () => {
  it('without options are its key, data, date and description', () => {
    const args: Argument[] = [];
    rqLayout(rqKeys('q'), json, NOW).write(args, make(), false, 3);
    expect(args).toEqual([
      '3',
      '["tasks.answer",null,["why"],{}]',
      '2023-11-14T22:13:20.000Z',
      'tasks.answer',
    ]);
  });

  it('that no option asked for are empty', () => {
    expect(written({ transportOptions: { meta: {} } })).toMatchObject({
      ...{ key: '9', description: 'tasks.answer', timeout: '180', ttlMs: '', dueAt: '', push: 'RPUSH' },
      ...{
        ttl: '',
        resultTtl: '',
        failureTtl: '',
        retriesLeft: '',
        retryIntervals: '',
        meta: '',
        atFront: '',
      },
    });
  });

  it('are those that options ask for', () => {
    const transportOptions = {
      ...{ timeoutSeconds: 42, resultTtlSeconds: 0, failureTtlSeconds: -1, description: 'for you' },
      ...{ retry: { max: 3, intervalSeconds: [10, 30] }, meta: { a: 1 }, atFront: true },
    };
    expect(written({ transportOptions })).toMatchObject({
      ...{ timeout: '42', resultTtl: '0', failureTtl: '-1', description: 'for you', push: 'LPUSH' },
      ...{ retriesLeft: '3', retryIntervals: '[10,30]', meta: '{"a":1}', atFront: '' },
    });
    expect(written({ transportOptions: { retry: { max: 2 } } }).retryIntervals).toBe('[0]');
    expect(written({ transportOptions: { retry: { max: 2, intervalSeconds: 5 } } }).retryIntervals).toBe(
      '[5]',
    );
  });

  it('tell a caller’s id from a generated one', () => {
    expect(written({ id: 'mine' }).callers).toBe('1');
    expect(written({ transportOptions: { atFront: true } }).callers).toBe('');
  });

  it('hold the function and its arguments in JSON', () => {
    const payload = '{"args":[1,"ž"],"kwargs":{"a":{"b":null}}}';
    expect(written({ payload }).data).toBe('["tasks.answer",null,[1,"ž"],{"a":{"b":null}}]');
    expect(written({ payload: 'null' }).data).toBe('["tasks.answer",null,[],{}]');
    const compressed = written({ payload: '[1]' }, NOW, encodingOf('json', true)).data as Buffer;
    expect(inflateSync(compressed).toString()).toBe('["tasks.answer",null,[1],{}]');
  });

  it('or as a pickle, and meta, too', () => {
    const encoding = encodingOf('pickle', false);
    const { data, meta } = written({ payload: '[1]', transportOptions: { meta: { a: 1 } } }, NOW, encoding);
    expect(data).toEqual(pickle(['tasks.answer', null, [1], {}]));
    expect(meta).toEqual(pickle({ a: 1 }));
    const compressed = written({ payload: '[1]' }, NOW, encodingOf('pickle', true)).data as Buffer;
    expect(inflateSync(compressed)).toEqual(data);
  });
});

describe('what is left of a ttl', () => {
  const transportOptions = { ttlSeconds: 10 };

  it('counts from enqueue(), in ms for the key and in begun seconds for RQ', () => {
    expect(written({ transportOptions })).toMatchObject({ ttlMs: '9500', ttl: '10' });
    expect(written({ transportOptions }, NOW + 5000)).toMatchObject({ ttlMs: '4500', ttl: '5' });
    expect(written({ transportOptions }, NOW + 9499)).toMatchObject({ ttlMs: '1', ttl: '1' });
    // Over while it was on its way: RQ forgets it.
    expect(written({ transportOptions }, NOW + 60_000)).toMatchObject({ ttlMs: '1', ttl: '1' });
  });

  it('counts from the second in which a scheduled job is due, and is the scheduler’s to set', () => {
    const runAt = NOW + 3600;
    expect(written({ transportOptions, runAt })).toMatchObject({ dueAt: '1700000005', ttlMs: '', ttl: '5' });
    expect(written({ transportOptions, runAt: NOW + 9400 })).toMatchObject({ dueAt: '1700000010', ttl: '1' });
  });
});

describe('a job that is to be run later', () => {
  it('is due in the next whole second, never before', () => {
    expect(written({ runAt: 1_700_000_001_000 }).dueAt).toBe('1700000001');
    expect(written({ runAt: 1_700_000_001_001 }).dueAt).toBe('1700000002');
  });

  it('is due at once when its time has come, without a scheduler', () => {
    expect(written({ runAt: NOW })).toMatchObject({ dueAt: '', push: 'RPUSH' });
    expect(written({ runAt: NOW - 1, transportOptions: { atFront: true } })).toMatchObject({
      ...{ dueAt: '', push: 'LPUSH', atFront: '' },
    });
  });

  it('tells the scheduler that it goes to the front', () => {
    expect(written({ runAt: NOW + 1, transportOptions: { atFront: true } }).atFront).toBe('1');
  });
});
