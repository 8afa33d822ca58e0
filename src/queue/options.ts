import type { BackupStore } from '../backup/backup-store.js';
import type { Clock } from '../clock/clock.js';
import { PayloadSchemas } from '../job/payload-schemas.js';
import type { SchemasOf, StandardSchema } from '../job/standard-schema.js';
import { boolean, clockOption, describe, integer, method } from '../options/option-checks.js';
import { type Backoff, type Breaker, consecutiveFailures } from '../policy/default-policy.js';
import type { LossWindowOptions } from '../recognition/loss-window.js';
import { recogniseClient } from '../redis/connect.js';
import { type ClientFactory, FactoryConnection } from '../redis/factory-connection.js';
import type { RedisClient } from '../redis/redis-client.js';
import { isRedisConnection, type RedisConnection } from '../redis/redis-connection.js';
import type { ReplayOptions } from '../replay/replayer.js';
import { StreamsTransport } from '../transport/streams.js';
import type { Transport } from '../transport/transport.js';
import type { UntypedJobs } from './enqueuer.js';

/** What opens the breaker, and when to look whether it may close. */
export interface BreakerOptions {
  /** Failed attempts in a row that open it, 1 to 1000. @default 3 */
  readonly failures?: number | undefined;
  /** From opening to the first canary, ms, 10 to 60,000; doubled after each. @default 250 */
  readonly probeAfterMs?: number | undefined;
  /** The longest time between canaries, ms. @default 5000 */
  readonly probeMaxMs?: number | undefined;
}

/** Options of a queue. Durations are ms. */
export type QueueOptions<
  T extends Transport = StreamsTransport,
  Jobs extends object = UntypedJobs,
> = ClientOption<T> & OtherOptions<T, Jobs>;

/** Through what jobs go: required, unless the transport has a connection of its own. */
type ClientOption<T extends Transport> = T extends { readonly connection: RedisConnection }
  ? { readonly redis?: undefined }
  : {
      /**
       * The client to use, made and connected by you and never closed by the queue; or a function that makes one (or a promise of
       * one), which the queue calls at start and whenever the client before is silently dead, and whose clients it ends.
       */
      readonly redis: RedisClient | (() => RedisClient | Promise<RedisClient>);
    };

