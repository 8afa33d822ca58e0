import { describe, expect, it } from 'vitest';
import { createHealth, type HealthProbe } from '../../../src/health/index.js';
import type { HealthReport, HealthStatus } from '../../../src/index.js';
import { VirtualClock } from '../../simulation/virtual-clock.js';
import { ScriptedQueue } from '../support/scripted-queue.js';
import { rejectionOf, thrownBy } from '../support/thrown.js';

const allProbes: readonly HealthProbe[] = ['liveness', 'readiness', 'startup', 'redis'];
const never = () => new Promise<never>(() => {});

describe('readiness', () => {
  it.each([
    { state: 'up', status: 'pass', code: 200 },
    { state: 'recovering', status: 'warn', code: 200 },
    { state: 'degraded', status: 'warn', code: 200 },
    { state: 'down', status: 'fail', code: 503 },
  ] as const)('of a queue that is $state is $status, $code', async ({ state, status, code }) => {
    const queue = new ScriptedQueue();
    queue.status = state;
    const health = createHealth(queue);
    expect(await health.check('readiness')).toMatchObject({ status, queues: [{ state, status }] });
    expect((await health.respond('readiness')).status).toBe(code);
    expect((await health.respond('readiness', { format: 'simple' })).status).toBe(code);
  });

  it.each([
    { states: ['up', 'recovering'], status: 'warn' },
    { states: ['degraded', 'up'], status: 'warn' },
    { states: ['up', 'down', 'degraded'], status: 'fail' },
    { states: ['up', 'up'], status: 'pass' },
  ] satisfies { states: HealthStatus[]; status: string }[])(
    'of $states is $status',
    async ({ states, status }) => {
      const queues = states.map((state, n) => Object.assign(new ScriptedQueue(`q${n}`), { status: state }));
      const result = await createHealth(queues).check('readiness');
      expect(result.status).toBe(status);
      expect(result.queues.map(({ queue, state }) => [queue, state])).toEqual(
        states.map((state, n) => [`q${n}`, state]),
      );
    },
  );
});

describe('liveness', () => {
  it('passes, and asks nobody', async () => {
    const queue = new ScriptedQueue();
    queue.status = 'down';
    queue.instead = never;
    const health = createHealth(queue);
    expect(await health.check('liveness')).toMatchObject({ status: 'pass', queues: [] });
    expect((await health.respond('liveness')).body).toBe('{"status":"pass"}');
    expect([queue.checks, queue.reports]).toEqual([0, 0]);
  });
});

describe('startup', () => {
  it('passes once every queue can take jobs, and stays passed without asking again', async () => {
    const queues = [new ScriptedQueue('a'), new ScriptedQueue('b')] as const;
    const health = createHealth(queues, { cacheMs: 0 });
    queues[1].status = 'down';
    expect(await health.check('startup')).toMatchObject({ status: 'fail' });
    // A service that comes up during an outage takes jobs all the same.
    queues[1].status = 'degraded';
    expect(await health.check('startup')).toMatchObject({ status: 'pass' });
    queues[1].status = 'down';
    const { checks } = queues[1];
    expect(await health.check('startup')).toMatchObject({ status: 'pass' });
    expect(queues[1].checks).toBe(checks);
    expect(await health.check('readiness')).toMatchObject({ status: 'fail' });
  });

  it('does not take a queue’s word that it is up before Redis or the backup can take a job', async () => {
    const queue = new ScriptedQueue();
    // As it is just after the start, with Redis down and a full backup, until the breaker opens.
    Object.assign(queue, { status: 'recovering', redis: { reachable: false, writable: false } });
    queue.takesBackups = false;
    const health = createHealth(queue, { cacheMs: 0 });
    expect(await health.check('startup')).toMatchObject({ status: 'fail' });
    queue.takesBackups = true;
    expect(await health.check('startup')).toMatchObject({ status: 'pass' });
  });
});

describe('redis', () => {
  it.each([
    { redis: { reachable: true, writable: true }, status: 'pass', code: 200, simple: 200 },
    { redis: { reachable: true, writable: false }, status: 'fail', code: 503, simple: 500 },
    { redis: { reachable: false, writable: false }, status: 'fail', code: 503, simple: 500 },
  ])('of $redis is $status', async ({ redis, status, code, simple }) => {
    const queue = new ScriptedQueue();
    queue.redis = redis;
    const health = createHealth(queue);
    expect(await health.check('redis')).toMatchObject({ status, queues: [{ redis }] });
    expect((await health.respond('redis')).status).toBe(code);
    expect((await health.respond('redis', { format: 'simple' })).status).toBe(simple);
  });

  it('fails for the worst queue alone', async () => {
    const ill = Object.assign(new ScriptedQueue('ill'), { redis: { reachable: true, writable: false } });
    const result = await createHealth([new ScriptedQueue('well'), ill]).check('redis');
    expect(result.status).toBe('fail');
    expect(result.queues.map(({ status }) => status)).toEqual(['pass', 'fail']);
  });
});

