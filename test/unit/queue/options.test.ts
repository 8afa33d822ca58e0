import { Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis5';
import { createClient } from 'redis';
import { createClient as createClient5 } from 'redis5';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  MemoryBackupStore,
  type QueueOptions,
  ResilientQueue,
  StreamsTransport,
} from '../../../src/index.js';
import { resolveOptions } from '../../../src/queue/options.js';
import { recogniseClient } from '../../../src/redis/connect.js';
import { FactoryConnection } from '../../../src/redis/factory-connection.js';
import { IoredisConnection } from '../../../src/redis/ioredis.js';
import { NodeRedisConnection } from '../../../src/redis/node-redis.js';
import { IdleConnection } from '../support/idle-connection.js';
import { thrownBy } from '../support/thrown.js';

/** Constructs a queue with options that no compiler has seen. */
function construct(options: Record<string, unknown> = {}, name: unknown = 'q'): void {
  const given = { redis: new IdleConnection(), backup: new MemoryBackupStore(), ...options };
  const queue = new ResilientQueue(name as string, given as unknown as QueueOptions);
  onTestFinished(async () => {
    await queue.close({ timeoutMs: 1 });
  });
}

const store = new MemoryBackupStore();
/** `store` with something about it wrong. */
const storeWith = (fields: object) => ({
  ...Object.fromEntries(
    ['append', 'lease', 'acknowledge', 'release', 'park', 'stats', 'close'].map((name) => [name, () => {}]),
  ),
  durability: 'memory',
  ...fields,
});

/** A row: the option as the message names it, the value, the class, what is expected, and how the value is told. */
type Row = readonly [
  option: string,
  value: unknown,
  error: typeof TypeError | typeof RangeError,
  expectation: string,
  told: string,
];

/** Rows for a whole number from `min` to `max`. */
function wholeNumber(option: string, min: number, max: number): Row[] {
  const expectation = `a whole number from ${min} to ${max}`;
  return [
    [option, min - 1, RangeError, expectation, String(min - 1)],
    [option, max + 1, RangeError, expectation, String(max + 1)],
    [option, min + 0.5, RangeError, expectation, String(min + 0.5)],
    [option, Number.NaN, RangeError, expectation, 'NaN'],
    [option, Number.POSITIVE_INFINITY, RangeError, expectation, 'Infinity'],
    [option, String(min), TypeError, expectation, `"${min}"`],
    [option, null, TypeError, expectation, 'null'],
    [option, {}, TypeError, expectation, 'an object (Object)'],
  ];
}

