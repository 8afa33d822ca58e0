import { expect, it } from 'vitest';
import { checkRedis } from '../../../src/health/index.js';
import type { RedisConnection } from '../../../src/index.js';
import { VirtualClock } from '../../simulation/virtual-clock.js';
import { IdleConnection } from '../support/idle-connection.js';
import { rejectionOf } from '../support/thrown.js';

/** A connection of somebody's own, which gives no hints. */
class OwnConnection implements RedisConnection {
  readonly client = undefined;
  isReady = true;
  readonly sent: string[][] = [];
  readonly #answer: () => Promise<unknown>;

  constructor(answer: () => Promise<unknown>) {
    this.#answer = answer;
  }

  send(args: readonly (string | Buffer)[]): Promise<unknown> {
    this.sent.push(args.map(String));
    return this.#answer();
  }

  listen(): () => void {
    return () => {};
  }

  destroy(): void {}
}

it('asks through a connection of somebody’s own, and says how long that took', async () => {
  const clock = new VirtualClock();
  const connection = new OwnConnection(async () => {
    await clock.advance(7);
    return 'PONG';
  });
  expect(await checkRedis(connection, { clock })).toEqual({
    ...{ status: 'success', message: 'Redis is up', kind: undefined, latencyMs: 7, checkedAt: clock.now() },
  });
  expect(connection.sent).toEqual([['PING']]);
});

it('writes a canary that expires after a minute', async () => {
  const connection = new OwnConnection(async () => Buffer.from('OK'));
  expect(await checkRedis(connection, { write: true })).toMatchObject({ status: 'success' });
  expect(connection.sent).toEqual([['SET', 'rsq:canary', expect.stringMatching(/^\d+$/), 'PX', '60000']]);
});

it('waits for a connection that is not ready, and sends nothing before', async () => {
  const clock = new VirtualClock();
  const connection = new OwnConnection(async () => 'PONG');
  connection.isReady = false;
  const checking = checkRedis(connection, { clock });
  await clock.advance(500);
  expect(connection.sent).toEqual([]);
  connection.isReady = true;
  await clock.advance(20);
  expect(await checking).toMatchObject({ status: 'success', latencyMs: 520 });
});

it('sends nothing through one that never is', async () => {
  const clock = new VirtualClock();
  const connection = new IdleConnection();
  const checking = checkRedis(connection, { clock, timeoutMs: 200 });
  await clock.advance(200);
  expect(await checking).toMatchObject({
    ...{ status: 'error', message: 'Failed to connect to Redis', kind: 'disconnected', latencyMs: 200 },
  });
  expect(connection.sent).toEqual([]);
});

it('waits for a second where nothing else is said', async () => {
  const clock = new VirtualClock();
  const checking = checkRedis(new OwnConnection(() => new Promise(() => {})), { clock });
  await clock.advance(1000);
  expect(await checking).toMatchObject({ kind: 'timeout', latencyMs: 1000 });
});

it.each([
  { what: 'somebody else’s answer', answer: async () => 'QUEUED', kind: 'protocol' },
  {
    what: 'an error that is not in the table',
    answer: () => Promise.reject(new Error('boo')),
    kind: 'unlisted',
  },
  { what: 'no error at all', answer: () => Promise.reject(undefined), kind: 'unlisted' },
  {
    what: 'a service that refuses every command',
    answer: () => Promise.reject(new Error('ERR max daily request limit exceeded')),
    kind: 'refused',
  },
  {
    what: 'a Redis that loads',
    answer: () => Promise.reject(new Error('LOADING Redis is')),
    kind: 'loading',
  },
])('does not take $what for a Redis that is up', async ({ answer, kind }) => {
  for (const write of [false, true]) {
    expect(await checkRedis(new OwnConnection(answer), { write })).toMatchObject({ status: 'error', kind });
  }
});

it('does not reject when a connection throws', async () => {
  const broken = new OwnConnection(() => {
    throw new Error('boo');
  });
  expect(await checkRedis(broken)).toMatchObject({ status: 'error', kind: 'unlisted' });
});

it.each([
  { client: undefined, got: 'undefined' },
  { client: {}, got: 'an object (Object)' },
  { client: 'redis://:hunter2@localhost', got: 'a string' },
  { client: () => {}, got: 'a function' },
])('refuses $got in place of a client', async ({ client, got }) => {
  expect(await rejectionOf(checkRedis(client as never))).toEqual(
    new TypeError(
      `checkRedis() takes an ioredis or node-redis (5 or 6) client, or a RedisConnection, got ${got}.`,
    ),
  );
});

it.each([
  { options: null, error: TypeError, text: 'must be an object, got null' },
  { options: { timeout: 1 }, error: TypeError, text: 'Unknown option "timeout"' },
  {
    options: { timeoutMs: 0 },
    error: RangeError,
    text: '"timeoutMs" must be a whole number from 1 to 600000',
  },
  { options: { timeoutMs: Number.NaN }, error: RangeError, text: 'got NaN' },
  { options: { timeoutMs: '1' }, error: TypeError, text: '"timeoutMs" must be a whole number' },
  { options: { write: 'yes' }, error: TypeError, text: '"write" must be true or false, got "yes"' },
  { options: { signal: {} }, error: TypeError, text: '"signal" must have a method throwIfAborted()' },
  {
    options: { signal: null },
    error: TypeError,
    text: '"signal" must have a method throwIfAborted(), got null',
  },
  { options: { signal: new EventTarget() }, error: TypeError, text: 'throwIfAborted()' },
  { options: { clock: {} }, error: TypeError, text: '"clock" must have a method now()' },
])('refuses options that are $options', async ({ options, error, text }) => {
  const rejection = await rejectionOf(checkRedis(new IdleConnection(), options as never));
  expect(rejection).toBeInstanceOf(error);
  expect((rejection as Error).message).toContain(text);
});
