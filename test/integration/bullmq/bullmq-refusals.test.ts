import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { EnqueueManyError, MemoryBackupStore, ResilientQueue } from '../../../src/index.js';
import { BullMqTransport } from '../../../src/transport/bullmq.js';
import { bullMqSite, openQueue } from '../../support/bullmq/bullmq-site.js';
import { type AnyQueue, bullMq5, bullMq6, bullMqKinds } from '../../support/bullmq/kinds.js';
import { waitFor } from '../../support/wait-for.js';

describe.each(bullMqKinds)('a job that Redis refuses: $name', (kind) => {
  it('in the middle of being added is nowhere, and runs when it is enqueued again', async () => {
    const { open, server, keys, work, idsRun, hasRun } = await bullMqSite(kind);
    const { queue } = open();
    await server.command('SET', 'bull:orders:wait', 'no list');
    await expect(queue.enqueue('job', 1, { id: 'mine' })).rejects.toMatchObject({
      ...{ code: 'REJECTED_BY_REDIS', fate: 'not-delivered', jobId: 'mine' },
      message: expect.stringMatching(/^Redis refused the job \(wrongtype\)/),
    });
    expect(await keys('bull:orders:*mine')).toEqual([]);
    await server.command('DEL', 'bull:orders:wait');
    expect(await queue.enqueue('job', 1, { id: 'mine' })).toMatchObject({ outcome: 'enqueued' });
    await work();
    await hasRun(1);
    expect(idsRun()).toEqual(['mine']);
  });

  it('takes none of its batch with it', async () => {
    const { open, server, work, idsRun, hasRun, keys } = await bullMqSite(kind);
    const { queue } = open();
    await server.command('SET', 'bull:orders:prioritized', 'no sorted set');
    const priority = (n: number) => ({ transport: { priority: n } as never });
    const failure = (await queue
      .enqueueMany([
        { name: 'job', payload: 1, options: { id: 'a' } },
        { name: 'job', payload: 2, options: { id: 'b', ...priority(1) } },
        { name: 'job', payload: 3 },
        { name: 'job', payload: 4, options: priority(2) },
        { name: 'job', payload: 5, options: { id: 'c' } },
      ])
      .catch((error: unknown) => error)) as EnqueueManyError;
    expect(failure).toBeInstanceOf(EnqueueManyError);
    expect(failure.results.map((result) => ('outcome' in result ? result.outcome : result.code))).toEqual([
      ...['enqueued', 'REJECTED_BY_REDIS', 'enqueued', 'REJECTED_BY_REDIS', 'enqueued'],
    ]);
    expect(await keys('bull:orders:b')).toEqual([]);
    await server.command('DEL', 'bull:orders:prioritized');
    expect(await queue.enqueue('job', 2, { id: 'b' })).toMatchObject({ outcome: 'enqueued' });
    await work();
    await hasRun(4);
    await sleep(200);
    expect(idsRun().filter((id) => (id ?? '').length === 1)).toEqual(['a', 'c', 'b']);
    expect(idsRun()).toHaveLength(4);
  });

  it('takes none of its batch with it that has run by the time it is looked for', async () => {
    const { bullMq, server, work, hasRun, keys } = await bullMqSite(kind, {
      defaultJobOptions: { removeOnComplete: true },
    });
    const transport = new BullMqTransport(bullMq);
    const connection = transport.connection as { send: typeof transport.connection.send };
    const send = connection.send.bind(connection);
    connection.send = async (args, key) => {
      const isLook = args.some((argument) => String(argument) === 'bull:orders:waiting-children');
      if (isLook) {
        await hasRun(1);
        const hashes = () => keys('bull:orders:[0-9]*-0');
        await waitFor(async () => (await hashes()).length === 0, { what: 'it to be removed' });
      }
      return send(args, key);
    };
    const queue = new ResilientQueue('orders', {
      ...{ transport, backup: new MemoryBackupStore(), deadlineMs: 5000, attemptTimeoutMs: 5000 },
    });
    onTestFinished(async () => void (await queue.close({ timeoutMs: 100 })));
    await work();
    await server.command('DEL', 'bull:orders:prioritized');
    await server.command('SET', 'bull:orders:prioritized', 'no sorted set');
    const failure = (await queue
      .enqueueMany([
        { name: 'job', payload: 1 },
        { name: 'job', payload: 2, options: { transport: { priority: 1 } as never } },
      ])
      .catch((error: unknown) => error)) as EnqueueManyError;
    expect(failure.results).toMatchObject([
      { outcome: 'enqueued' },
      { code: 'REJECTED_BY_REDIS', fate: 'not-delivered' },
    ]);
  });

  it('has a reason of its own', async () => {
    const { open, server } = await bullMqSite(kind);
    const { queue } = open();
    await queue.enqueue('job', 0);
    await server.command('DEL', 'bull:orders:wait');
    await server.command('SET', 'bull:orders:wait', 'no list');
    await server.command('ACL', 'SETUSER', 'default', '-zadd');
    const options = [{ id: 'a' }, { id: 'b', transport: { priority: 1 } as never }];
    const failure = (await queue
      .enqueueMany(options.map((options) => ({ name: 'job', payload: 1, options })))
      .catch((error: unknown) => error)) as EnqueueManyError;
    expect(failure.results).toMatchObject([
      { code: 'REJECTED_BY_REDIS', message: expect.stringContaining('(wrongtype)') },
      { code: 'REJECTED_BY_REDIS', message: expect.stringContaining('(noperm)') },
    ]);
  });

  it('is laid down over again, with scripts that Redis has lost', async () => {
    const { open, server, work, idsRun, hasRun } = await bullMqSite(kind);
    const { queue } = open();
    const receipts = [await queue.enqueue('job', 0, { id: 'job-0' })];
    for (let n = 1; n <= 3; n++) {
      await server.command('SCRIPT', 'FLUSH', 'SYNC');
      const some = [`job-${n}-a`, `job-${n}-b`].map((id) => queue.enqueue('job', n, { id }));
      receipts.push(...(await Promise.all(some)));
    }
    expect(receipts.map(({ outcome }) => outcome)).toEqual(new Array(7).fill('enqueued'));
    await work();
    await hasRun(7);
    expect(idsRun().sort()).toEqual(receipts.map(({ id }) => id).sort());
  });
});