const HOUR_MS = 3_600_000;
const rows: readonly Row[] = [
  ...wholeNumber('lossWindow.ms', 1000, HOUR_MS),
  ...wholeNumber('lossWindow.jobs', 1, Number.MAX_SAFE_INTEGER),
  ...wholeNumber('lossWindow.bytes', 1, Number.MAX_SAFE_INTEGER),
  ['lossWindow', true, TypeError, 'an object', 'true'],
  ['lossWindow', 30_000, TypeError, 'an object', '30000'],
  ['lossWindow', null, TypeError, 'an object', 'null'],
  ['lossWindow.onLoss', 'forget', RangeError, '"redeliver" or "report"', '"forget"'],
  ['lossWindow.onLoss', true, RangeError, '"redeliver" or "report"', 'true'],
  ...wholeNumber('deadlineMs', 10, 600_000),
  ...wholeNumber('attemptTimeoutMs', 1, 1000),
  ...wholeNumber('backupDeadlineMs', 10, 600_000),
  ...wholeNumber('maxPayloadBytes', 1, 512 * 1024 * 1024),
  ...wholeNumber('retry.attempts', 0, 10),
  ...wholeNumber('breaker.failures', 1, 1000),
  ...wholeNumber('breaker.probeAfterMs', 10, 60_000),
  ...wholeNumber('breaker.probeMaxMs', 250, 600_000),
  ...wholeNumber('backupLimit.jobs', 1, Number.MAX_SAFE_INTEGER),
  ...wholeNumber('backupLimit.bytes', 1, Number.MAX_SAFE_INTEGER),
  ...wholeNumber('recognition.generatedMs', 2 * HOUR_MS, Number.MAX_SAFE_INTEGER),
  ...wholeNumber('recognition.callerMs', 1000, Number.MAX_SAFE_INTEGER),
  ...wholeNumber('replay.batchSize', 1, 10_000),
  ...wholeNumber('replay.leaseMs', 1000, 24 * HOUR_MS),
  ...wholeNumber('replay.pollMs', 10, 24 * HOUR_MS),
  ['replay.auto', 'yes', TypeError, 'true or false', '"yes"'],
  ['replay.auto', null, TypeError, 'true or false', 'null'],
  ['retry', 3, TypeError, 'an object', '3'],
  ['retry', null, TypeError, 'an object', 'null'],
  ['breaker', true, TypeError, 'an object', 'true'],
  ['breaker', null, TypeError, 'an object', 'null'],
  ['backupLimit', 1000, TypeError, 'an object', '1000'],
  ['recognition', 'long', TypeError, 'an object', '"long"'],
  ['replay', false, TypeError, 'an object', 'false'],
  ['retry.backoff', 100, TypeError, 'a method next()', '100'],
  ['retry.backoff', {}, TypeError, 'a method next()', 'an object (Object)'],
  ['breaker', { failure: 3 }, TypeError, 'a method failure()', 'an object (Object)'],
  ['breaker', { failure: () => true }, TypeError, 'a method success()', 'an object (Object)'],
  ['backup', undefined, TypeError, 'a BackupStore', 'undefined'],
  ['backup', null, TypeError, 'a BackupStore', 'null'],
  ['backup', 'memory', TypeError, 'a BackupStore', '"memory"'],
  ['backup', MemoryBackupStore, TypeError, 'a BackupStore', 'a function'],
  ['backup', {}, TypeError, 'a method append()', 'an object (Object)'],
  ['backup', storeWith({ stats: undefined }), TypeError, 'a method stats()', 'an object (Object)'],
  ['backup', storeWith({ durability: undefined }), TypeError, 'a durability', 'undefined'],
  ['backup', storeWith({ durability: 'disk' }), TypeError, 'a durability', '"disk"'],
  ['transport', 'streams', TypeError, 'a method deliver()', '"streams"'],
  ['transport', null, TypeError, 'a method deliver()', 'null'],
  ['transport', { deliver() {} }, TypeError, 'a method check()', 'an object (Object)'],
  ['transport', { deliver() {}, check() {}, name: '' }, TypeError, 'a name', '""'],
  ['transport', { deliver() {}, check() {}, name: 'x' }, TypeError, 'capabilities', 'undefined'],
  ['clock', Date, TypeError, 'a method now()', 'a function'],
  ['clock', { now: Date.now }, TypeError, 'a method monotonicMs()', 'an object (Object)'],
  ['redis', undefined, TypeError, 'an ioredis or node-redis', 'undefined'],
  ['redis', null, TypeError, 'an ioredis or node-redis', 'null'],
  ['redis', 'localhost', TypeError, 'an ioredis or node-redis', '"localhost"'],
  ['redis', {}, TypeError, 'an ioredis or node-redis', 'an object (Object)'],
  ['redis', new Map(), TypeError, 'an ioredis or node-redis', 'an object (Map)'],
  ['redis', { port: 6379 }, TypeError, 'an ioredis or node-redis', 'an object (Object)'],
  ['redis', Object.create(null), TypeError, 'an ioredis or node-redis', 'an object (without prototype)'],
];

/** `'retry.attempts'` and 1 as `{ retry: { attempts: 1 } }`. */
function optionsOf(option: string, value: unknown): Record<string, unknown> {
  const [name, field] = option.split('.') as [string, string | undefined];
  return { [name]: field === undefined ? value : { [field]: value } };
}

