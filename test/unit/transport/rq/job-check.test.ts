import { describe, expect, it } from 'vitest';
import type { JobRecord } from '../../../../src/index.js';
import { checkRqJob } from '../../../../src/transport/rq/job-check.js';
import { jobRecord } from '../../support/job-record.js';
import { thrownBy } from '../../support/thrown.js';

/** As `enqueue()` has a job checked. */
function check(fields: Partial<JobRecord>, payload: unknown = [], options?: object): void {
  const record = jobRecord({
    name: 'tasks.answer',
    payload: JSON.stringify(payload ?? null),
    ...(options && { transportOptions: JSON.parse(JSON.stringify(options)) }),
    ...fields,
  });
  checkRqJob(record, options, payload);
}

const refused = (fields: Partial<JobRecord>, payload?: unknown, options?: object) =>
  thrownBy(() => check(fields, payload, options));

describe('a name', () => {
  it.each(['tasks.answer', 'a.b.c.D.e', '_a._b', 'modul.žofie', 'm.f2'])('%s is a function', (name) => {
    expect(() => check({ name })).not.toThrow();
  });

  it.each([
    'answer',
    '.answer',
    'tasks.',
    'tasks..answer',
    'faq-generate.a',
    'a b.c',
    'a.2',
    'a.b()',
    'a.b\n',
  ])('%j is none', (name) => {
    expect(refused({ name })).toMatchObject({ code: 'NAME_INVALID', fate: 'not-delivered' });
  });
});

describe('an id', () => {
  it.each(['a', 'A_b-9', '018bcfe5680aaaaaaaaaaaaaaaa-0', 'x'.repeat(256)])('%s goes through RQ', (id) => {
    expect(() => check({ id })).not.toThrow();
  });

  it.each(['a:b', 'a b', 'ž', 'a.b', 'a/b', 'a\n', '{a}', '*'])('%j does not', (id) => {
    expect(refused({ id })).toMatchObject({ code: 'ID_INVALID', fate: 'not-delivered', jobId: id });
  });
});

describe('a payload', () => {
  it.each<[string, unknown]>([
    ['a list', ['a', { b: 1 }]],
    ['args and kwargs', { args: [1], kwargs: { a: 1 } }],
    ['nothing', undefined],
  ])('may be %s', (_, payload) => {
    expect(() => check({}, payload)).not.toThrow();
  });

  it.each<[string, unknown]>([
    ['null', null],
    ['text', 'secret'],
    ['another object', { question: 'secret' }],
    ['args that are none', { args: { secret: 1 } }],
  ])('may not be %s', (_, payload) => {
    const error = refused({ payload: JSON.stringify(payload) }, payload);
    expect(error).toMatchObject({ code: 'PAYLOAD_INVALID', fate: 'not-delivered' });
    expect(String(error)).not.toContain('secret');
  });

  it('is refused by the place of what JSON cannot hold', () => {
    expect(refused({}, { kwargs: { n: 2 ** 53 } })).toMatchObject({
      code: 'PAYLOAD_INVALID',
      message: expect.stringContaining('payload.kwargs.n is a whole number beyond Number.MAX_SAFE_INTEGER'),
    });
    expect(refused({}, [Number.NaN])).toMatchObject({ code: 'PAYLOAD_INVALID' });
  });

  it('is refused, without the getter’s words, when it can be read only once', () => {
    const error = refused({}, { kwargs: readOnce() });
    expect(error).toMatchObject({ code: 'PAYLOAD_INVALID', fate: 'not-delivered' });
    expect(error).not.toHaveProperty('cause', expect.anything());
    expect(String(error)).not.toContain('secret');
  });
});

/** Its getter throws when it is asked again. */
function readOnce(): object {
  let reads = 0;
  return {
    get secret() {
      reads += 1;
      if (reads > 1) throw new Error('secret');
      return 1;
    },
  };
}

