import type { QueueRecognition } from '../health/queue-status.js';
import { FRESH_MS } from '../recognition/epoch-notes.js';
import { askWithin, refuseReplica, whatIsEvicted } from './asked-connection.js';
import { CLOCKS_MS } from './clocks.js';
import { lookIntoBackup } from './evidence/backup-jobs.js';
import type { Inquiry } from './evidence/evidence.js';
import { evidenceOf, isVerifiable, type VerifiableTransport } from './evidence/evidence-of.js';
import { missing } from './evidence/missing.js';
import { JobBook } from './job-book.js';
import { KNOWN } from './job-page.js';
import { type LedgerReading, readLedgers } from './ledger-reading.js';
import { resolveVerifyOptions, type VerifyOptions } from './verify-options.js';
import { makeReport, type VerifyReport } from './verify-report.js';

const DAY_MS = 86_400_000;

/**
 * Finds out what became of every job that ledgers say was accepted, by looking into the backup, into Redis's queue, and at what Redis
 * remembers of jobs that were consumed since. Writes nothing, takes no lease, and never runs KEYS; the queue may be at work meanwhile.
 *
 * - What seems to be lost is looked for once more, in the ledgers, too: it may have moved meanwhile.
 * - Doubled is a job that stands in its queue twice. One that was consumed and deleted between its two entries cannot be counted: nothing
 *   is left of it to count.
 * - Delivered is what was laid down, whoever took it away since. Of a Redis that may evict any key only what still stands in its
 *   queue is.
 * - A job is its id: of two that a caller gave the same id, days apart, the later one is looked for, and counts for both.
 * - An `enqueue()` whose process was killed before its ledger was written is in no count, see `writeLedger()`.
 *
 * Rejects when nothing can be found out: a ledger cannot be read, is none, has no job of this queue, or is of another transport;
 * Redis does not answer or is a replica; the backup cannot be listed. TypeError or RangeError for a bad option.
 */
export async function verify(options: VerifyOptions): Promise<VerifyReport> {
  const asked = resolveVerifyOptions(options);
  const { queue, paths, admins, isBackupKnown, examples, clock } = asked;
  const connection = askWithin(asked.client, asked.timeoutMs);
  const book = new JobBook();
  const { reading, recognitions } = await readLedgers(paths, queue, book, { onlyKnown: false });
  if (book.size === 0) throw noJobs(queue, reading);
  const transport = transportOf(asked.transport, recognitions);
  const evidence = evidenceOf(transport, asked.bullMqPrefix);
  const recognition = {
    generatedMs:
      asked.generatedMs ??
      shortest(recognitions, 'generatedMs') ??
      (transport === 'bullmq' ? DAY_MS : 7 * DAY_MS),
    callerMs: asked.callerMs ?? shortest(recognitions, 'callerMs') ?? DAY_MS,
  };
  // Bitmaps have no expiry, BullMQ's deduplication has.
  const expiresMs = transport === 'bullmq' ? recognition.generatedMs : recognition.callerMs;
  const isPrimary = await refuseReplica(connection);
  let saysEvicted = true;
  const look = async () => {
    // Before Redis: a job that is replayed meanwhile is found in both, and never in neither.
    for (const admin of admins) await lookIntoBackup(admin, queue, book, asked.timeoutMs);
    const now = clock.now();
    const said = await whatIsEvicted(connection, expiresMs);
    const evicted = said ?? 'nothing';
    saysEvicted = said !== undefined;
    const inquiry: Inquiry = {
      ...{ connection, queue, book, evicted, ...recognition },
      // An epoch's last use may have been noted that much before it.
      deliveriesSince: now - recognition.generatedMs + CLOCKS_MS + FRESH_MS,
      callersSince: now - recognition.callerMs + CLOCKS_MS,
    };
    book.forgetPlaces();
    await evidence.lookIntoQueue(inquiry);
    if (evicted === 'any key') nothingIsSureOfOthers(book);
    else await evidence.lookForTraces(inquiry);
  };
  const about = { queue, transport, ledger: reading, recognition, isBackupSeen: admins.length > 0 };
  const tell = () => {
    const onTrust = [
      ...(isPrimary ? [] : ['primary' as const]),
      ...(saysEvicted ? [] : ['eviction' as const]),
    ];
    return makeReport(book, { ...about, onTrust }, isBackupKnown, examples);
  };
  await look();
  const report = tell();
  if (report.counts.lost === 0) return report;
  await readLedgers(paths, queue, book, { onlyKnown: true });
  await look();
  return tell();
}

/** What was asked for, else what the ledger says; both, and it has to be the same. */
function transportOf(
  asked: VerifiableTransport | undefined,
  recognitions: readonly QueueRecognition[],
): VerifiableTransport {
  const told = [...new Set(recognitions.map(({ transport }) => transport))];
  const names = told.map((name) => JSON.stringify(name)).join(', ');
  if (told.length === 0) return asked ?? 'streams';
  if (asked !== undefined) {
    if (told.includes(asked)) return asked;
    throw new Error(
      `The ledger says that the jobs were laid down by ${names}, not by ${JSON.stringify(asked)}.`,
    );
  }
  const [only, ...others] = told;
  if (others.length > 0) {
    throw new Error(
      `The ledger says that the jobs were laid down by ${names}: say which is to be looked at.`,
    );
  }
  if (isVerifiable(only)) return only;
  throw new Error(
    `The ledger says that the jobs were laid down by ${names}: what that leaves behind is not known here.`,
  );
}

function shortest(
  recognitions: readonly QueueRecognition[],
  window: 'generatedMs' | 'callerMs',
): number | undefined {
  return recognitions.length === 0 ? undefined : Math.min(...recognitions.map((one) => one[window]));
}

/** Redis may have evicted the queue itself, and know jobs as laid down that nobody has run. */
function nothingIsSureOfOthers(book: JobBook): void {
  for (const { page, index } of missing(book.jobs())) page.set(index, KNOWN.evictable);
}

function noJobs(queue: string, { otherQueues }: LedgerReading): Error {
  const others = Object.keys(otherQueues).map((name) => JSON.stringify(name));
  const hint = others.length > 0 ? ` It has jobs of ${others.join(', ')}.` : '';
  return new Error(
    `The ledger has no job of the queue ${JSON.stringify(queue)}, so nothing can be compared.${hint}`,
  );
}