describe('a job that may not be written whole', () => {
  it.each([bullMq6, bullMq5])('leaves nothing behind: $name', async (kind) => {
    const { open, server, keys, work, idsRun, hasRun } = await bullMqSite(kind);
    const { queue } = open();
    await queue.enqueue('job', 0, { id: 'before' });
    await server.command('ACL', 'SETUSER', 'default', '-lpush');
    await expect(queue.enqueue('job', 1, { id: 'mine' })).rejects.toMatchObject({
      ...{ code: 'REJECTED_BY_REDIS', fate: 'not-delivered' },
      message: expect.stringContaining('(noperm)'),
    });
    expect(await keys('bull:orders:*mine')).toEqual([]);
    await server.command('ACL', 'SETUSER', 'default', '+lpush');
    expect(await queue.enqueue('job', 1, { id: 'mine' })).toMatchObject({ outcome: 'enqueued' });
    await work();
    await hasRun(2);
    expect(idsRun()).toEqual(['before', 'mine']);
  });
});

const answerOf = (receipt: Promise<{ readonly outcome: string }>) =>
  receipt.then(
    ({ outcome }) => outcome,
    ({ code }) => code,
  );

describe('what is left behind of a job', () => {
  it('by a process that ended is not taken for the job', async () => {
    const { open, bullMq, server, work, idsRun, hasRun } = await bullMqSite(bullMq6);
    await bullMq.waitUntilReady();
    await server.command('SET', 'bull:orders:wait', 'no list');
    const deduplication = { id: 'rsq:mine', ttl: 60_000 };
    await expect(
      bullMq.add('job' as never, {} as never, { jobId: 'mine', deduplication } as never),
    ).rejects.toThrow('WRONGTYPE');
    await server.command('DEL', 'bull:orders:wait');
    const { queue } = open();
    expect(await queue.enqueue('job', 1, { id: 'mine' })).toMatchObject({ outcome: 'enqueued' });
    await work();
    await hasRun(1);
    expect(idsRun()).toEqual(['mine']);
  });

  it('is not taken for the job by an attempt that comes before it is removed, of this process or another', async () => {
    const { open, server, keys } = await bullMqSite(bullMq6);
    const other = bullMq6.make('orders', server.port);
    onTestFinished(other.end);
    const queues = [open().queue, openQueue(other.queue).queue];
    for (const queue of queues) await queue.enqueue('job', 0);
    await server.command('DEL', 'bull:orders:wait');
    await server.command('SET', 'bull:orders:wait', 'no list');
    const attempts: Promise<unknown>[] = [];
    for (let i = 0; i < 10; i++) {
      for (const queue of queues) attempts.push(answerOf(queue.enqueue('job', 1, { id: 'mine' })));
      await new Promise(setImmediate);
    }
    // One that was accepted, and then was nowhere, may wait in the backup, and others be duplicates of that.
    const answers = await Promise.all(attempts);
    expect(answers).toContain('REJECTED_BY_REDIS');
    expect(answers).not.toContain('enqueued');
    await expect.poll(() => keys('bull:orders:*mine')).toEqual([]);
  });

  it('is not taken for the job by a second attempt that reaches Redis before the first is refused', async () => {
    const { open, server } = await bullMqSite(bullMq6);
    const { queue } = open();
    await queue.enqueue('job', 0);
    await server.command('DEL', 'bull:orders:wait');
    await server.command('SET', 'bull:orders:wait', 'no list');
    // The client sends what it did not have with its text once it hears so: after the second attempt.
    await server.command('SCRIPT', 'FLUSH', 'SYNC');
    await server.command('CLIENT', 'PAUSE', '600', 'ALL');
    const answers = [{ id: 'mine' }, {}].map((options) => answerOf(queue.enqueue('job', 1, options)));
    expect(await Promise.all(answers)).not.toContain('enqueued');
  });

  it('and could not be removed leaves the fate of this job unknown, of no other, and is removed next time', async () => {
    const { bullMq, server, work, idsRun, hasRun } = await bullMqSite(bullMq6);
    const transport = new BullMqTransport(bullMq);
    const connection = transport.connection as { send: typeof transport.connection.send };
    const send = connection.send.bind(connection);
    const queue = new ResilientQueue('orders', { transport, backup: new MemoryBackupStore() });
    onTestFinished(async () => void (await queue.close({ timeoutMs: 100 })));
    queue.on('error', () => {});
    let looks = 0;
    connection.send = (args, key) => {
      const isLook = args.some((argument) => String(argument) === 'bull:orders:waiting-children');
      // One comes before they are added, one behind them, one after.
      if (isLook && [2, 3].includes(++looks)) return Promise.reject(new Error('Socket closed unexpectedly'));
      return send(args, key);
    };
    await bullMq.waitUntilReady();
    await server.command('SET', 'bull:orders:prioritized', 'no sorted set');
    const jobs = [
      { name: 'job', payload: 1, options: { id: 'mine', transport: { priority: 1 } as never } },
      { name: 'job', payload: 2 },
    ];
    const failure = (await queue.enqueueMany(jobs).catch((error: unknown) => error)) as EnqueueManyError;
    expect(failure.results).toMatchObject([
      { code: 'REJECTED_BY_REDIS', fate: 'unknown', message: expect.stringContaining('(wrongtype)') },
      { outcome: 'enqueued' },
    ]);
    expect(await server.command('EXISTS', 'bull:orders:mine')).toBe(1);
    await server.command('DEL', 'bull:orders:prioritized');
    expect(await queue.enqueue('job', 1, { id: 'mine' })).toMatchObject({ outcome: 'enqueued' });
    await work();
    await hasRun(2);
    expect(idsRun()).toContain('mine');
  });

  it('of a replay is not taken for the job by the next one', async () => {
    const { bullMq, server, work, idsRun, hasRun } = await bullMqSite(bullMq6);
    const transport = new BullMqTransport(bullMq);
    const connection = transport.connection as { send: typeof transport.connection.send };
    const send = connection.send.bind(connection);
    const queue = new ResilientQueue('orders', {
      ...{ transport, backup: new MemoryBackupStore(), replay: { pollMs: 100 } },
    });
    onTestFinished(async () => void (await queue.close({ timeoutMs: 100 })));
    queue.on('error', () => {});
    let looks = 0;
    connection.send = (args, key) => {
      const isLook = args.some((argument) => String(argument) === 'bull:orders:waiting-children');
      if (isLook && ++looks === 1) return Promise.reject(new Error('Socket closed unexpectedly'));
      return send(args, key);
    };
    await bullMq.waitUntilReady();
    const isolation = queue.isolate();
    const { id } = await queue.enqueue('job', 1);
    await server.command('SET', 'bull:orders:wait', 'no list');
    isolation.dispose();
    await waitFor(() => looks === 1, { what: 'the job to be refused' });
    await server.command('DEL', 'bull:orders:wait');
    await waitFor(() => queue.health().totals.delivered === 1, { what: 'the job to be replayed' });
    await work();
    await hasRun(1);
    expect(idsRun()).toEqual([id]);
  });

  it("is removed only where it is of this transport: somebody else's job that stands in no line stays", async () => {
    const { open, server } = await bullMqSite(bullMq6);
    const { queue } = open();
    await server.command('HSET', 'bull:orders:mine', 'name', 'theirs');
    await expect(queue.enqueue('job', 1, { id: 'mine' })).rejects.toMatchObject({
      ...{
        code: 'REJECTED_BY_REDIS',
        fate: 'unknown',
        message: expect.stringContaining('not of this transport'),
      },
    });
    expect(await server.command('HGETALL', 'bull:orders:mine')).toEqual(['name', 'theirs']);
  });

  it('may be the deduplication alone, which is not taken for a job that has run', async () => {
    const { open, server, keys, work, idsRun, hasRun } = await bullMqSite(bullMq6);
    const { queue } = open({ replay: { pollMs: 100 } });
    await queue.enqueue('job', 0, { id: 'before' });
    const isolation = queue.isolate();
    const backedUp = ['first', 'second'];
    for (const id of backedUp) await queue.enqueue('job', 1, { id });
    await server.command('ACL', 'SETUSER', 'default', '-hmset');
    isolation.dispose();
    await expect(queue.enqueue('job', 1, { id: 'mine' })).rejects.toMatchObject({
      ...{ code: 'REJECTED_BY_REDIS', fate: 'not-delivered', message: expect.stringContaining('(noperm)') },
    });
    await sleep(500);
    expect(queue.health().totals).toMatchObject({ pending: 2, delivered: 1, parked: 0 });
    expect(await keys('bull:orders:*mine')).toEqual([]);
    await server.command('ACL', 'SETUSER', 'default', '+hmset');
    expect(await queue.enqueue('job', 1, { id: 'mine' })).toMatchObject({ outcome: 'enqueued' });
    await waitFor(() => queue.health().totals.pending === 0, { what: 'the replay' });
    await work();
    await hasRun(4);
    expect(idsRun().sort()).toEqual(['before', 'first', 'mine', 'second']);
  });
});

