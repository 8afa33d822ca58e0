import type { Clock } from '../clock/clock.js';
import {
  boolean,
  checkOptions,
  checkSignal,
  clockOption,
  describe,
  integer,
} from '../options/option-checks.js';
import { type FailureKind, type RedisFailure, sortFailure } from '../policy/outage.js';
import { stayedAway } from '../policy/prober.js';
import { within } from '../policy/within.js';
import { ReplyMismatchError } from '../recognition/recognise.js';
import { recogniseClient } from '../redis/connect.js';
import type { RedisClient } from '../redis/redis-client.js';
import type { RedisConnection } from '../redis/redis-connection.js';
import { untilConnected } from './connecting.js';
import { REDIS_IS_UP, redisMessage } from './redis-message.js';

/** How {@link checkRedis} asks. */
export interface CheckRedisOptions {
  /** The most the check takes, ms, 1 to 600,000. @default 1000 */
  readonly timeoutMs?: number | undefined;
  /**
   * Whether Redis must take a write, too: PING is answered while writes are refused (read-only, out of memory) or paused. Sets the
   * key `rsq:canary`, which expires after a minute; the user needs the right to `SET` it. @default false
   */
  readonly write?: boolean | undefined;
  /** Ends the wait: the check then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** @default the machine's clock */
  readonly clock?: Clock | undefined;
}

/** What {@link checkRedis} found out. Has no address, URL or text of Redis's in it. */
export interface RedisCheck {
  readonly status: 'success' | 'error';
  /** `Redis is up`, `Failed to connect to Redis`, or another fixed sentence where that is truer. */
  readonly message: string;
  /** Why not; undefined when it succeeded. */
  readonly kind: FailureKind | undefined;
  /** How long the check took, ms. */
  readonly latencyMs: number;
  /** When it had its answer; epoch ms. */
  readonly checkedAt: number;
}

/** The canary of {@link checkRedis}. Like the queues' own, it is covered by the rights on `~rsq:*`. */
const CANARY_KEY = 'rsq:canary';
// Long enough to be found by a person who looks, short enough to leave nothing behind.
const CANARY_MS = 60_000;

const known = ['timeoutMs', 'write', 'signal', 'clock'];

/**
 * Asks a client's Redis whether it answers, or, with `write`, whether it takes writes. Resolves whatever Redis does, after
 * `timeoutMs` at the latest: at once when the client has tried to connect in vain; when it is just connecting, as soon as it has.
 * Nothing is sent before the client is connected, so nothing waits in its offline queue; one that was made with `lazyConnect` is
 * told to connect. Rejects with a `TypeError` or `RangeError` for a bad client or option, and when `signal` is aborted.
 *
 * Listens to the client's `error` events from the first check on.
 */
export async function checkRedis(client: RedisClient, options: CheckRedisOptions = {}): Promise<RedisCheck> {
  const connection = connectionOf(client);
  const { timeoutMs, write, signal, clock } = resolveCheckOptions(options);
  signal?.throwIfAborted();
  const startedAt = clock.monotonicMs();
  const over = new AbortController();
  let wasSent = false;
  const ask = async () => {
    if (!(await untilConnected(connection, clock, over.signal))) return;
    wasSent = true;
    await (write ? writeCanary(connection, clock) : ping(connection));
  };
  let failure: RedisFailure | undefined;
  try {
    await within(clock, timeoutMs, unlessAborted(signal, ask()));
  } catch (error) {
    signal?.throwIfAborted();
    failure = sortFailure(error, connection.isUnsent?.(error) ?? false);
    if (!wasSent && failure.kind === 'timeout') failure = stayedAway();
  } finally {
    over.abort();
  }
  return {
    status: failure ? 'error' : 'success',
    message: failure ? redisMessage(failure.kind, wasSent) : REDIS_IS_UP,
    kind: failure?.kind,
    latencyMs: clock.monotonicMs() - startedAt,
    checkedAt: clock.now(),
  };
}

async function ping(connection: RedisConnection): Promise<void> {
  try {
    const reply = await connection.send(['PING'], CANARY_KEY);
    if (String(reply) !== 'PONG') throw new ReplyMismatchError();
  } catch (error) {
    // A user without the right to PING has his answer all the same: Redis is well, and refuses that.
    // Not so with `ERR` and a reason: a proxy, or a service whose limit is reached, says that in Redis's place.
    if (sortFailure(error, false).kind !== 'noperm') throw error;
  }
}

async function writeCanary(connection: RedisConnection, clock: Clock): Promise<void> {
  const args = ['SET', CANARY_KEY, String(clock.now()), 'PX', String(CANARY_MS)];
  const reply = await connection.send(args, CANARY_KEY);
  if (String(reply) !== 'OK') throw new ReplyMismatchError();
}

async function unlessAborted<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  if (!signal) return work;
  let onAbort = () => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort);
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function connectionOf(client: unknown): RedisConnection {
  const connection = recogniseClient(client);
  if (connection) return connection;
  throw new TypeError(
    `checkRedis() takes an ioredis or node-redis (5 or 6) client, or a RedisConnection, got ${describe(client)}.`,
  );
}

function resolveCheckOptions(options: CheckRedisOptions) {
  checkOptions('checkRedis()', options, known);
  const { signal } = options;
  checkSignal(signal);
  return {
    timeoutMs: integer('timeoutMs', options.timeoutMs, 1000, 1, 600_000),
    write: boolean('write', options.write, false),
    signal,
    clock: clockOption(options.clock),
  };
}
