import { describe, expect, it } from 'vitest';
import type { RqSite } from '../../support/rq/rq-site.js';
import { waitFor } from '../../support/wait-for.js';
import { rqQueue } from './rq-queue.js';

const values = [
  'plain',
  'žluťoučký kůň 😀 \u0000 \u2028 "quoted" \\ \n',
  '',
  null,
  true,
  false,
  0,
  -1,
  255,
  256,
  65_536,
  -(2 ** 31),
  2 ** 31,
  -(2 ** 31) - 1,
  Number.MAX_SAFE_INTEGER,
  Number.MIN_SAFE_INTEGER,
  0.1,
  -1.5e-7,
  5e-324,
  1.797_693_134_862_315_7e308,
  [],
  {},
  { 'a key': { ž: [1, [2, [3, { four: null }]]] } },
  'x'.repeat(10_000),
  nested(190),
];

function nested(levels: number): unknown {
  return levels === 0 ? [] : [nested(levels - 1)];
}

/** What a job's function returned, once the worker has written it down. */
function resultOf(site: RqSite, id: string): Promise<unknown> {
  const fetch = `answer = Job.fetch("${id}", connection=connection, serializer=serializer).return_value()`;
  return waitFor(() => site.ask(fetch), { what: `the result of ${id}` });
}

describe.each([
  { serializer: 'json', compress: false },
  { serializer: 'json', compress: true },
  { serializer: 'pickle', compress: false },
  { serializer: 'pickle', compress: true },
] as const)('with the serializer $serializer, compressed: $compress', (options) => {
  it('has a worker run the function with exactly the arguments given, and Python read its result', async () => {
    const { queue, site } = await rqQueue('values', options);
    await queue.enqueue('jobs.echo', values, { id: 'listed' });
    const call = { args: [values], kwargs: { value: values, ž: { n: 1 } } };
    await queue.enqueue('jobs.echo', call, {
      id: 'named',
      transport: { meta: { tenant: 'ž', n: [1, 0.5] } },
    });
    await queue.enqueue('jobs.echo', undefined, { id: 'bare' });
    await queue.enqueue('jobs.echo', { kwargs: { only: 1 } }, { id: 'kwargs-only' });
    const log = await site.burst('values');
    const answer = await site.ask(
      'fetch = lambda id: Job.fetch(id, connection=connection, serializer=serializer).return_value()',
      'answer = [fetch(id) for id in ("listed", "named", "bare", "kwargs-only")]',
    );
    expect(answer, log).toEqual([
      { args: values, kwargs: {}, meta: {} },
      { ...call, meta: { tenant: 'ž', n: [1, 0.5] } },
      { args: [], kwargs: {}, meta: {} },
      { args: [], kwargs: { only: 1 }, meta: {} },
    ]);
    expect(site.ran()).toEqual(['listed', 'named', 'bare', 'kwargs-only']);
  });

  it('tells whole numbers from floats as Python does', async () => {
    const { queue, site } = await rqQueue('numbers', options);
    await queue.enqueue('jobs.note', [7, 2 ** 40, -3, 7.5, 1e21], { id: 'numbers' });
    const answer = await site.ask(
      'job = Job.fetch("numbers", connection=connection, serializer=serializer)',
      'answer = [type(number).__name__ + " " + repr(number) for number in job.args]',
    );
    expect(answer).toEqual(['int 7', `int ${2 ** 40}`, 'int -3', 'float 7.5', 'float 1e+21']);
  });

  it('has each field read by Python as it was asked for', async () => {
    const { queue, site } = await rqQueue('fields', options);
    const enqueuedAt = Date.now();
    await queue.enqueue('jobs.note', ['a'], {
      id: 'full',
      transport: {
        ...{ timeoutSeconds: 42, ttlSeconds: 600, resultTtlSeconds: 86_400, failureTtlSeconds: 3600 },
        ...{ description: 'for žofie', retry: { max: 3, intervalSeconds: [10, 30, 60] }, meta: { a: [1] } },
      },
    });
    await queue.enqueue('jobs.note', [], {
      id: 'never',
      transport: { timeoutSeconds: -1, resultTtlSeconds: -1, retry: { max: 1 } },
    });
    const { id: bare } = await queue.enqueue('jobs.note', []);
    const [full, never, plain] = (await site.ask(
      'names = "func_name args kwargs origin timeout ttl result_ttl failure_ttl description meta retries_left retry_intervals"',
      'def fields(id):',
      '  job = Job.fetch(id, connection=connection, serializer=serializer)',
      '  dates = [date.replace(tzinfo=timezone.utc).timestamp() for date in (job.created_at, job.enqueued_at)]',
      '  return {**{name: getattr(job, name) for name in names.split()}, "status": job.get_status(), "dates": dates}',
      `answer = [fields(id) for id in ("full", "never", "${bare}")]`,
    )) as [{ dates: number[] }, unknown, unknown];
    expect(full).toMatchObject({
      ...{ func_name: 'jobs.note', args: ['a'], kwargs: {}, origin: 'fields', status: 'queued' },
      ...{ timeout: 42, ttl: 600, result_ttl: 86_400, failure_ttl: 3600, description: 'for žofie' },
      ...{ meta: { a: [1] }, retries_left: 3, retry_intervals: [10, 30, 60] },
    });
    for (const date of full.dates) expect(Math.abs(date * 1000 - enqueuedAt)).toBeLessThan(5000);
    expect(never).toMatchObject({
      timeout: -1,
      result_ttl: -1,
      retries_left: 1,
      retry_intervals: [0],
      ttl: null,
    });
    expect(plain).toMatchObject({
      ...{ args: [], timeout: 180, ttl: null, result_ttl: null, failure_ttl: null, description: 'jobs.note' },
      ...{ meta: {}, retries_left: null, retry_intervals: null, status: 'queued' },
    });
  });
});