it('a Redis without LPOS has its lists looked through', async () => {
  const { open, server } = await bullMqSite(bullMq6);
  const { queue } = open();
  await queue.enqueue('job', 0, { id: 'mine' });
  await server.command('ACL', 'SETUSER', 'default', '-lpos');
  expect(await queue.enqueue('job', 1, { id: 'mine' })).toMatchObject({ outcome: 'duplicate' });
  expect(await queue.enqueue('job', 2, { id: 'other' })).toMatchObject({ outcome: 'enqueued' });
});

it('a job that cannot be looked for takes none of its batch with it', async () => {
  const { open, server } = await bullMqSite(bullMq6);
  const { queue } = open();
  await queue.enqueue('job', 0);
  await server.command('ACL', 'SETUSER', 'default', '-lpos', '-lrange');
  const jobs = [
    { name: 'job', payload: 1, options: { id: 'mine' } },
    { name: 'job', payload: 2, options: { id: 'later', runAt: Date.now() + 60_000 } },
    { name: 'job', payload: 3 },
  ];
  const failure = (await queue.enqueueMany(jobs).catch((error: unknown) => error)) as EnqueueManyError;
  expect(failure.results).toMatchObject([
    { code: 'REJECTED_BY_REDIS', fate: 'unknown', jobId: 'mine' },
    { outcome: 'enqueued' },
    { outcome: 'enqueued' },
  ]);
});

