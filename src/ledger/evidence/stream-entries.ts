import { streamKey } from '../../transport/streams.js';
import { CLOCKS_MS } from '../clocks.js';
import type { BookedJob } from '../job-book.js';
import { KNOWN } from '../job-page.js';
import type { Inquiry } from './evidence.js';
import { listOf } from './list-of.js';

const FEWEST = 16;
const MOST = 1000;
/** Of text in a page: above this the next has fewer entries, far below it more. */
const PAGE_LENGTH = 1024 * 1024;
/** Between a job's marker and its entry, which one script writes. */
const SCRIPT_MS = 1000;

/** Marks the jobs that stand in the stream. What consumers have deleted from it is not seen, nor counted. */
export async function lookIntoStream({ connection, queue, book, callerMs }: Inquiry): Promise<void> {
  const key = streamKey(queue);
  let from = '-';
  let count = FEWEST;
  for (;;) {
    const page = listOf(await connection.send(['XRANGE', key, from, '+', 'COUNT', String(count)], key));
    let length = 0;
    let last = '';
    for (const entry of page) {
      const [at, fields] = listOf(entry);
      last = String(at);
      const texts = listOf(fields).map(String);
      for (const text of texts) length += text.length;
      const field = texts.findIndex((name, i) => i % 2 === 0 && name === 'id');
      const id = field === -1 ? undefined : texts[field + 1];
      const job = id === undefined ? undefined : book.find(id);
      if (job) markEntry(job, last, callerMs);
    }
    if (page.length < count) return;
    from = idAfter(last);
    if (length > PAGE_LENGTH) count = Math.max(FEWEST, Math.floor(count / 4));
    else if (length < PAGE_LENGTH / 4) count = Math.min(MOST, count * 2);
  }
}

function markEntry({ page, index, epoch }: BookedJob, entry: string, callerMs: number): void {
  const at = Number(entry.slice(0, entry.indexOf('-')));
  const before = page.stoodAt(index);
  page.stood(index, at);
  const isCallers = epoch === undefined;
  // Once its id is forgotten, a caller may come with another job of it, which may be lost.
  const isEarlier = isCallers && at < page.acceptedAt(index) - callerMs - CLOCKS_MS;
  if (!isEarlier) page.set(index, KNOWN.delivered);
  const isAnother = isCallers && at - before >= callerMs - Math.min(SCRIPT_MS, callerMs / 2);
  if (before > 0 && !isAnother) page.set(index, KNOWN.doubled);
}

/** Counted up by hand: exclusive ranges came with Redis 6.2. */
function idAfter(id: string): string {
  const [ms, sequence = '0'] = id.split('-');
  return `${ms}-${BigInt(sequence) + 1n}`;
}