interface OtherOptions<T extends Transport, Jobs extends object> {
  /** Where jobs wait during an outage. There is no default: how durable a backup has to be only you know. */
  readonly backup: BackupStore;
  /** How jobs are laid down. @default new StreamsTransport() */
  readonly transport?: T | undefined;
  /** The most an `enqueue()` waits for Redis, 10 to 600,000. @default 1000 */
  readonly deadlineMs?: number | undefined;
  /**
   * The most one attempt waits for an answer, 1 to `deadlineMs`; that of a job alone in its batch, where it is larger than 256 KiB
   * or replayed, may wait for `deadlineMs`. @default 400, or the deadline if that is less
   */
  readonly attemptTimeoutMs?: number | undefined;
  /** The most an `enqueue()` waits for the backup store after that, 10 to 600,000. @default 5000 */
  readonly backupDeadlineMs?: number | undefined;
  /** Attempts after the first, 0 to 10, inside the deadline, and the pause before them. @default 1, with short jitter */
  readonly retry?:
    | { readonly attempts?: number | undefined; readonly backoff?: Backoff | undefined }
    | undefined;
  /** @default { failures: 3, probeAfterMs: 250, probeMaxMs: 5000 } */
  readonly breaker?: BreakerOptions | Breaker | undefined;
  /**
   * A Standard Schema (zod, valibot, arktype …) for each job name: `enqueue()` then takes these names only, with payloads of the
   * schemas' input types, and rejects other names with `NAME_INVALID`, other payloads with `PAYLOAD_INVALID`. A schema describes
   * the JSON that is laid down (a date is a string there), and what is laid down is what was given: defaults and transforms are
   * for consumers. It has to answer synchronously. Jobs from before this queue object are checked again at replay, and parked
   * (`schema-mismatch`) when they do not fit any more.
   */
  readonly schemas?: SchemasOf<Jobs> | undefined;
  /** The largest payload, bytes of JSON, 1 to 512 MiB. @default 1 MiB */
  readonly maxPayloadBytes?: number | undefined;
  /**
   * `queue`: the jobs of this queue object stand in the order of their `enqueue()` calls. One batch is under way at a time,
   * without retries, and from the first failed attempt until the backlog is empty every job goes through the backup, which
   * only this queue may write. Parked and redelivered jobs stand where they come. `none`: a job does not wait for the backlog.
   * @default 'none'
   */
  readonly ordering?: 'none' | 'queue' | undefined;
  /** How full the backup may get before `enqueue()` rejects with `BACKUP_FULL`. @default 1,000,000 jobs */
  readonly backupLimit?:
    | { readonly jobs?: number | undefined; readonly bytes?: number | undefined }
    | undefined;
  /**
   * How long Redis remembers deliveries: of the library's own attempts (at least 2 hours), and of ids that callers give. Refused
   * with a transport that has a window of its own.
   * @default { generatedMs: 7 days, callerMs: 24 hours }
   */
  readonly recognition?:
    | { readonly generatedMs?: number | undefined; readonly callerMs?: number | undefined }
    | undefined;
  /** @default { batchSize: 256, leaseMs: 30_000, pollMs: 5000, auto: true } */
  readonly replay?: { readonly [Name in keyof ReplayOptions]?: ReplayOptions[Name] | undefined } | undefined;
  /**
   * How much of what Redis acknowledged is remembered, in case it turns out to have lost it: `ms` 1000 to 3,600,000, `jobs`
   * and `bytes` (of their text) at least 1. What was lost is laid down again (`redeliver`; a consumer may have run it
   * already) or only told of (`report`), in a `redis-data-loss` event. `false`: neither. Needs a transport with `witness`.
   * @default { ms: 30_000, jobs: 10_000, bytes: 64 MiB, onLoss: 'redeliver' }
   */
  readonly lossWindow?:
    | { readonly [Name in keyof LossWindowOptions]?: LossWindowOptions[Name] | undefined }
    | false
    | undefined;
  /** @default the machine's clock */
  readonly clock?: Clock | undefined;
}