describe('a bad option', () => {
  it.each(rows)(
    'is refused by name, expectation and value: %s = %o',
    (option, value, type, expectation, told) => {
      const error = thrownBy(() => construct(optionsOf(option, value))) as Error;
      expect(error.constructor).toBe(type);
      expect(error.message).toContain(`"${option}"`);
      expect(error.message).toContain(expectation);
      expect(error.message).toMatch(new RegExp(`got ${told.replace(/[().]/g, '\\$&')}\\.$`));
    },
  );

  it.each([
    [
      'attemptTimeoutMs over the deadline',
      { deadlineMs: 300, attemptTimeoutMs: 301 },
      'attemptTimeoutMs',
      '300',
    ],
    [
      'probes at most sooner than at first',
      { breaker: { probeAfterMs: 1000, probeMaxMs: 999 } },
      'breaker.probeMaxMs',
      '1000',
    ],
  ])('is held against its neighbour: %s', (_, options, option, bound) => {
    const error = thrownBy(() => construct(options)) as Error;
    expect(error).toBeInstanceOf(RangeError);
    expect(error.message).toContain(`"${option}"`);
    expect(error.message).toContain(bound);
  });

  it.each([
    [{ deadlinems: 5 }, '"deadlinems"', 'deadlineMs'],
    [{ retry: { attempt: 5 } }, '"retry.attempt"', 'attempts'],
    [{ breaker: { threshold: 5 } }, '"breaker.threshold"', 'failures'],
    [{ replay: { batch: 5 } }, '"replay.batch"', 'batchSize'],
    [{ backupLimit: { count: 5 } }, '"backupLimit.count"', 'jobs'],
    [{ recognition: { ms: 5 } }, '"recognition.ms"', 'generatedMs'],
    [{ lossWindow: { onloss: 'report' } }, '"lossWindow.onloss"', 'onLoss'],
  ])('that nobody knows is refused, with those there are: %o', (options, name, known) => {
    const error = thrownBy(() => construct(options)) as Error;
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toContain(name);
    expect(error.message).toContain(known);
  });

  it.each([
    [null, 'null'],
    [[], 'an object (Array)'],
    ['zod', '"zod"'],
  ])('is schemas = %o', (schemas, got) => {
    const error = thrownBy(() => construct({ schemas })) as Error;
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toContain('"schemas"');
    expect(error.message).toContain(got);
  });

  it.each([undefined, null, {}, () => {}, { '~standard': {} }, { '~standard': { validate: true } }])(
    'is schemas with one that is no Standard Schema: %o',
    (schema) => {
      const error = thrownBy(() => construct({ schemas: { 'faq.generate': schema } })) as Error;
      expect(error).toBeInstanceOf(TypeError);
      expect(error.message).toContain('"faq.generate"');
    },
  );

  it.each([undefined, null, 7])('is what stands in place of all options: %s', (options) => {
    const error = thrownBy(() => new ResilientQueue('q', options as unknown as QueueOptions)) as Error;
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toContain('must be an object');
    expect(error.message).toContain(String(options));
  });
});

it('takes every option at its limits, undefined for none, and fills in the rest', () => {
  const redis = new IdleConnection();
  const none = Object.fromEntries(
    ['transport', 'deadlineMs', 'retry', 'breaker', 'ordering', 'lossWindow', 'clock', 'replay'].map(
      (name) => [name, undefined],
    ),
  );
  const resolved = resolveOptions({ redis, backup: store, ...none });
  expect(resolved).toMatchObject({
    ...{ connection: redis, backup: store, deadlineMs: 1000, attemptTimeoutMs: 400, backupDeadlineMs: 5000 },
    ...{ probeAfterMs: 250, probeMaxMs: 5000, maxPayloadBytes: 1024 * 1024, retry: { attempts: 1 } },
    backupLimit: { jobs: 1_000_000, bytes: Number.POSITIVE_INFINITY },
    recognition: { generatedMs: 7 * 24 * HOUR_MS, callerMs: 24 * HOUR_MS },
    replay: { batchSize: 256, leaseMs: 30_000, pollMs: 5000, auto: true },
  });
  expect(resolved.transport).toBeInstanceOf(StreamsTransport);
  expect(resolveOptions({ redis, backup: store, deadlineMs: 10 }).attemptTimeoutMs).toBe(10);
  expect(resolveOptions({ redis, backup: store, lossWindow: false, ordering: 'none' })).toBeDefined();
});