describe('a queue that cannot say how it is', () => {
  const broken: Readonly<Record<string, () => Promise<HealthReport>>> = {
    'rejects with an error': () => Promise.reject(new Error('redis://user:hunter2@10.0.0.1:6379 is gone')),
    'rejects with a word': () => Promise.reject('hunter2'),
    'rejects with an error whose message is none': () =>
      Promise.reject(Object.assign(new Error(), { message: ['hunter2'] })),
    'throws at once': () => {
      throw new Error('hunter2 at 10.0.0.1:6379');
    },
    'answers with nothing': async () => undefined as unknown as HealthReport,
    'answers with a state that there is not': async () =>
      ({ ...new ScriptedQueue().health(), status: 'fine' }) as unknown as HealthReport,
  };

  it.each(Object.keys(broken))('fails every probe that asks it, when it %s', async (what) => {
    const queue = new ScriptedQueue();
    queue.instead = broken[what];
    const health = createHealth(queue, { cacheMs: 0 });
    for (const probe of ['readiness', 'startup', 'redis'] as const) {
      expect(await health.check(probe)).toMatchObject({
        ...{ status: 'fail' },
        queues: [{ status: 'fail', redis: { reachable: false, writable: false } }],
      });
      const { status, body } = await health.respond(probe);
      expect(status).toBe(503);
      expect(body).not.toMatch(/hunter2|10\.0\.0\.1|redis:\/\//);
    }
    expect(await health.check('liveness')).toMatchObject({ status: 'pass' });
  });

  it('is told of with details, without addresses', async () => {
    const queue = new ScriptedQueue();
    queue.instead = () => Promise.reject(new Error('connect ECONNREFUSED 10.0.0.1:6379'));
    const [told] = (await createHealth(queue, { details: true }).check('readiness')).queues;
    expect(told?.error).toBe('connect ECONNREFUSED <address>');
  });

  it('leaves the answer of the others as it is', async () => {
    const broken = new ScriptedQueue('broken');
    broken.instead = () => Promise.reject(new Error('no'));
    const { status, queues } = await createHealth([broken, new ScriptedQueue('well')]).check('readiness');
    expect(status).toBe('fail');
    expect(queues.map((queue) => queue.status)).toEqual(['fail', 'pass']);
  });
});

describe('time', () => {
  it('is given to a queue, and kept for one that does not', async () => {
    const clock = new VirtualClock();
    const queue = new ScriptedQueue();
    queue.status = 'degraded';
    queue.instead = never;
    const health = createHealth(queue, { clock, timeoutMs: 300 });
    const answers: string[] = [];
    void health.check('readiness').then(({ status }) => answers.push(status));
    void health.check('redis').then(({ status }) => answers.push(status));
    await clock.advance(299);
    expect(answers).toEqual([]);
    await clock.advance(1);
    // Its memory is asked; of Redis it says nothing of now.
    expect(answers).toEqual(['warn', 'fail']);
    expect(queue.timeoutMs).toBe(300);
  });

  it('is 500 ms where nothing else is said: less than Kubernetes gives a probe', async () => {
    const queue = new ScriptedQueue();
    await createHealth(queue).check('readiness');
    expect(queue.timeoutMs).toBe(500);
  });

  it('passes between a look and an answer that is given again, which says so', async () => {
    const clock = new VirtualClock();
    const queue = new ScriptedQueue();
    const health = createHealth(queue, { clock });
    const first = await health.check('readiness');
    expect(first).toMatchObject({ ageMs: 0, checkedAt: clock.now() });
    await clock.advance(249);
    expect(await health.check('redis')).toMatchObject({ ageMs: 249, checkedAt: first.checkedAt });
    expect(queue.checks).toBe(1);
    await clock.advance(1);
    expect(await health.check('readiness')).toMatchObject({ ageMs: 0, checkedAt: clock.now() });
    expect(queue.checks).toBe(2);
  });

  it('is counted from the first answer, which waits for those of the other queues', async () => {
    const clock = new VirtualClock();
    const queue = new ScriptedQueue();
    const hung = Object.assign(new ScriptedQueue('hung'), { instead: never });
    const health = createHealth([queue, hung], { clock });
    const checkedAt = clock.now();
    const checking = health.check('redis');
    await clock.advance(500);
    expect(await checking).toMatchObject({ ageMs: 500, checkedAt });
    queue.redis = { reachable: false, writable: false };
    const again = health.check('redis');
    await clock.advance(500);
    expect((await again).queues[0]).toMatchObject({ queue: queue.name, status: 'fail' });
  });

  it('shares a look between all that ask meanwhile, also without a cache', async () => {
    const queue = new ScriptedQueue();
    const health = createHealth(queue, { cacheMs: 0 });
    await Promise.all(Array.from({ length: 1000 }, () => health.check('readiness')));
    expect(queue.checks).toBe(1);
    await health.check('readiness');
    expect(queue.checks).toBe(2);
  });
});

describe('bad input', () => {
  const queue = new ScriptedQueue();

  it.each([
    { options: null, error: TypeError, text: 'must be an object, got null' },
    { options: { timeout: 1 }, error: TypeError, text: 'Unknown option "timeout"' },
    { options: { timeoutMs: 0 }, error: RangeError, text: '"timeoutMs" must be a whole number from 1' },
    { options: { timeoutMs: '5' }, error: TypeError, text: '"timeoutMs" must be a whole number' },
    { options: { cacheMs: -1 }, error: RangeError, text: '"cacheMs" must be a whole number from 0' },
    { options: { details: 1 }, error: TypeError, text: '"details" must be true or false, got 1' },
    {
      options: { format: 'xml' },
      error: RangeError,
      text: '"format" must be "health+json" or "simple", got "xml"',
    },
    { options: { format: 7 }, error: TypeError, text: '"format" must be "health+json" or "simple", got 7' },
    { options: { retryAfterSeconds: 0.5 }, error: RangeError, text: '"retryAfterSeconds" must be a whole' },
    { options: { clock: {} }, error: TypeError, text: '"clock" must have a method now()' },
  ])('as options: $options', ({ options, error, text }) => {
    const thrown = thrownBy(() => createHealth(queue, options as never));
    expect(thrown).toBeInstanceOf(error);
    expect((thrown as Error).message).toContain(text);
  });

  it.each([
    { queues: undefined, error: TypeError, text: 'must have a method check(), got undefined' },
    { queues: [], error: RangeError, text: 'one queue at least' },
    { queues: [queue, {}], error: TypeError, text: 'must have a method check(), got an object' },
    { queues: { check() {}, health() {} }, error: TypeError, text: 'must have a name, got undefined' },
  ])('as queues: $text', ({ queues, error, text }) => {
    const thrown = thrownBy(() => createHealth(queues as never));
    expect(thrown).toBeInstanceOf(error);
    expect((thrown as Error).message).toContain(text);
  });

  it('as a probe or format is refused where a handler is made, and rejected where one is asked', async () => {
    const health = createHealth(queue);
    const wrong = 'readyness' as HealthProbe;
    const makers = [
      'nodeHandler',
      'fetchHandler',
      'lambdaHandler',
      'nestIndicator',
      'terminusCheck',
    ] as const;
    for (const make of makers) {
      expect(thrownBy(() => health[make](wrong))).toEqual(
        new RangeError(`The probe must be one of ${allProbes.join(', ')}, got "readyness".`),
      );
    }
    for (const make of ['nodeHandler', 'fetchHandler', 'lambdaHandler'] as const) {
      expect(thrownBy(() => health[make]('redis', { format: 'xml' as 'simple' }))).toBeInstanceOf(RangeError);
    }
    expect(await rejectionOf(health.check(wrong))).toBeInstanceOf(RangeError);
    expect(await rejectionOf(health.check(undefined as unknown as HealthProbe))).toBeInstanceOf(TypeError);
    expect(await rejectionOf(health.respond('redis', { format: 'xml' as 'simple' }))).toBeInstanceOf(
      RangeError,
    );
  });

  it.each([
    { options: null, text: 'The options of respond() must be an object, got null.' },
    { options: 'simple', text: 'The options of respond() must be an object, got "simple".' },
    { options: { formats: 'simple' }, text: 'Unknown option "formats"; the options are format, method.' },
    { options: { format: null }, text: 'Option "format" must be "health+json" or "simple", got null.' },
    { options: { method: 7 }, text: 'Option "method" must be a string, got 7.' },
    { options: { method: null }, text: 'Option "method" must be a string, got null.' },
  ])('as options of respond(): $options', async ({ options, text }) => {
    expect(await rejectionOf(createHealth(queue).respond('redis', options as never))).toEqual(
      new TypeError(text),
    );
  });

  it.each([
    { options: null, text: 'The options of a handler must be an object, got null.' },
    { options: 'simple', text: 'The options of a handler must be an object, got "simple".' },
    { options: { method: 'GET' }, text: 'Unknown option "method"; the only option is format.' },
  ])('as options of a handler: $options', ({ options, text }) => {
    const health = createHealth(queue);
    for (const make of ['nodeHandler', 'fetchHandler', 'lambdaHandler'] as const) {
      expect(thrownBy(() => health[make]('redis', options as never))).toEqual(new TypeError(text));
    }
  });

  it.each([7, null, {}])('as a key for Nest: %s', (key) => {
    const thrown = thrownBy(() => createHealth(queue).nestIndicator('redis', key as never));
    expect(thrown).toBeInstanceOf(TypeError);
    expect((thrown as Error).message).toContain('Option "key" must be a string');
  });
});
