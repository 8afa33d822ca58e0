import type { BookedJob } from '../job-book.js';
import { KNOWN } from '../job-page.js';
import { batches } from './batches.js';
import type { Inquiry } from './evidence.js';
import { listOf } from './list-of.js';

const PAGE = 1000;

/**
 * Marks the jobs whose ids stand in the list at `key`. The list moves while it is read, so one that is met twice counts as doubled
 * only if Redis, asked for this id alone, finds it twice.
 */
export async function lookIntoList({ connection, book }: Inquiry, key: string): Promise<void> {
  const met = new Set<string>();
  const again = new Map<string, BookedJob>();
  for (let from = 0; ; from += PAGE) {
    const range = [String(from), String(from + PAGE - 1)];
    const ids = listOf(await connection.send(['LRANGE', key, ...range], key)).map(String);
    for (const id of ids) {
      const job = book.find(id);
      if (!job) continue;
      job.page.set(job.index, KNOWN.delivered);
      if (met.has(id)) again.set(id, job);
      met.add(id);
    }
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