type Add = (
  name: string,
  data: unknown,
  opts: { readonly jobId: string },
) => Promise<{ readonly id?: unknown } | undefined>;

/** A queue whose `add()` the test stands in for, while it says so. */
async function stoodIn(standIn: (add: Add) => Add) {
  const site = await bullMqSite(bullMq6);
  const real = (site.bullMq.add as unknown as Add).bind(site.bullMq);
  const stand = { isIn: true };
  const add: Add = (...job) => (stand.isIn ? standIn(real)(...job) : real(...job));
  const bullMq = Object.create(site.bullMq, { add: { value: add } }) as AnyQueue;
  return { ...site, ...openQueue(bullMq, { replay: { pollMs: 100 } }), stand };
}

describe('a BullMQ that does not say what became of each job', () => {
  it.each<[string, (add: Add) => Add]>([
    [
      'no answer',
      (add) =>
        async (...job) =>
          void (await add(...job)) as never,
    ],
    [
      'an answer without an id',
      (add) =>
        async (...job) => ({ ...(await add(...job)), id: undefined }),
    ],
    [
      'another id',
      (add) =>
        async (...job) => ({ ...(await add(...job)), id: 'somebody else' }),
    ],
    [
      'an answer to one of them only',
      (add) =>
        async (...job) => {
          const answer = await add(...job);
          return job[2].jobId === 'b' ? answer : undefined;
        },
    ],
  ])('has its jobs backed up, and recognised once it does: %s', async (_, standIn) => {
    const { queue, stand, work, hasRun, idsRun } = await stoodIn(standIn);
    const receipts = await Promise.all(['a', 'b', 'c'].map((id) => queue.enqueue('job', id, { id })));
    expect(receipts.map(({ outcome }) => outcome)).toContain('backed-up');
    stand.isIn = false;
    await waitFor(() => queue.health().totals.pending === 0, { what: 'the replay' });
    await work();
    await hasRun(3);
    await sleep(200);
    expect(idsRun().sort()).toEqual(['a', 'b', 'c']);
    expect(queue.health().totals).toMatchObject({ accepted: 3, delivered: 3, parked: 0 });
  });

  it('and answers with a code of its own has refused that job, and laid the others down', async () => {
    const { queue } = await stoodIn((add) => async (name, ...job) => {
      return name === 'refuse' ? { id: -5 } : add(name, ...job);
    });
    const all = await Promise.allSettled(['job', 'refuse', 'job'].map((name) => queue.enqueue(name, 1)));
    expect(all.map((one) => (one.status === 'fulfilled' ? one.value.outcome : one.reason))).toEqual([
      'enqueued',
      expect.objectContaining({
        code: 'REJECTED_BY_REDIS',
        fate: 'not-delivered',
        message: 'Redis refused the job (refused): ERR BullMQ refused the job with its code -5',
      }),
      'enqueued',
    ]);
  });

  it('and settles too late, or never, is not waited for, and doubles nothing', async () => {
    const late: (() => void)[] = [];
    const { queue, stand, work, hasRun, idsRun, isUp } = await stoodIn((add) => async (...job) => {
      await new Promise<void>((resolve) => late.push(resolve));
      return add(...job);
    });
    const startedAt = performance.now();
    const receipts = await Promise.all(['a', 'b', 'c'].map((id) => queue.enqueue('job', id, { id })));
    expect(performance.now() - startedAt).toBeLessThan(2000);
    expect(receipts.map(({ outcome }) => outcome)).toEqual(['backed-up', 'backed-up', 'backed-up']);
    expect(late.length).toBeGreaterThan(0);
    stand.isIn = false;
    await isUp();
    await work();
    await hasRun(3);
    for (const settle of late) settle();
    await sleep(300);
    expect(idsRun().sort()).toEqual(['a', 'b', 'c']);
  });

  it('and throws for one of its jobs, loses that one only, to a person', async () => {
    // A check that a later BullMQ may have.
    const { queue } = await stoodIn((add) => async (name, ...job) => {
      if (name === 'poison') throw new Error('Such a job cannot be');
      return add(name, ...job);
    });
    const parked: unknown[] = [];
    queue.on('parked', ({ name, reason, text }) => parked.push([name, reason, text]));
    const names = ['job', 'job', 'poison', 'job', 'job'];
    await Promise.all(names.map((name) => queue.enqueue(name, 1)));
    await waitFor(() => queue.health().totals.pending === 0, { what: 'the replay', timeoutMs: 30_000 });
    expect(parked).toEqual([['poison', 'unlisted-error', 'Such a job cannot be']]);
    expect(queue.health().totals).toMatchObject({ accepted: 5, delivered: 4, parked: 1 });
  });
});

