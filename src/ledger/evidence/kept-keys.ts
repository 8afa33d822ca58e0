import type { BookedJob } from '../job-book.js';
import { KNOWN } from '../job-page.js';
import { batches } from './batches.js';
import type { Inquiry } from './evidence.js';
import { missing } from './missing.js';

/** Marks those of the missing jobs of which one of the keys is there. */
export async function lookForKeys(
  { connection, book }: Inquiry,
  keysOf: (id: string) => readonly [string, ...string[]],
): Promise<void> {
  const look = async ({ id, page, index }: BookedJob) => {
    const keys = keysOf(id);
    const found = Number(await connection.send(['EXISTS', ...keys], keys[0]));
    if (found > 0) page.set(index, KNOWN.delivered);
  };
  for (const batch of batches(missing(book.jobs()))) await Promise.all(batch.map(look));
}