/** Options with every default in place. */
export interface ResolvedOptions {
  readonly connection: RedisConnection;
  readonly backup: BackupStore;
  readonly transport: Transport;
  readonly deadlineMs: number;
  readonly attemptTimeoutMs: number;
  readonly backupDeadlineMs: number;
  readonly retry: { readonly attempts: number; readonly backoff: Backoff | undefined };
  readonly breaker: Breaker;
  readonly probeAfterMs: number;
  readonly probeMaxMs: number;
  readonly maxPayloadBytes: number;
  readonly ordering: 'none' | 'queue';
  readonly backupLimit: { readonly jobs: number; readonly bytes: number };
  readonly recognition: { readonly generatedMs: number; readonly callerMs: number };
  readonly replay: ReplayOptions;
  readonly schemas: PayloadSchemas | undefined;
  /** Undefined: nothing is remembered. */
  readonly lossWindow: LossWindowOptions | undefined;
  readonly clock: Clock;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const defaults = Object.freeze({
  deadlineMs: 1000,
  attemptTimeoutMs: 400,
  backupDeadlineMs: 5000,
  retryAttempts: 1,
  failures: 3,
  probeAfterMs: 250,
  probeMaxMs: 5000,
  maxPayloadBytes: 1024 * 1024,
  backupJobs: 1_000_000,
  generatedMs: 7 * DAY_MS,
  callerMs: DAY_MS,
  batchSize: 256,
  leaseMs: 30_000,
  pollMs: 5000,
  lossMs: 30_000,
  lossJobs: 10_000,
  lossBytes: 64 * 1024 * 1024,
});

const known: Readonly<Record<keyof QueueOptions, true>> = {
  redis: true,
  backup: true,
  transport: true,
  deadlineMs: true,
  attemptTimeoutMs: true,
  backupDeadlineMs: true,
  retry: true,
  breaker: true,
  schemas: true,
  maxPayloadBytes: true,
  ordering: true,
  backupLimit: true,
  recognition: true,
  replay: true,
  lossWindow: true,
  clock: true,
};

const MAX_NAME_BYTES = 200;

/** Throws `TypeError` or `RangeError` unless `name` can be a queue's. */
export function checkQueueName(name: unknown): asserts name is string {
  const expected = `The queue's name must be 1 to ${MAX_NAME_BYTES} bytes of well-formed text without "{", "}" and control characters`;
  if (typeof name !== 'string') throw new TypeError(`${expected}, got ${describe(name)}.`);
  const bytes = Buffer.byteLength(name);
  if (bytes < 1 || bytes > MAX_NAME_BYTES) throw new RangeError(`${expected}, got ${bytes} bytes.`);
  // Braces would move the queue's keys into different hash slots.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
  if (/[{}\u0000-\u001f\u007f]/.test(name) || !name.isWellFormed()) {
    throw new RangeError(`${expected}, got ${JSON.stringify(name)}.`);
  }
}

/** Checks `options` and fills in the defaults. Throws `TypeError` or `RangeError` naming option, expectation and value. */
export function resolveOptions(options: QueueOptions<Transport>): ResolvedOptions {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`The options must be an object with "redis" and "backup", got ${describe(options)}.`);
  }
  for (const name of Object.keys(options)) checkKnown(name);
  const deadlineMs = integer('deadlineMs', options.deadlineMs, defaults.deadlineMs, 10, 600_000);
  const breaker = resolveBreaker(options.breaker);
  const retry = section('retry', options.retry, ['attempts', 'backoff']);
  const limit = section('backupLimit', options.backupLimit, ['jobs', 'bytes']);
  const transport = resolveTransport(options.transport);
  const recognition = recognitionSection(options.recognition, transport);
  const replay = section('replay', options.replay, ['batchSize', 'leaseMs', 'pollMs', 'auto']);
  if (retry.backoff !== undefined) method('retry.backoff', retry.backoff, 'next');
  return {
    deadlineMs,
    attemptTimeoutMs: integer(
      'attemptTimeoutMs',
      options.attemptTimeoutMs,
      Math.min(defaults.attemptTimeoutMs, deadlineMs),
      1,
      deadlineMs,
    ),
    backupDeadlineMs: integer(
      'backupDeadlineMs',
      options.backupDeadlineMs,
      defaults.backupDeadlineMs,
      10,
      600_000,
    ),
    retry: {
      attempts: integer('retry.attempts', retry.attempts, defaults.retryAttempts, 0, 10),
      backoff: retry.backoff as Backoff | undefined,
    },
    ...breaker,
    maxPayloadBytes: integer(
      'maxPayloadBytes',
      options.maxPayloadBytes,
      defaults.maxPayloadBytes,
      1,
      512 * 1024 * 1024,
    ),
    schemas: resolveSchemas(options.schemas),
    ordering: resolveOrdering(options.ordering, transport),
    backupLimit: {
      jobs: integer('backupLimit.jobs', limit.jobs, defaults.backupJobs, 1, Number.MAX_SAFE_INTEGER),
      bytes:
        limit.bytes === undefined
          ? Number.POSITIVE_INFINITY
          : integer('backupLimit.bytes', limit.bytes, 0, 1, Number.MAX_SAFE_INTEGER),
    },
    recognition: {
      generatedMs: integer(
        'recognition.generatedMs',
        recognition.generatedMs,
        defaults.generatedMs,
        2 * HOUR_MS,
        Number.MAX_SAFE_INTEGER,
      ),
      callerMs: integer(
        'recognition.callerMs',
        recognition.callerMs,
        defaults.callerMs,
        1000,
        Number.MAX_SAFE_INTEGER,
      ),
    },
    replay: {
      batchSize: integer('replay.batchSize', replay.batchSize, defaults.batchSize, 1, 10_000),
      leaseMs: integer('replay.leaseMs', replay.leaseMs, defaults.leaseMs, 1000, DAY_MS),
      pollMs: integer('replay.pollMs', replay.pollMs, defaults.pollMs, 10, DAY_MS),
      auto: boolean('replay.auto', replay.auto, true),
    },
    transport,
    lossWindow: resolveLossWindow(options.lossWindow, transport),
    backup: resolveBackup(options.backup),
    clock: clockOption(options.clock),
    connection: resolveConnection(options.redis, transport),
  };
}

