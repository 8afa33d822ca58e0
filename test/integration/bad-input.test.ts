import { getEventListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import {
  isEnqueueManyError,
  isResilientQueueError,
  type JobInput,
  MemoryBackupStore,
  type QueueOptions,
  type Receipt,
  ResilientQueue,
  type ResilientQueueError,
  streamKey,
} from '../../src/index.js';
import { RedisServer } from '../support/redis-server.js';
import { readStream } from '../support/stream.js';
import { rejectionOf, thrownBy } from '../unit/support/thrown.js';

const NAME = 'bad-input';
const STREAM = streamKey(NAME);
const ENQUEUED = { outcome: 'enqueued', durability: 'acked' };

let server: RedisServer;
let client: Redis;

beforeAll(async () => {
  server = await RedisServer.start({ appendOnly: 'no' });
  client = new Redis({ port: server.port });
  client.on('error', () => {});
});

afterAll(async () => {
  client.disconnect();
  await server.stop();
});

beforeEach(() => server.command('FLUSHALL'));

function openQueue(options: Partial<QueueOptions> = {}) {
  const store = new MemoryBackupStore();
  const queue = new ResilientQueue(NAME, { redis: client, backup: store, ...options });
  onTestFinished(async () => {
    // Not waited for: what a test shows may be that it never ends.
    await Promise.race([queue.close({ timeoutMs: 100 }), sleep(1000)]);
  });
  const breaker: string[] = [];
  queue.on('breaker', ({ state }) => breaker.push(state));
  queue.on('error', () => {});
  return { queue, store, breaker };
}

type Opened = ReturnType<typeof openQueue>;

const jobsInStream = async () => (await readStream(server, STREAM)).map((entry) => entry.fields);

/** All that a job could have been written to. */
async function everythingWritten({ queue, store }: Opened) {
  const { totals, backup, breaker, status } = queue.health();
  const keys = ((await server.command('KEYS', '*')) as string[]).sort();
  return {
    keys,
    jobs: await jobsInStream(),
    stats: await store.stats(NAME),
    backup,
    breaker,
    status,
    totals: { ...totals, rejected: undefined },
  };
}

const circular: Record<string, unknown> = {};
circular.self = circular;

type Enqueue = (queue: ResilientQueue) => Promise<unknown>;
type BadJob = readonly [what: string, code: string, enqueue: Enqueue];

const bad = (what: string, code: string, payload: unknown, options?: unknown): BadJob => [
  what,
  code,
  (queue) => queue.enqueue('job', payload, options as never),
];
const badName = (what: string, name: unknown): BadJob => [
  what,
  'NAME_INVALID',
  (queue) => queue.enqueue(name as string),
];

const badJobs: readonly BadJob[] = [
  bad('a circular payload', 'PAYLOAD_INVALID', circular),
  bad('a BigInt payload', 'PAYLOAD_INVALID', { n: 1n }),
  bad('a function as payload', 'PAYLOAD_INVALID', () => {}),
  bad('a payload whose toJSON throws', 'PAYLOAD_INVALID', {
    toJSON() {
      throw new Error('mine');
    },
  }),
  bad('a payload that headers make too large', 'PAYLOAD_TOO_LARGE', 'x'.repeat(1024 * 1024 - 2), {
    headers: { a: 'b' },
  }),
  bad('a payload one byte too large', 'PAYLOAD_TOO_LARGE', 'x'.repeat(1024 * 1024 - 1)),
  bad('an empty id', 'ID_INVALID', 1, { id: '' }),
  bad('an id of 257 bytes', 'ID_INVALID', 1, { id: 'x'.repeat(257) }),
  bad('an id that is not valid UTF-8', 'ID_INVALID', 1, { id: 'a\ud800' }),
  bad('an id with a control character', 'ID_INVALID', 1, { id: 'a\nb' }),
  bad('an id that is a number', 'ID_INVALID', 1, { id: 7 }),
  bad('an id that is null', 'ID_INVALID', 1, { id: null }),
  badName('an empty name', ''),
  badName('a name of 257 bytes', 'x'.repeat(257)),
  badName('no name', undefined),
  bad('runAt, which a stream cannot honour', 'OPTION_UNSUPPORTED', 1, { runAt: Date.now() + 1000 }),
  bad('orderingKey, which a stream cannot honour', 'OPTION_UNSUPPORTED', 1, { orderingKey: 'a' }),
  bad("options of another transport's", 'OPTION_UNSUPPORTED', 1, { transport: { ttl: 5 } }),
  bad('a durability of a later release', 'OPTION_UNSUPPORTED', 1, { durability: 'replicated' }),
  bad('an unknown option', 'OPTION_UNSUPPORTED', 1, { delay: 5 }),
  bad('options that are no object', 'OPTION_UNSUPPORTED', 1, 'id'),
  bad('options that are null', 'OPTION_UNSUPPORTED', 1, null),
  bad('an expiry in the past', 'OPTION_UNSUPPORTED', 1, { expiresAt: Date.now() - 1 }),
  bad('an expiry that is no time', 'OPTION_UNSUPPORTED', 1, { expiresAt: new Date('never') }),
  bad('an expiry that is text', 'OPTION_UNSUPPORTED', 1, { expiresAt: 'tomorrow' }),
  bad('headers that are no object', 'OPTION_UNSUPPORTED', 1, { headers: 'a: b' }),
  bad('headers that are not text', 'OPTION_UNSUPPORTED', 1, { headers: { n: 1 } }),
  bad('headers in a Map, which would vanish', 'OPTION_UNSUPPORTED', 1, { headers: new Map([['a', 'b']]) }),
  bad('headers of fetch, which would vanish', 'OPTION_UNSUPPORTED', 1, { headers: new Headers({ a: 'b' }) }),
  bad('a signal that is null', 'OPTION_UNSUPPORTED', 1, { signal: null }),
  bad('a signal that is none', 'OPTION_UNSUPPORTED', 1, { signal: {} }),
  bad('a signal aborted before', 'ABORTED', 1, { signal: AbortSignal.abort() }),
];

describe('a bad job', () => {
  it.each(badJobs)(
    'is refused at once, by a typed error, and nothing is written: %s',
    async (_, code, enqueue) => {
      const opened = openQueue();
      await opened.queue.enqueue('good', 1);
      const before = await everythingWritten(opened);

      const error = await rejectionOf(enqueue(opened.queue));
      expect(isResilientQueueError(error), String(error)).toBe(true);
      expect(error).toMatchObject({ code, fate: 'not-delivered' });
      expect(await everythingWritten(opened)).toEqual(before);

      expect(await opened.queue.enqueue('good', 2)).toMatchObject(ENQUEUED);
      expect((await jobsInStream()).map(({ payload }) => payload)).toEqual(['1', '2']);
      expect(opened.breaker).toEqual([]);
    },
  );

  it('does not wait for a Redis that hangs', async () => {
    const { queue } = openQueue();
    await queue.enqueue('good');
    server.pause();
    try {
      for (const [what, , enqueue] of badJobs) {
        const next = sleep(200, 'still waiting');
        const answer = await Promise.race([rejectionOf(enqueue(queue)), next]);
        expect(answer, what).not.toBe('still waiting');
      }
    } finally {
      server.resume();
    }
  });

  it('is refused in the line of others, which go through', async () => {
    const { queue } = openQueue();
    const calls = badJobs.flatMap(([, , enqueue]) => [queue.enqueue('good'), enqueue(queue)]);
    const settled = await Promise.allSettled(calls);
    expect(settled.map(({ status }) => status)).toEqual(badJobs.flatMap(() => ['fulfilled', 'rejected']));
    expect(await jobsInStream()).toHaveLength(badJobs.length);
  });

  it.each(badJobs)('leaves nothing that close() would wait for: %s', async (_, __, enqueue) => {
    const { queue } = openQueue();
    await rejectionOf(enqueue(queue));
    expect(await Promise.race([queue.close({ timeoutMs: 100 }), sleep(1000)])).toEqual({ pending: 0 });
  });

  it('that is too large for this queue may be right for another', async () => {
    const { queue } = openQueue({ maxPayloadBytes: 5 });
    expect(await queue.enqueue('job', 'abc')).toMatchObject(ENQUEUED);
    expect(await rejectionOf(queue.enqueue('job', 'abcd'))).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
  });
});

describe('a bad queue', () => {
  it.each([
    ['no client', NAME, { redis: {} }],
    ['a URL', NAME, { redis: 'redis://localhost' }],
    ['no backup', NAME, { backup: undefined }],
    ['a bad option', NAME, { deadlineMs: -1 }],
    ['an unknown option', NAME, { retries: 3 }],
    ['an empty name', '', {}],
    ['a name of 201 bytes', 'x'.repeat(201), {}],
    ['braces in its name', 'a{b}', {}],
  ])('throws, and neither writes nor connects: %s', async (_, name, options) => {
    const connections = await server.command('CLIENT', 'LIST');
    const own = new Redis({ port: server.port, lazyConnect: true });
    const given = { redis: own, backup: new MemoryBackupStore(), ...options } as unknown as QueueOptions;
    const error = thrownBy(() => new ResilientQueue(name, given));
    expect(error instanceof TypeError || error instanceof RangeError).toBe(true);
    expect(own.status).toBe('wait');
    expect(await server.command('DBSIZE')).toBe(0);
    expect(String(await server.command('CLIENT', 'LIST')).split('\n')).toHaveLength(
      String(connections).split('\n').length,
    );
  });
});

describe('a bad call', () => {
  type Call = (queue: ResilientQueue) => Promise<unknown>;
  const bad = <Value>(value: unknown) => value as Value;
  it.each<[string, Call]>([
    ['check(null)', (queue) => queue.check(bad(null))],
    ['check() with an option that there is not', (queue) => queue.check(bad({ timeout: 5 }))],
    ['check() with no AbortSignal', (queue) => queue.check({ signal: bad('now') })],
    ['replay(null)', (queue) => queue.replay(bad(null))],
    ['replay() with no AbortSignal', (queue) => queue.replay({ signal: bad({}) })],
    ['replay() with no function', (queue) => queue.replay({ onProgress: bad(1) })],
    ['execute() without a function', (queue) => queue.execute(undefined as unknown as () => Promise<void>)],
    ['execute() with null', (queue) => queue.execute(async () => 1, bad(null))],
    ['execute() that is perhaps idempotent', (queue) => queue.execute(async () => 1, { idempotent: bad(1) })],
    ['close(null)', (queue) => queue.close(bad(null))],
    ['close() with an option that there is not', (queue) => queue.close(bad({ timeout: 5 }))],
  ])('is refused, saying what is expected, and the queue goes on: %s', async (_, call) => {
    const { queue } = openQueue();
    const error = await rejectionOf(call(queue));
    expect(error).toBeInstanceOf(TypeError);
    expect(String(error)).toMatch(/option|execute\(\) takes a function/i);
    expect(String(error)).not.toMatch(/Cannot read/);
    expect(await queue.enqueue('job')).toMatchObject(ENQUEUED);
  });
});

describe('after close()', () => {
  it('everything but health is refused, and nothing is written', async () => {
    const opened = openQueue();
    await opened.queue.enqueue('good');
    await opened.queue.close();
    const keys = await server.command('KEYS', '*');
    const { queue } = opened;
    for (const call of [
      () => queue.enqueue('job'),
      () => queue.enqueueMany([{ name: 'job' }]),
      () => queue.replay(),
      () => queue.execute(async () => 1),
    ]) {
      expect(await rejectionOf(call())).toMatchObject({ code: 'QUEUE_CLOSED', fate: 'not-delivered' });
    }
    expect(queue.health().queue).toBe(NAME);
    expect(await server.command('KEYS', '*')).toEqual(keys);
    expect(await jobsInStream()).toHaveLength(1);
  });
});

describe('a key of the wrong type in the place of the stream', () => {
  beforeEach(() => server.command('SET', STREAM, 'somebody’s'));

  it('rejects each job, touches neither breaker nor backup, and the same job works once the key is gone', async () => {
    const opened = openQueue();
    const { queue, store, breaker } = opened;
    const jobs = [undefined, { id: 'mine' }, undefined, { id: 'yours', headers: { k: 'v' } }];
    const errors = await Promise.all(jobs.map((options) => rejectionOf(queue.enqueue('job', 1, options))));
    for (const error of errors) {
      expect(error).toMatchObject({ code: 'REJECTED_BY_REDIS', fate: 'not-delivered' });
      expect((error as ResilientQueueError).jobId).toBeTypeOf('string');
      expect((error as ResilientQueueError).cause).toMatchObject({ kind: 'wrongtype' });
    }
    expect(breaker).toEqual([]);
    expect(queue.health()).toMatchObject({ status: 'up', breaker: 'closed', totals: { rejected: 4 } });
    expect(queue.health().redis.reachable).toBe(true);
    expect(await store.stats(NAME)).toMatchObject({ pending: 0, parked: 0 });
    expect(await server.command('GET', STREAM)).toBe('somebody’s');

    await server.command('DEL', STREAM);
    const again = errors.map((error) => (error as ResilientQueueError).jobId as string);
    for (const id of again) expect(await queue.enqueue('job', 1, { id })).toEqual({ id, ...ENQUEUED });
    expect((await jobsInStream()).map(({ id }) => id)).toEqual(again);
    expect(await queue.enqueue('good')).toMatchObject(ENQUEUED);
  });

  it('never opens the breaker, however many jobs meet it', async () => {
    const { queue, breaker } = openQueue({ breaker: { failures: 1 } });
    const settled = await Promise.allSettled(Array.from({ length: 1000 }, () => queue.enqueue('job')));
    expect(settled.every(({ status }) => status === 'rejected')).toBe(true);
    expect(breaker).toEqual([]);
  });

  it('says duplicate of no job that is not there', async () => {
    const { queue } = openQueue();
    const attempts = Array.from({ length: 50 }, () => rejectionOf(queue.enqueue('job', 1, { id: 'mine' })));
    for (const error of await Promise.all(attempts))
      expect(error).toMatchObject({ code: 'REJECTED_BY_REDIS' });
    // One after another too: each retry within a millisecond or two of the refusal.
    for (let n = 0; n < 50; n++) {
      const error = await rejectionOf(queue.enqueue('job', 1, { id: 'mine' }));
      expect(error).toMatchObject({ code: 'REJECTED_BY_REDIS' });
    }
  });
});

describe('a signal', () => {
  it('aborted before takes the job back, says why, and names it', async () => {
    const { queue } = openQueue();
    const reason = new Error('changed my mind');
    const error = await rejectionOf(
      queue.enqueue('job', 1, { id: 'mine', signal: AbortSignal.abort(reason) }),
    );
    expect(error).toMatchObject({ code: 'ABORTED', fate: 'not-delivered', jobId: 'mine', cause: reason });
    expect(await server.command('EXISTS', STREAM)).toBe(0);
    expect(await queue.enqueue('job', 1, { id: 'mine' })).toMatchObject(ENQUEUED);
  });

  it('aborted while the job is in line takes it back too', async () => {
    const { queue } = openQueue();
    const controller = new AbortController();
    const [kept, taken, alsoKept] = [
      queue.enqueue('job', 'kept'),
      queue.enqueue('job', 'taken', { signal: controller.signal }),
      queue.enqueue('job', 'kept'),
    ];
    controller.abort();
    expect(await rejectionOf(taken as Promise<unknown>)).toMatchObject({
      code: 'ABORTED',
      fate: 'not-delivered',
    });
    expect(await Promise.all([kept, alsoKept])).toMatchObject([ENQUEUED, ENQUEUED]);
    expect((await jobsInStream()).map(({ payload }) => payload)).toEqual(['"kept"', '"kept"']);
    expect(queue.health().totals).toMatchObject({ accepted: 2, rejected: 1 });
  });

  it('aborted after the job was sent has no effect, and is let go of', async () => {
    const { queue } = openQueue();
    const controller = new AbortController();
    server.pause();
    const sent = queue.enqueue('job', 1, { signal: controller.signal });
    await sleep(20);
    controller.abort();
    server.resume();
    expect(await sent).toMatchObject(ENQUEUED);
    expect(await jobsInStream()).toHaveLength(1);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });

  it('never aborted is let go of', async () => {
    const { queue } = openQueue();
    const { signal } = new AbortController();
    await queue.enqueue('job', 1, { signal });
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});

describe('enqueueMany', () => {
  const input = (name: string, payload: unknown, options?: object): JobInput<Record<string, unknown>> =>
    ({ name, payload, ...(options && { options }) }) as JobInput<Record<string, unknown>>;

  it('sends none when one is bad', async () => {
    const opened = openQueue();
    await opened.queue.enqueue('good');
    const before = await everythingWritten(opened);
    const jobs = [input('job', 1), input('job', 2, { id: 'mine' }), input('job', 3n), input('job', 4)];
    expect(await rejectionOf(opened.queue.enqueueMany(jobs))).toMatchObject({
      code: 'PAYLOAD_INVALID',
      fate: 'not-delivered',
    });
    await sleep(50);
    expect(await everythingWritten(opened)).toEqual(before);
    expect(await opened.queue.enqueueMany(jobs.filter(({ payload }) => payload !== 3n))).toHaveLength(3);
    expect(await jobsInStream()).toHaveLength(4);
  });

  it('leaves nothing that close() would wait for when one is bad', async () => {
    const { queue } = openQueue();
    await rejectionOf(queue.enqueueMany([input('job', 1), input('job', 3n)]));
    expect(await Promise.race([queue.close({ timeoutMs: 100 }), sleep(1000)])).toEqual({ pending: 0 });
  });

  it('lets go of the signals of the others when one is bad', async () => {
    const { queue } = openQueue();
    const { signal } = new AbortController();
    await rejectionOf(queue.enqueueMany([input('job', 1, { signal }), input('job', 3n)]));
    // A listener that stays would reject a promise that nobody has.
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('resolves with receipts in order, also of none', async () => {
    const { queue } = openQueue();
    const receipts = await queue.enqueueMany([
      input('job', 1, { id: 'a' }),
      input('job', 2, { id: 'b' }),
      input('job', 3, { id: 'a' }),
    ]);
    expect(receipts).toEqual([
      { id: 'a', ...ENQUEUED },
      { id: 'b', ...ENQUEUED },
      { id: 'a', outcome: 'duplicate' },
    ]);
    expect(await queue.enqueueMany([])).toEqual([]);
  });

  it('rejects with a result for each when some are refused', async () => {
    const { queue } = openQueue();
    await server.command('RPUSH', `rsq:{${NAME}}:id:mine`, 'of a wrong type');
    const controller = new AbortController();
    const many = queue.enqueueMany([
      input('job', 1, { id: 'first' }),
      input('job', 2, { id: 'mine' }),
      input('job', 3, { signal: controller.signal }),
      input('job', 4, { id: 'last' }),
    ]);
    controller.abort();
    const error = await rejectionOf(many);
    if (!isEnqueueManyError(error)) throw new Error('Not an EnqueueManyError', { cause: error });
    expect(error).toMatchObject({ code: 'REJECTED_BY_REDIS', fate: 'not-delivered', jobId: 'mine' });
    expect(error.results).toMatchObject([
      { id: 'first', outcome: 'enqueued' },
      { code: 'REJECTED_BY_REDIS', fate: 'not-delivered', jobId: 'mine' },
      { code: 'ABORTED', fate: 'not-delivered' },
      { id: 'last', outcome: 'enqueued' },
    ]);
    expect((error.results[0] as Receipt).id).toBe('first');
    expect((await jobsInStream()).map(({ id }) => id)).toEqual(['first', 'last']);
  });

  it.each([
    ['undefined', undefined],
    ['no list', { name: 'job' }],
    ['a list of nothing', [undefined]],
    ['a list of names', ['job']],
  ])('refuses by a typed error what is no list of jobs: %s', async (_, jobs) => {
    const { queue } = openQueue();
    const error = await rejectionOf(queue.enqueueMany(jobs as never));
    expect(isResilientQueueError(error), String(error)).toBe(true);
    expect(await queue.enqueue('good')).toMatchObject(ENQUEUED);
  });
});