describe('lossWindow', () => {
  const resolved = (options: Partial<QueueOptions>) =>
    resolveOptions({ redis: new IdleConnection(), backup: store, ...options }).lossWindow;
  const blind = { name: 'blind', deliver() {}, check() {}, capabilities: { witness: false } };
  const transport = blind as unknown as StreamsTransport;

  it('remembers for 30 s, 10,000 jobs and 64 MiB unless told otherwise', () => {
    const standard = { ms: 30_000, jobs: 10_000, bytes: 64 * 1024 * 1024, onLoss: 'redeliver' };
    expect(resolved({})).toEqual(standard);
    expect(resolved({ lossWindow: {} })).toEqual(standard);
    expect(resolved({ lossWindow: { ms: 1000, jobs: undefined, onLoss: 'report' } })).toEqual({
      ...standard,
      ms: 1000,
      onLoss: 'report',
    });
  });

  it('remembers nothing when it is false, or when the transport reads no witness', () => {
    expect(resolved({ lossWindow: false })).toBeUndefined();
    expect(resolved({ transport })).toBeUndefined();
    expect(resolved({ transport, lossWindow: false })).toBeUndefined();
  });

  it('is refused by name when it is asked for and the transport reads no witness', () => {
    const error = thrownBy(() => construct({ transport, lossWindow: { ms: 5000 } })) as Error;
    expect(error).toBeInstanceOf(RangeError);
    expect(error.message).toMatch(/"lossWindow".*"blind"/);
  });
});

describe('a transport with a connection of its own', () => {
  const own = new IdleConnection();
  const transport = (connection: unknown) => ({
    ...{ name: 'owner', deliver() {}, check() {}, capabilities: { recognitionMs: 86_400_000 }, connection },
  });
  const options = (connection: unknown, more: object = {}) =>
    ({ backup: store, transport: transport(connection), ...more }) as unknown as QueueOptions;

  it('is what the queue goes through', () => {
    expect(resolveOptions(options(own)).connection).toBe(own);
    expect(resolveOptions(options(own, { redis: undefined })).connection).toBe(own);
  });

  it('takes no other', () => {
    for (const redis of [new IdleConnection(), () => own]) {
      const error = thrownBy(() => resolveOptions(options(own, { redis }))) as Error;
      expect(error).toBeInstanceOf(TypeError);
      expect(error.message).toMatch(/"redis" must be left out.*"owner"/);
    }
  });

  it('must have one that is one', () => {
    const error = thrownBy(() => resolveOptions(options({ password: 'hunter2' }))) as Error;
    expect(error.message).toMatch(/"transport" must have a RedisConnection/);
    expect(error.message).not.toContain('hunter2');
  });

  it('is not told for how long to recognise, where it has a window of its own', () => {
    const error = thrownBy(() => resolveOptions(options(own, { recognition: { callerMs: 1000 } }))) as Error;
    expect(error).toBeInstanceOf(RangeError);
    expect(error.message).toMatch(/"recognition".*"owner"/);
  });
});

describe('a secret', () => {
  const url = 'redis://app:hunter2@h:1';
  const secrets: readonly (readonly [string, () => unknown])[] = [
    ['a URL as redis', () => construct({ redis: url })],
    ['a URL object as redis', () => construct({ redis: new URL(url) })],
    ["a client's options as redis", () => construct({ redis: { password: 'hunter2' } })],
    ['a list of URLs as redis', () => construct({ redis: [url] })],
    ['a URL in place of the options', () => new ResilientQueue('q', url as unknown as QueueOptions)],
    ['a URL as backup', () => construct({ backup: 'postgres://app:hunter2@h/db' })],
    ['a URL as transport', () => construct({ transport: url })],
  ];

  it.each(secrets)('is not repeated: %s', (_, act) => {
    const error = thrownBy(act) as Error;
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).not.toContain('hunter2');
  });
});

describe("the queue's name", () => {
  it.each(['q', 'x'.repeat(200), 'é'.repeat(100), 'orders: EU/1', '佇列', ' '])('may be %s', (name) => {
    expect(() => construct({}, name)).not.toThrow();
  });

  it.each([
    ['', '0 bytes'],
    ['x'.repeat(201), '201 bytes'],
    ['é'.repeat(101), '202 bytes'],
    ['a{b', '"a{b"'],
    ['a}', '"a}"'],
    ['a\nb', '"a\\nb"'],
    ['a\u0000', '"a\\u0000"'],
    ['a\u007f', '"a'],
    ['a\ud800', '"a\\ud800"'],
  ])('may not be %j', (name, told) => {
    const error = thrownBy(() => construct({}, name)) as Error;
    expect(error).toBeInstanceOf(RangeError);
    expect(error.message).toContain("queue's name must be 1 to 200 bytes");
    expect(error.message).toContain(`got ${told}`);
  });

  it.each([[undefined], [null], [7], [{}], [['q']]])('must be text, which %o is not', (name) => {
    // A default of the helper would hide undefined.
    const options = { redis: new IdleConnection(), backup: store };
    const error = thrownBy(() => new ResilientQueue(name as unknown as string, options)) as Error;
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toContain("queue's name must be");
  });
});

