import type { BackupAdmin, BackupStore } from '../backup/backup-store.js';
import { type Clock, systemClock } from '../clock/clock.js';
import { describe, integer, method } from '../options/option-checks.js';
import { checkQueueName, section } from '../queue/options.js';
import { recogniseClient } from '../redis/connect.js';
import type { RedisClient } from '../redis/redis-client.js';
import type { RedisConnection } from '../redis/redis-connection.js';
import { isVerifiable, type VerifiableTransport, verifiableTransports } from './evidence/evidence-of.js';

/** A store to look into. */
type Backup = Pick<BackupStore, 'admin'>;

/** What `verify()` is given. */
export interface VerifyOptions {
  /** The queue's name. */
  readonly queue: string;
  /**
   * The files that `writeLedger()` wrote, of all processes with this queue, also of those that only replayed; or lines of
   * `JobRecord`s, a store's export.
   */
  readonly ledger: string | readonly string[];
  /** A client of the primary, connected by you and left as it is. */
  readonly redis: RedisClient;
  /** How the queue's jobs are laid down. @default what the ledger says, else 'streams' */
  readonly transport?: VerifiableTransport | undefined;
  /**
   * The queue's backup, only looked into, or all of them where each process has its own; any store with an `admin`. `gone`: it was
   * in the memory of processes that have ended, so what is not in Redis is lost. Left out, of a job that was backed up and is not in
   * Redis nobody can tell.
   */
  readonly backup?: Backup | readonly Backup[] | 'gone' | undefined;
  /**
   * How long Redis remembers deliveries, and callers' ids: the queue's own option, and BullMQ's `deduplicationMs` as `generatedMs`.
   * @default what the ledger says, the shortest of several; else { generatedMs: 7 days, with BullMQ 24 hours; callerMs: 24 hours }
   */
  readonly recognition?:
    | { readonly generatedMs?: number | undefined; readonly callerMs?: number | undefined }
    | undefined;
  /** The prefix of BullMQ's keys. @default 'bull' */
  readonly bullMqPrefix?: string | undefined;
  /** The most ids that the report names of each kind, 0 to 1,000,000. @default 20 */
  readonly examples?: number | undefined;
  /** The most that one answer of Redis, or of a backup, is waited for, ms, 1 to 600,000. @default 10_000 */
  readonly timeoutMs?: number | undefined;
  /** By whose `now()` it is reckoned what Redis may have forgotten. @default the machine's clock */
  readonly clock?: Pick<Clock, 'now'> | undefined;
}

/** What is asked for, checked; `undefined` is what the ledger may say. */
export interface ResolvedVerifyOptions {
  readonly queue: string;
  readonly paths: readonly string[];
  readonly client: RedisConnection;
  readonly transport: VerifiableTransport | undefined;
  readonly admins: readonly BackupAdmin[];
  /** The backup, if there was one, is known: seen, or gone. */
  readonly isBackupKnown: boolean;
  readonly generatedMs: number | undefined;
  readonly callerMs: number | undefined;
  readonly bullMqPrefix: string;
  readonly examples: number;
  readonly timeoutMs: number;
  readonly clock: Pick<Clock, 'now'>;
}

const known: Readonly<Record<keyof VerifyOptions, true>> = {
  queue: true,
  ledger: true,
  redis: true,
  transport: true,
  backup: true,
  recognition: true,
  bullMqPrefix: true,
  examples: true,
  timeoutMs: true,
  clock: true,
};

/** Checks `options` and fills in the defaults. Throws `TypeError` or `RangeError` naming option, expectation and value. */
export function resolveVerifyOptions(options: VerifyOptions): ResolvedVerifyOptions {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(
      `The options of verify() must be an object with "queue", "ledger" and "redis", got ${describe(options)}.`,
    );
  }
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(known, name)) continue;
    throw new TypeError(`Unknown option "${name}" of verify(); there are ${Object.keys(known).join(', ')}.`);
  }
  const { queue, transport, backup, bullMqPrefix = 'bull', clock = systemClock } = options;
  checkQueueName(queue);
  if (transport !== undefined && !isVerifiable(transport)) {
    throw new TypeError(
      `Option "transport" must be one of ${verifiableTransports.join(', ')}, got ${describe(transport)}: what another leaves behind is not known here.`,
    );
  }
  const client = recogniseClient(options.redis);
  if (!client) {
    throw new TypeError(
      `Option "redis" must be an ioredis or node-redis client, or a RedisConnection, got ${describe(options.redis)}.`,
    );
  }
  if (typeof bullMqPrefix !== 'string') {
    throw new TypeError(`Option "bullMqPrefix" must be a string, got ${describe(bullMqPrefix)}.`);
  }
  method('clock', clock, 'now');
  const { generatedMs, callerMs } = section('recognition', options.recognition, ['generatedMs', 'callerMs']);
  return {
    ...{ queue, client, transport, bullMqPrefix, clock },
    paths: pathsOf(options.ledger),
    admins: adminsOf(backup),
    isBackupKnown: backup !== undefined,
    generatedMs: window('generatedMs', generatedMs),
    callerMs: window('callerMs', callerMs),
    examples: integer('examples', options.examples, 20, 0, 1_000_000),
    timeoutMs: integer('timeoutMs', options.timeoutMs, 10_000, 1, 600_000),
  };
}

function window(name: 'generatedMs' | 'callerMs', value: unknown): number | undefined {
  if (value === undefined) return undefined;
  return integer(`recognition.${name}`, value, 0, 1000, Number.MAX_SAFE_INTEGER);
}

function pathsOf(ledger: unknown): readonly string[] {
  const paths: readonly unknown[] = [ledger].flat();
  const isPath = (path: unknown): path is string => typeof path === 'string' && path !== '';
  if (paths.length > 0 && paths.every(isPath)) return [...new Set(paths)];
  const wrong = paths.find((path) => !isPath(path));
  const got = paths.length === 0 ? 'an empty list' : describe(wrong);
  throw new TypeError(`Option "ledger" must be the path of a file, or a list of such paths, got ${got}.`);
}

function adminsOf(backup: unknown): readonly BackupAdmin[] {
  if (backup === undefined || backup === 'gone') return [];
  const backups: readonly unknown[] = [backup].flat();
  const expected = 'Option "backup" must be a store with an `admin`, a list of such stores, or "gone"';
  if (backups.length === 0) throw new TypeError(`${expected}, got an empty list.`);
  return backups.map((one) => {
    const admin = (one as Backup | null)?.admin;
    if (typeof admin?.list === 'function') return admin;
    throw new TypeError(`${expected}, got ${describe(one)}, which cannot be listed.`);
  });
}