/** Throws unless `timeoutMs` is one that timers can keep. */
export function checkTimeout(timeoutMs: unknown): void {
  integer('timeoutMs', timeoutMs, 0, 0, 2 ** 31 - 1);
}

function checkKnown(name: string): void {
  if (!Object.hasOwn(known, name)) {
    throw new TypeError(`Unknown option "${name}"; the options are ${Object.keys(known).join(', ')}.`);
  }
}

function recognitionSection(
  recognition: unknown,
  { capabilities, name }: Transport,
): Readonly<Record<string, unknown>> {
  if (recognition === undefined || capabilities.recognitionMs === 'configured') {
    return section('recognition', recognition, ['generatedMs', 'callerMs']);
  }
  throw new RangeError(
    `Option "recognition" needs a transport that recognises for as long as the queue says; "${name}" has a window of its own: leave it out.`,
  );
}

function resolveConnection(redis: unknown, transport: Transport): RedisConnection {
  if (transport.connection !== undefined) return ownConnection(transport.connection, redis, transport.name);
  const check = (client: unknown) => {
    // What is none is refused for that.
    if (typeof client === 'object' && client !== null) transport.checkClient?.(client);
  };
  if (typeof redis === 'function') return new FactoryConnection(redis as ClientFactory, check);
  // Before it is recognised: of a client that no transport can use, this one may know what to do about it.
  check(redis);
  const connection = recogniseClient(redis);
  if (connection && connection.client !== redis) check(connection.client);
  if (connection) return connection;
  throw new TypeError(
    `Option "redis" must be an ioredis or node-redis (5 or 6) client, a RedisConnection, or a function that makes one, got ${describe(redis)}.`,
  );
}

function ownConnection(connection: unknown, redis: unknown, transport: string): RedisConnection {
  if (redis !== undefined) {
    throw new TypeError(
      `Option "redis" must be left out: the transport "${transport}" has a connection of its own, and jobs go through that.`,
    );
  }
  if (isRedisConnection(connection)) return connection;
  throw new TypeError(
    `Option "transport" must have a RedisConnection as its connection, got ${describe(connection)}.`,
  );
}

function resolveBackup(backup: unknown): BackupStore {
  const methods = ['append', 'lease', 'acknowledge', 'release', 'park', 'stats', 'close'] as const;
  if (typeof backup !== 'object' || backup === null) {
    throw new TypeError(
      `Option "backup" must be a BackupStore (for example new MemoryBackupStore()), got ${describe(backup)}.`,
    );
  }
  for (const name of methods) method('backup', backup, name);
  const { durability } = backup as Partial<BackupStore>;
  if (durability !== 'memory' && durability !== 'fsynced' && durability !== 'replicated') {
    throw new TypeError(
      `Option "backup" must have a durability of "memory", "fsynced" or "replicated", got ${describe(durability)}.`,
    );
  }
  return backup as BackupStore;
}

function resolveTransport(transport: unknown): Transport {
  if (transport === undefined) return new StreamsTransport() as Transport;
  method('transport', transport, 'deliver');
  method('transport', transport, 'check');
  const { name, capabilities } = transport as Partial<Transport>;
  if (typeof name !== 'string' || name === '') {
    throw new TypeError(`Option "transport" must have a name, got ${describe(name)}.`);
  }
  if (typeof capabilities !== 'object' || capabilities === null) {
    throw new TypeError(`Option "transport" must have capabilities, got ${describe(capabilities)}.`);
  }
  return transport as Transport;
}