it('has a worker run a job with the largest options and the least', async () => {
  const { queue, site } = await rqQueue('limits');
  const most = 2 ** 31 - 1;
  await queue.enqueue('jobs.note', [], {
    id: 'most',
    transport: {
      ...{ timeoutSeconds: most, ttlSeconds: most, resultTtlSeconds: most, failureTtlSeconds: most },
      ...{ description: 'ž'.repeat(1000), retry: { max: 1000, intervalSeconds: Array(1000).fill(most) } },
      meta: { text: 'x'.repeat(65_000) },
    },
  });
  await queue.enqueue('jobs.note', [], {
    id: 'least',
    transport: { timeoutSeconds: -1, ttlSeconds: 60, resultTtlSeconds: 0, failureTtlSeconds: -1 },
  });
  const { id: bare } = await queue.enqueue('jobs.note');
  await site.burst('limits');
  expect(site.ran()).toEqual(['most', 'least', bare]);
  expect(
    await site.ask(
      'q = Queue("limits", connection=connection, serializer=serializer)',
      'answer = [sorted(q.finished_job_registry.get_job_ids()), q.failed_job_registry.get_job_ids()]',
    ),
  ).toEqual([[bare, 'most'].sort(), []]);
});

it('has a failing function retried as asked, and land in the failed registry', async () => {
  const { queue, site } = await rqQueue('failing');
  await queue.enqueue('jobs.fail', [], {
    id: 'given-up',
    transport: { retry: { max: 2 }, failureTtlSeconds: 3600 },
  });
  await queue.enqueue('jobs.fail', [], { id: 'not-retried' });
  await queue.enqueue('jobs.fail', [], { id: 'not-kept', transport: { failureTtlSeconds: 0 } });
  await queue.enqueue('jobs.fail_once', [], {
    id: 'mended',
    transport: { retry: { max: 3, intervalSeconds: 0 } },
  });
  await site.burst('failing');
  expect(site.ran().sort()).toEqual([
    ...['given-up', 'given-up', 'given-up', 'mended', 'mended', 'not-kept', 'not-retried'],
  ]);
  const answer = await site.ask(
    'q = Queue("failing", connection=connection, serializer=serializer)',
    'status = lambda id: Job.fetch(id, connection=connection, serializer=serializer).get_status()',
    'answer = {',
    '  "failed": sorted(q.failed_job_registry.get_job_ids()), "finished": q.finished_job_registry.get_job_ids(),',
    '  "statuses": [status(id) for id in ("given-up", "not-retried", "mended")],',
    '  "error": Job.fetch("given-up", connection=connection, serializer=serializer).latest_result().exc_string,',
    '}',
  );
  expect(answer).toMatchObject({
    ...{ failed: ['given-up', 'not-retried'], finished: ['mended'] },
    ...{
      statuses: ['failed', 'failed', 'finished'],
      error: expect.stringContaining('RuntimeError: as asked'),
    },
  });
});

it('has a retry wait for its interval', async () => {
  const { queue, site } = await rqQueue('interval');
  await queue.enqueue('jobs.fail_once', [], {
    id: 'later',
    transport: { retry: { max: 1, intervalSeconds: 2 } },
  });
  await using worker = await site.start('interval', { withScheduler: true });
  await waitFor(() => site.ran().length === 2, {
    what: 'the second try',
    timeoutMs: 30_000,
  }).catch((error: Error) => {
    throw new Error(`${error.message}\n${worker.log()}`);
  });
  const triedAt = await resultOf(site, 'later');
  const [first, second] = triedAt as [number, number];
  // RQ cuts the second in which a job is due.
  expect(second - first).toBeGreaterThan(1);
});