describe('a job that BullMQ would refuse, or lose', () => {
  it.each<[string, object, unknown, string, RegExp]>([
    ['a number as its id', { id: '42' }, 1, 'ID_INVALID', /whole number/],
    ['a negative number', { id: '-7' }, 1, 'ID_INVALID', /whole number/],
    ['a colon', { id: 'tenant:42' }, 1, 'ID_INVALID', /":"/],
    ['a number to BullMQ', { id: 'NaN' }, 1, 'ID_INVALID', /whole number/],
    ['two colons', { id: 'a:b:c' }, 1, 'ID_INVALID', /":"/],
    ["the name of the queue's own key", { id: 'wait' }, 1, 'ID_INVALID', /key of the queue/],
    ['its own option jobId', { transport: { jobId: 'x' } }, 1, 'OPTION_UNSUPPORTED', /"jobId".+options\.id/],
    ['delay', { transport: { delay: 5 } }, 1, 'OPTION_UNSUPPORTED', /"delay".+options\.runAt/],
    [
      'deduplication',
      { transport: { deduplication: { id: 'x' } } },
      1,
      'OPTION_UNSUPPORTED',
      /"deduplication"/,
    ],
    ['parent', { transport: { parent: { id: 'x', queue: 'q' } } }, 1, 'OPTION_UNSUPPORTED', /"parent".+flow/],
    [
      'repeat',
      { transport: { repeat: { every: 1 } } },
      1,
      'OPTION_UNSUPPORTED',
      /"repeat".+upsertJobScheduler/,
    ],
    ['an option that is none', { transport: { prio: 1 } }, 1, 'OPTION_UNSUPPORTED', /"prio" is no option/],
    ['a priority too large', { transport: { priority: 2 ** 21 } }, 1, 'OPTION_UNSUPPORTED', /0 to 2097151/],
    [
      'no number as its priority',
      { transport: { priority: Number.NaN } },
      1,
      'OPTION_UNSUPPORTED',
      /"priority"/,
    ],
    [
      'a jitter above 1',
      { transport: { backoff: { type: 'fixed', jitter: 2 } } },
      1,
      'OPTION_UNSUPPORTED',
      /jitter/,
    ],
    [
      'a timestamp after its time',
      { runAt: 1, transport: { timestamp: 2 } },
      1,
      'OPTION_UNSUPPORTED',
      /"timestamp"/,
    ],
    ...[Number.POSITIVE_INFINITY, Number.NaN, 1.5, -1, '3'].flatMap((value) =>
      ['attempts', 'keepLogs', 'stackTraceLimit'].map((option): [string, object, unknown, string, RegExp] => [
        `${option}: ${value}`,
        { transport: { [option]: value } },
        1,
        'OPTION_UNSUPPORTED',
        new RegExp(`"${option}" must be a whole number from 0`),
      ]),
    ),
    [
      'a number that JSON does not have',
      { transport: { removeOnComplete: { age: Number.POSITIVE_INFINITY } } },
      1,
      'OPTION_UNSUPPORTED',
      /"removeOnComplete" must be .*finite/,
    ],
    ['no object', { transport: ['lifo'] }, 1, 'OPTION_UNSUPPORTED', /must be an object/],
    ['headers', { headers: { a: 'b' } }, 1, 'OPTION_UNSUPPORTED', /"bullmq"/],
    [
      'a size over its limit',
      { transport: { sizeLimit: 4 } },
      'größe',
      'PAYLOAD_TOO_LARGE',
      /9 bytes.+sizeLimit \(4\)/,
    ],
  ])('is refused at once: %s', async (_, options, payload, code, message) => {
    const { open, server } = await bullMqSite(bullMq6);
    const { queue } = open();
    const good = queue.enqueue('job', 1);
    await expect(queue.enqueue('job', payload, options)).rejects.toMatchObject({
      ...{ code, fate: 'not-delivered', message: expect.stringMatching(message) },
    });
    await expect(good).resolves.toMatchObject({ outcome: 'enqueued' });
    expect(await server.command('LLEN', 'bull:orders:wait')).toBe(1);
  });

  it("is refused by the queue's own sizeLimit, too", async () => {
    const { open } = await bullMqSite(bullMq6, { defaultJobOptions: { sizeLimit: 10 } });
    const { queue } = open();
    await expect(queue.enqueue('job', 'longer than that')).rejects.toMatchObject({
      code: 'PAYLOAD_TOO_LARGE',
    });
    await expect(queue.enqueue('job', 'short')).resolves.toMatchObject({ outcome: 'enqueued' });
  });
});

it('every name that BullMQ has for a key of the queue itself is refused as an id', async () => {
  for (const kind of [bullMq6, bullMq5]) {
    const { bullMq, open } = await bullMqSite(kind);
    const { queue } = open();
    const names = Object.keys(bullMq.keys).filter((name) => name !== '');
    expect(names).toEqual(expect.arrayContaining(['wait', 'active', 'meta', 'events', 'de']));
    for (const id of names) {
      await expect(queue.enqueue('job', 1, { id })).rejects.toMatchObject({ code: 'ID_INVALID' });
    }
  }
});
