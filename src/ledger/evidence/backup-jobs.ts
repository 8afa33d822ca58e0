import type { BackupAdmin, ParkedJob } from '../../backup/backup-store.js';
import { boundedCall } from '../../backup/bounded-call.js';
import { systemClock } from '../../clock/clock.js';
import type { JobRecord } from '../../job/job-record.js';
import type { JobBook } from '../job-book.js';
import { KNOWN } from '../job-page.js';

const PAGE = 256;

/** Marks the jobs that the backup holds: pending ones first, since they may be parked meanwhile. */
export async function lookIntoBackup(
  admin: BackupAdmin,
  queue: string,
  book: JobBook,
  timeoutMs: number,
): Promise<void> {
  for (const state of ['pending', 'parked'] as const) {
    let cursor: string | undefined;
    do {
      const page = await boundedCall(
        systemClock,
        timeoutMs,
        admin.list(queue, state, { limit: PAGE, cursor }),
      );
      for (const one of page.jobs) {
        const job = book.find(recordOf(one).id);
        job?.page.set(job.index, KNOWN[state]);
      }
      cursor = page.cursor;
    } while (cursor !== undefined);
  }
}

function recordOf(job: JobRecord | ParkedJob): JobRecord {
  return 'job' in job ? job.job : job;
}