it('has a scheduled job run when it is due and not before, and one that is due run at once', async () => {
  const { queue, site, server } = await rqQueue('scheduled');
  const runAt = Date.now() + 4000;
  await queue.enqueue('jobs.now', [], { id: 'later', runAt, transport: { ttlSeconds: 600, atFront: true } });
  await queue.enqueue('jobs.now', [], { id: 'due', runAt: new Date(Date.now() - 1) });
  expect(
    await site.ask(
      'q = Queue("scheduled", connection=connection, serializer=serializer)',
      'job = Job.fetch("later", connection=connection, serializer=serializer)',
      'answer = {',
      '  "ids": q.scheduled_job_registry.get_job_ids(), "status": job.get_status(), "at_front": job.enqueue_at_front,',
      '  "due": q.scheduled_job_registry.get_scheduled_time(job).timestamp(), "enqueued": job.enqueued_at,',
      '}',
    ),
  ).toEqual({
    ids: ['later'],
    status: 'scheduled',
    at_front: true,
    due: Math.ceil(runAt / 1000),
    enqueued: null,
  });
  // RQ 1 never forgets the id of a scheduled job that has expired.
  expect(await server.command('PTTL', 'rq:job:later')).toBe(-1);
  await using worker = await site.start('scheduled', { withScheduler: true });
  await waitFor(() => site.ran().length === 2, { what: 'both to be run', timeoutMs: 30_000 }).catch(
    (error: Error) => {
      throw new Error(`${error.message}\n${worker.log()}`);
    },
  );
  expect(Number(await resultOf(site, 'later')) * 1000).toBeGreaterThanOrEqual(runAt);
  expect(new Set(site.ran())).toEqual(new Set(['due', 'later']));
});

it('has a job run before those that wait, when asked', async () => {
  const { queue, site } = await rqQueue('front');
  await queue.enqueueMany([
    { name: 'jobs.note', payload: [], options: { id: 'first' } },
    { name: 'jobs.note', payload: [], options: { id: 'second' } },
    { name: 'jobs.note', payload: [], options: { id: 'urgent', transport: { atFront: true } } },
  ]);
  await site.burst('front');
  expect(site.ran()).toEqual(['urgent', 'first', 'second']);
});

it('is shown rightly by RQ’s own tools', async () => {
  const { queue, site } = await rqQueue('shown');
  for (const id of ['one', 'two', 'three']) await queue.enqueue('jobs.note', [], { id });
  await queue.enqueue('jobs.note', [], { id: 'later', runAt: Date.now() + 3_600_000 });
  expect(await site.rq('info', '--raw')).toContain('queue shown 3');
  const look = [
    'q = Queue("shown", connection=connection, serializer=serializer)',
    'names = ["started", "finished", "failed", "deferred", "scheduled", "canceled"]',
    'answer = {name: getattr(q, name + "_job_registry").get_job_ids() for name in names}',
    'answer["queued"] = q.get_job_ids()',
    'answer["queues"] = [some.name for some in Queue.all(connection=connection)]',
  ];
  const none = { started: [], failed: [], deferred: [], canceled: [], queues: ['shown'] };
  expect(await site.ask(...look)).toEqual({
    ...none,
    finished: [],
    scheduled: ['later'],
    queued: ['one', 'two', 'three'],
  });
  await site.burst('shown');
  expect(await site.rq('info', '--raw')).toContain('queue shown 0');
  const after = (await site.ask(...look)) as { finished: string[] };
  expect({ ...after, finished: after.finished.sort() }).toEqual({
    ...{ ...none, scheduled: ['later'], queued: [] },
    finished: ['one', 'three', 'two'],
  });
});

it('has a job expire in RQ when its ttl is over, counted from enqueue()', async () => {
  const { queue, site, server } = await rqQueue('ttl');
  await queue.enqueue('jobs.note', [], { id: 'short', transport: { ttlSeconds: 1 } });
  await queue.enqueue('jobs.note', [], { id: 'long', transport: { ttlSeconds: 600 } });
  await waitFor(async () => (await server.command('EXISTS', 'rq:job:short')) === 0, {
    what: 'the job to expire',
  });
  await site.burst('ttl');
  expect(site.ran()).toEqual(['long']);
});