function resolveSchemas(schemas: unknown): PayloadSchemas | undefined {
  if (schemas === undefined) return undefined;
  const expected = 'Option "schemas" must be an object with a Standard Schema for each job name';
  if (typeof schemas !== 'object' || schemas === null || Array.isArray(schemas)) {
    throw new TypeError(`${expected}, got ${describe(schemas)}.`);
  }
  for (const [name, schema] of Object.entries(schemas)) {
    // Those of arktype are functions.
    const isHolder = (typeof schema === 'object' && schema !== null) || typeof schema === 'function';
    const standard: unknown = isHolder ? (schema as Partial<StandardSchema>)['~standard'] : undefined;
    const validate = (standard as Partial<StandardSchema['~standard']> | undefined)?.validate;
    if (typeof validate !== 'function') {
      throw new TypeError(
        `${expected}; that of "${name}" has no "~standard".validate(): ${describe(schema)}.`,
      );
    }
  }
  return new PayloadSchemas(schemas as Readonly<Record<string, StandardSchema>>);
}

function resolveOrdering(ordering: unknown, { capabilities, name }: Transport): 'none' | 'queue' {
  if (ordering === undefined || ordering === 'none') return 'none';
  if (ordering === 'queue' && capabilities.atomicBatch) return ordering;
  if (ordering === 'queue') {
    throw new TypeError(
      `Option "ordering" needs a transport that lays a batch down whole; "${name}" does not: leave it out, or "none".`,
    );
  }
  throw new RangeError(`Option "ordering" must be "none" or "queue", got ${describe(ordering)}.`);
}

function resolveLossWindow(
  lossWindow: unknown,
  { capabilities, name }: Transport,
): LossWindowOptions | undefined {
  if (lossWindow === false || (lossWindow === undefined && !capabilities.witness)) return undefined;
  const given = section('lossWindow', lossWindow, ['ms', 'jobs', 'bytes', 'onLoss']);
  if (!capabilities.witness) {
    throw new RangeError(
      `Option "lossWindow" needs a transport that reads a witness; "${name}" does not: leave it out, or false.`,
    );
  }
  const { lossMs, lossJobs, lossBytes } = defaults;
  const onLoss = given.onLoss ?? 'redeliver';
  if (onLoss !== 'redeliver' && onLoss !== 'report') {
    throw new RangeError(
      `Option "lossWindow.onLoss" must be "redeliver" or "report", got ${describe(onLoss)}.`,
    );
  }
  return {
    ms: integer('lossWindow.ms', given.ms, lossMs, 1000, HOUR_MS),
    jobs: integer('lossWindow.jobs', given.jobs, lossJobs, 1, Number.MAX_SAFE_INTEGER),
    bytes: integer('lossWindow.bytes', given.bytes, lossBytes, 1, Number.MAX_SAFE_INTEGER),
    onLoss,
  };
}

function resolveBreaker(
  breaker: BreakerOptions | Breaker | undefined,
): Pick<ResolvedOptions, 'breaker' | 'probeAfterMs' | 'probeMaxMs'> {
  const { probeAfterMs, probeMaxMs } = defaults;
  if (breaker !== undefined && typeof breaker === 'object' && breaker !== null && 'failure' in breaker) {
    method('breaker', breaker, 'failure');
    method('breaker', breaker, 'success');
    return { breaker: breaker as Breaker, probeAfterMs, probeMaxMs };
  }
  const given = section('breaker', breaker, ['failures', 'probeAfterMs', 'probeMaxMs']);
  const failures = integer('breaker.failures', given.failures, defaults.failures, 1, 1000);
  const after = integer('breaker.probeAfterMs', given.probeAfterMs, probeAfterMs, 10, 60_000);
  return {
    breaker: consecutiveFailures(failures),
    probeAfterMs: after,
    probeMaxMs: integer('breaker.probeMaxMs', given.probeMaxMs, Math.max(after, probeMaxMs), after, 600_000),
  };
}

/** `value`, an object with no other fields than these; empty where it is left out. */
export function section(
  name: string,
  value: unknown,
  fields: readonly string[],
): Readonly<Record<string, unknown>> {
  if (value === undefined) return {};
  if (typeof value !== 'object' || value === null) {
    throw new TypeError(`Option "${name}" must be an object, got ${describe(value)}.`);
  }
  for (const field of Object.keys(value)) {
    if (!fields.includes(field)) {
      throw new TypeError(`Unknown option "${name}.${field}"; there are ${fields.join(', ')}.`);
    }
  }
  return value as Readonly<Record<string, unknown>>;
}
