import type { QueueRecognition } from '../health/queue-status.js';
import type { JobBook } from './job-book.js';
import { readLedger } from './read-ledger.js';

/** What was read of the ledgers. */
export interface LedgerReading {
  readonly files: number;
  readonly lines: number;
  /** Lines that are torn, or none of a ledger: their writer was killed, or the disk was full. */
  readonly torn: number;
  /** Lines that could not be written, as their writers say: so many jobs may be in no count. */
  readonly missing: number;
  /** Writers without an end: they are still at work, or were killed, and then their last lines may be missing. */
  readonly openWriters: number;
  /** Writers that ended while their queue went on taking jobs: those are in no count. */
  readonly closedEarly: number;
  /** Jobs that were laid down again after Redis had lost them: a consumer may have run them twice. */
  readonly redelivered: number;
  /** Lines of jobs of other queues, by queue. */
  readonly otherQueues: Readonly<Record<string, number>>;
}

/** What was read of the ledgers, and what their writers say of the queue. */
export interface LedgerContents {
  readonly reading: LedgerReading;
  /** Each once. */
  readonly recognitions: readonly QueueRecognition[];
}

/** What a line may begin with that was torn; the disk of a machine that crashed may have zeros for it. */
const startOfLine = /^[{\0]/;

/**
 * Enters into `book` what the ledgers say of the jobs of `queue`. Rejects where one of them is no ledger at all: what it should
 * have told of would be in no count.
 */
export async function readLedgers(
  paths: readonly string[],
  queue: string,
  book: JobBook,
  options: { readonly onlyKnown: boolean },
): Promise<LedgerContents> {
  const sums = { lines: 0, torn: 0, missing: 0, redelivered: 0 };
  const otherQueues: Record<string, number> = {};
  const opened = new Set<string>();
  const closed = new Set<string>();
  const closedEarly = new Set<string>();
  const recognitions = new Map<string, QueueRecognition>();
  for (const path of paths) {
    const before = { ...sums };
    let isLikeOne = false;
    await readLedger(path, (line, text) => {
      sums.lines += 1;
      if (!line) {
        sums.torn += 1;
        isLikeOne = startOfLine.test(text);
      } else if (line.queue !== queue) {
        if ('id' in line) otherQueues[line.queue] = (otherQueues[line.queue] ?? 0) + 1;
      } else if (line.event === 'opened') {
        opened.add(line.writer);
        const { recognition } = line;
        if (recognition) recognitions.set(JSON.stringify(recognition), recognition);
      } else if (line.event === 'closed') {
        closed.add(line.writer);
        if (line.isQueueOpen) closedEarly.add(line.writer);
      } else if (line.event === 'missing') sums.missing += line.count;
      else if (line.event === 'redis-data-loss') sums.redelivered += line.redelivered;
      else book.enter(line, options.onlyKnown);
    });
    const [lines, torn] = [sums.lines - before.lines, sums.torn - before.torn];
    // One alone may be all that a killed writer came to.
    if (torn > 0 && torn === lines && !(lines === 1 && isLikeOne)) {
      throw new Error(
        `${path} is no ledger: none of its lines is one (of ${lines}). If it is compressed, unpack it.`,
      );
    }
  }
  const openWriters = [...opened].filter((writer) => !closed.has(writer)).length;
  const reading = { ...sums, openWriters, closedEarly: closedEarly.size, otherQueues };
  return { reading: { files: paths.length, ...reading }, recognitions: [...recognitions.values()] };
}