describe('options', () => {
  it('are refused when they can be read only once', () => {
    expect(refused({}, [], { meta: readOnce() })).toMatchObject({ code: 'OPTION_UNSUPPORTED' });
  });

  it('are refused with a meta that JSON changes', () => {
    expect(refused({}, [], { meta: { tags: new Set(['a']) } })).toMatchObject({
      code: 'OPTION_UNSUPPORTED',
      message: expect.stringContaining('options.transport.meta.tags is neither'),
    });
  });

  const most = 2 ** 31 - 1;

  it.each<[object]>([
    [{}],
    [{ timeoutSeconds: 1 }],
    [{ timeoutSeconds: -1, ttlSeconds: most, resultTtlSeconds: 0, failureTtlSeconds: -1 }],
    [{ resultTtlSeconds: -1, failureTtlSeconds: most, timeoutSeconds: most }],
    [{ failureTtlSeconds: 0 }],
    [{ description: 'x'.repeat(1000), atFront: true, meta: {} }],
    [{ meta: { a: [1, 'b', null, { c: 0.5 }] }, atFront: false }],
    [{ retry: { max: 3 } }],
    [{ retry: { max: 1000, intervalSeconds: 0 } }],
    [{ retry: { max: 1, intervalSeconds: [10, 30, 60] } }],
  ])('%j can be honoured', (options) => {
    expect(() => check({}, [], options)).not.toThrow();
  });

  it.each<[object, string]>([
    [['a'], 'options.transport must be an object'],
    [{ jobTimeout: 1 }, 'options.transport.jobTimeout is no option'],
    [{ timeoutSeconds: 0 }, 'options.transport.timeoutSeconds must be a whole number from 1'],
    [{ timeoutSeconds: 1.5 }, 'options.transport.timeoutSeconds must'],
    [{ timeoutSeconds: '60' }, 'options.transport.timeoutSeconds must'],
    [{ timeoutSeconds: most + 1 }, 'options.transport.timeoutSeconds must'],
    [{ timeoutSeconds: Number.NaN }, 'options.transport.timeoutSeconds must'],
    [{ timeoutSeconds: -2 }, 'options.transport.timeoutSeconds must'],
    [{ ttlSeconds: 0 }, 'options.transport.ttlSeconds must be a whole number from 1'],
    [{ ttlSeconds: -1 }, 'options.transport.ttlSeconds must'],
    [{ resultTtlSeconds: -2 }, 'options.transport.resultTtlSeconds must be a whole number from 0'],
    [{ failureTtlSeconds: -2 }, 'options.transport.failureTtlSeconds must be a whole number from 0'],
    [{ description: '' }, 'options.transport.description must'],
    [{ description: 'x'.repeat(1001) }, 'options.transport.description must'],
    [{ description: '\ud800' }, 'options.transport.description must'],
    [{ description: 5 }, 'options.transport.description must'],
    [{ retry: 3 }, 'options.transport.retry must be { max, intervalSeconds? }'],
    [{ retry: {} }, 'options.transport.retry.max must be a whole number from 1 to 1000'],
    [{ retry: { max: 0 } }, 'options.transport.retry.max must'],
    [{ retry: { max: 1001 } }, 'options.transport.retry.max must'],
    [{ retry: { max: 1, interval: 1 } }, 'options.transport.retry.interval is no option'],
    [{ retry: { max: 1, intervalSeconds: -1 } }, 'options.transport.retry.intervalSeconds must'],
    [{ retry: { max: 1, intervalSeconds: [] } }, 'options.transport.retry.intervalSeconds must'],
    [{ retry: { max: 1, intervalSeconds: [1, 0.5] } }, 'options.transport.retry.intervalSeconds must'],
    [{ meta: 'a' }, 'options.transport.meta must be an object'],
    [{ meta: ['a'] }, 'options.transport.meta must be an object'],
    [{ meta: { a: 'x'.repeat(70_000) } }, 'options.transport.meta must be at most 65536 bytes'],
    [{ meta: { a: { b: Number.NaN } } }, 'options.transport.meta.a.b is nothing that JSON can hold'],
    [{ meta: { a: 2 ** 53 } }, 'options.transport.meta.a is a whole number beyond'],
    [{ atFront: 1 }, 'options.transport.atFront must be true or false'],
  ])('%j cannot', (options, message) => {
    expect(refused({}, [], options)).toMatchObject({
      ...{ code: 'OPTION_UNSUPPORTED', fate: 'not-delivered' },
      message: expect.stringContaining(message),
    });
  });

  it('with a ttl that ends before the job is due are refused', () => {
    const at = 1_700_000_000_000;
    const options = { ttlSeconds: 60 };
    expect(() => check({ runAt: at + 59_999, enqueuedAt: at }, [], options)).not.toThrow();
    expect(refused({ runAt: at + 60_000, enqueuedAt: at }, [], options)).toMatchObject({
      ...{
        code: 'OPTION_UNSUPPORTED',
        message: expect.stringContaining('ttlSeconds ends before options.runAt'),
      },
    });
  });
});