describe('a client is recognised by its shape', () => {
  const lazy = { lazyConnect: true, port: 1, retryStrategy: () => null };
  it.each([
    ['ioredis 6', () => new Redis(lazy)],
    ['ioredis 5', () => new Redis5(lazy)],
  ])('and not connected: %s', async (_, make) => {
    const client = make();
    onTestFinished(() => client.disconnect());
    expect(recogniseClient(client)).toBeInstanceOf(IoredisConnection);
    construct({ redis: client });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(client.status).toBe('wait');
  });

  it.each([
    ['node-redis 6', () => createClient({ socket: { port: 1 } })],
    ['node-redis 5', () => createClient5({ socket: { port: 1 } })],
  ])('and not connected: %s', async (_, make) => {
    const client = make();
    expect(recogniseClient(client)).toBeInstanceOf(NodeRedisConnection);
    construct({ redis: client });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(client.isOpen).toBe(false);
    // The listener that keeps a dropped socket from ending the process.
    expect(client.listenerCount('error')).toBeGreaterThan(0);
  });

  it('also when it is somebody’s own RedisConnection, which is used as it is', () => {
    const connection = new IdleConnection();
    expect(recogniseClient(connection)).toBe(connection);
  });

  it('and shown to the transport, which sees objects only', async () => {
    const seen: unknown[] = [];
    const transport = Object.assign(new StreamsTransport(), { checkClient: (it: object) => seen.push(it) });
    const connection = new IdleConnection();
    const bare = Object.assign(new IdleConnection(), { client: 'none' });
    const unknown = { isCluster: true };
    for (const redis of [connection, bare]) resolveOptions({ redis, backup: store, transport });
    for (const redis of [unknown, null, undefined, 'redis://127.0.0.1', 5]) {
      const options = { redis, backup: store, transport } as unknown as QueueOptions;
      expect(thrownBy(() => resolveOptions(options))).toMatchObject({ name: 'TypeError' });
    }
    expect(seen).toEqual([connection, connection.client, bare, unknown]);
    seen.length = 0;
    const factory = resolveOptions({
      redis: () => null,
      backup: store,
      transport,
    } as unknown as QueueOptions);
    await (factory.connection as FactoryConnection).replace();
    expect(seen).toEqual([]);
  });

  it('and a function is a factory, which is called only when a queue is made', async () => {
    let calls = 0;
    const redis = () => {
      calls += 1;
      return new IdleConnection();
    };
    expect(resolveOptions({ redis, backup: store }).connection).toBeInstanceOf(FactoryConnection);
    expect(calls).toBe(0);
    construct({ redis });
    await new Promise(setImmediate);
    expect(calls).toBe(1);
  });

  it.each([[{ sendCommand() {} }], [{ call() {} }], [{ isReady: true, send() {} }], [new Date()], [[]], [5]])(
    'which %o has not',
    (value) => {
      expect(recogniseClient(value)).toBeUndefined();
    },
  );
});

describe('ioredis', () => {
  const notWriteable = new Error("Stream isn't writeable and enableOfflineQueue options is false");
  it.each([
    [0, true],
    [1, false],
    [null, false],
    [undefined, false],
  ])(
    'knows that it did not write a command if it may retry %s times: %s',
    (maxRetriesPerRequest, isUnsent) => {
      const options = maxRetriesPerRequest === undefined ? {} : { maxRetriesPerRequest };
      const connection = new IoredisConnection(new Redis({ lazyConnect: true, ...options }));
      expect(connection.isUnsent(notWriteable)).toBe(isUnsent);
      expect(connection.isUnsent(new Error('Command timed out'))).toBe(false);
    },
  );
});
