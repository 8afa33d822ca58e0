import type { BookedJob } from '../job-book.js';
import { KNOWN } from '../job-page.js';
import { batches } from './batches.js';
import type { Inquiry } from './evidence.js';
import { listOf } from './list-of.js';

const PAGE = 1000;

/**
 * Marks the jobs whose ids stand in the list at `key`. The list moves while it is read: from the end that jobs are added at, so that
 * none is passed over when others are taken at the other end, and one that is met twice counts as doubled only if Redis, asked for
 * this id alone, finds it twice. What else a job consists of is at `hashOf(id)`: where Redis evicts, an id
 * in line without it is of a job that may never run.
 */
export async function lookIntoList(
  inquiry: Inquiry,
  key: string,
  addedAt: 'head' | 'tail',
  hashOf: (id: string) => string,
): Promise<void> {
  const { connection, book, evicted } = inquiry;
  const again = new Map<string, BookedJob>();
  for (let from = 0; ; from += PAGE) {
    const range = addedAt === 'head' ? [from, from + PAGE - 1] : [-from - PAGE, -from - 1];
    const ids = listOf(await connection.send(['LRANGE', key, ...range.map(String)], key)).map(String);
    const jobs: BookedJob[] = [];
    for (const id of ids) {
      const job = book.find(id);
      if (!job) continue;
      if (job.page.stoodAt(job.index) > 0) again.set(id, job);
      job.page.stood(job.index, 1);
      job.page.set(job.index, KNOWN.delivered);
      jobs.push(job);
    }
    if (evicted !== 'nothing') await lookForHollow(inquiry, key, hashOf, jobs);
    if (ids.length < PAGE) break;
  }
  for (const batch of batches(again)) {
    await Promise.all(
      batch.map(async ([id, { page, index }]) => {
        const places = listOf(await connection.send(['LPOS', key, id, 'COUNT', '2'], key));
        if (places.length > 1) page.set(index, KNOWN.doubled);
      }),
    );
  }
}

async function lookForHollow(
  { connection }: Inquiry,
  key: string,
  hashOf: (id: string) => string,
  jobs: readonly BookedJob[],
): Promise<void> {
  const look = async ({ id, page, index }: BookedJob) => {
    const hash = hashOf(id);
    if (Number(await connection.send(['EXISTS', hash], hash)) > 0) return;
    // It may have run since the list was read.
    const places = listOf(await connection.send(['LPOS', key, id, 'COUNT', '1'], key));
    if (places.length > 0) page.set(index, KNOWN.hollow);
  };
  for (const batch of batches(jobs)) await Promise.all(batch.map(look));
}
