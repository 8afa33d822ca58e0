import type { BackupAdmin, BackupStore } from '../backup/backup-store.js';
import { type Clock, systemClock } from '../clock/clock.js';
import { checkQueueName } from '../queue/options.js';
import { recogniseClient } from '../redis/connect.js';
import type { RedisClient } from '../redis/redis-client.js';
import { askWithin, refuseReplica, whatIsEvicted } from './asked-connection.js';
import { lookIntoBackup } from './evidence/backup-jobs.js';
import type { Inquiry } from './evidence/evidence.js';
import { evidenceOf, type VerifiableTransport } from './evidence/evidence-of.js';
import { missing } from './evidence/missing.js';
import { JobBook } from './job-book.js';
import { KNOWN } from './job-page.js';
import { type LedgerReading, readLedgers } from './ledger-reading.js';
import { makeReport, type VerifyReport } from './verify-report.js';

/** What `verify()` is given. */
export interface VerifyOptions {
  /** The queue's name. */
  readonly queue: string;
  /** The files that `writeLedger()` wrote, of all processes that accepted jobs; or lines of `JobRecord`s, a store's export. */
  readonly ledger: string | readonly string[];
  /** A client of the primary, connected by you and left as it is. */
  readonly redis: RedisClient;
  /** How the queue's jobs are laid down. @default 'streams' */
  readonly transport?: VerifiableTransport | undefined;
  /**
   * The queue's backup, only looked into; any store with an `admin`. `gone`: it was in the memory of processes that have ended, so
   * what is not in Redis is lost. Left out, of a job that was backed up and is not in Redis nobody can tell.
   */
  readonly backup?: Pick<BackupStore, 'admin'> | 'gone' | undefined;
  /**
   * How long Redis remembers deliveries, and callers' ids: the queue's own option, and BullMQ's `deduplicationMs` as `generatedMs`.
   * @default { generatedMs: 7 days, with BullMQ 24 hours; callerMs: 24 hours }
   */
  readonly recognition?:
    | { readonly generatedMs?: number | undefined; readonly callerMs?: number | undefined }
    | undefined;
  /** The prefix of BullMQ's keys. @default 'bull' */
  readonly bullMqPrefix?: string | undefined;
  /** The most ids that the report names of each kind. @default 20 */
  readonly examples?: number | undefined;
  /** The most that one answer of Redis is waited for, ms. @default 10_000 */
  readonly timeoutMs?: number | undefined;
  /** By whose `now()` it is reckoned what Redis may have forgotten. @default the machine's clock */
  readonly clock?: Pick<Clock, 'now'> | undefined;
}

const DAY_MS = 86_400_000;
/** What two clocks may differ by. */
const CLOCKS_MS = 60_000;

/**
 * Finds out what became of every job that ledgers say was accepted, by looking into the backup, into Redis's queue, and at what Redis
 * remembers of jobs that were consumed since. Writes nothing, takes no lease, and never runs KEYS; the queue may be at work meanwhile.
 *
 * - What seems to be lost is looked for once more, in the ledgers, too: it may have moved meanwhile.
 * - Doubled is a job that stands in its queue twice. One that was consumed and deleted between its two entries cannot be counted: nothing
 *   is left of it to count.
 * - Delivered is what was laid down, whoever took it away since. Of a Redis that has evicted keys of any kind only what still stands
 *   in its queue is.
 * - A job is its id: of two that a caller gave the same id, days apart, the one that is found counts for both.
 * - An `enqueue()` whose process was killed before its ledger was written is in no count, see `writeLedger()`.
 *
 * Rejects when nothing can be found out: a ledger cannot be read or has no job of this queue, Redis does not answer or is a replica, the
 * backup cannot be listed. TypeError for a bad option.
 */
export async function verify(options: VerifyOptions): Promise<VerifyReport> {
  const { queue, transport = 'streams', backup, bullMqPrefix = 'bull', examples = 20 } = options;
  const { clock = systemClock } = options;
  const { generatedMs, callerMs = DAY_MS } = options.recognition ?? {};
  checkQueueName(queue);
  const paths = [options.ledger].flat();
  if (paths.length === 0) throw new TypeError('Option "ledger" must name at least one file.');
  if (!['streams', 'rq', 'bullmq'].includes(transport)) {
    throw new TypeError(
      `Option "transport" must be "streams", "rq" or "bullmq", got ${JSON.stringify(transport)}: what another leaves behind is not known here.`,
    );
  }
  const admin = adminOf(backup);
  const client = recogniseClient(options.redis);
  if (!client)
    throw new TypeError('Option "redis" must be an ioredis or node-redis client, or a RedisConnection.');
  const connection = askWithin(client, options.timeoutMs ?? 10_000);
  const evidence = evidenceOf(transport, bullMqPrefix);

  const book = new JobBook();
  const look = async (isFirst: boolean): Promise<LedgerReading> => {
    const summary = await readLedgers(paths, queue, book, { onlyKnown: !isFirst });
    if (book.size === 0) throw noJobs(queue, summary);
    // Before Redis: a job that is replayed meanwhile is found in both, and never in neither.
    if (admin) await lookIntoBackup(admin, queue, book);
    if (isFirst) await refuseReplica(connection);
    const evicted = await whatIsEvicted(connection);
    const inquiry: Inquiry = {
      ...{
        connection,
        queue,
        book,
        isSecondLook: !isFirst,
        now: clock.now(),
        hasEvicted: evicted === 'what expires',
      },
      windows: {
        generatedMs: (generatedMs ?? (transport === 'bullmq' ? DAY_MS : 7 * DAY_MS)) - CLOCKS_MS,
        callerMs: callerMs - CLOCKS_MS,
      },
    };
    await evidence.lookIntoQueue(inquiry);
    if (evicted === 'any key') nothingIsSureOfOthers(book);
    else await evidence.lookForTraces(inquiry);
    return summary;
  };

  const about = { queue, transport, isBackupSeen: admin !== undefined };
  const isBackupKnown = backup !== undefined;
  const ledger = await look(true);
  const report = makeReport(book, { ...about, ledger }, isBackupKnown, examples);
  if (report.counts.lost === 0) return report;
  await look(false);
  return makeReport(book, { ...about, ledger }, isBackupKnown, examples);
}

/** Redis may have evicted the queue itself, and know jobs as laid down that nobody has run. */
function nothingIsSureOfOthers(book: JobBook): void {
  for (const { page, index } of missing(book.jobs())) page.set(index, KNOWN.evictable);
}

function adminOf(backup: VerifyOptions['backup']): BackupAdmin | undefined {
  if (backup === undefined || backup === 'gone') return undefined;
  if (backup.admin) return backup.admin;
  throw new TypeError('Option "backup" must be a store with an `admin`: this one cannot be listed.');
}

function noJobs(queue: string, { otherQueues }: LedgerReading): Error {
  const others = Object.keys(otherQueues).map((name) => JSON.stringify(name));
  const hint = others.length > 0 ? ` It has jobs of ${others.join(', ')}.` : '';
  return new Error(
    `The ledger has no job of the queue ${JSON.stringify(queue)}, so nothing can be compared.${hint}`,
  );
}
