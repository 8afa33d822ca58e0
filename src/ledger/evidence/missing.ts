import type { BookedJob } from '../job-book.js';
import { KNOWN } from '../job-page.js';

/** Of `jobs`, those that are not found to be laid down. */
export function* missing(jobs: Iterable<BookedJob>): Generator<BookedJob> {
  for (const job of jobs) if (!job.page.is(job.index, KNOWN.delivered)) yield job;
}
