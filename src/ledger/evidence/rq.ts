import { rqJobKey, rqKeys } from '../../transport/rq/queue-keys.js';
import { ENDED } from '../../transport/rq/rq-script.js';
import { CLOCKS_MS } from '../clocks.js';
import type { BookedJob } from '../job-book.js';
import { KNOWN } from '../job-page.js';
import { batches } from './batches.js';
import type { Evidence, Inquiry } from './evidence.js';
import { listOf } from './list-of.js';
import { missing } from './missing.js';
import { lookForRecognition } from './recognised-jobs.js';
import { lookIntoList } from './waiting-list.js';

const hashOf = (id: string) => rqJobKey({ id });

/** What jobs of RQ leave behind: their place in line, their bits, and the hash that RQ keeps for a while. */
export const rq: Evidence = {
  lookIntoQueue: (inquiry) => lookIntoList(inquiry, rqKeys(inquiry.queue).queue, 'tail', hashOf),
  async lookForTraces(inquiry) {
    await lookForRecognition(inquiry);
    // What recognition may have forgotten, RQ may still have.
    for (const batch of batches(missing(inquiry.book.jobs()))) {
      await Promise.all(batch.map((job) => lookForHash(inquiry, job)));
    }
  },
};

async function lookForHash({ connection, callerMs }: Inquiry, { id, page, index }: BookedJob): Promise<void> {
  const key = hashOf(id);
  const fields = listOf(await connection.send(['HMGET', key, 'created_at', 'status'], key));
  const [createdAt, status] = fields.map((field) => (field == null ? undefined : String(field)));
  if (createdAt === undefined) return;
  // RQ keeps a failed job for a year. Meanwhile a caller may have come with another one of its id, which may be lost; but while the
  // former has not ended, the other is its duplicate.
  const isEarlier = Date.parse(createdAt) < page.acceptedAt(index) - callerMs - CLOCKS_MS;
  if (isEarlier && ENDED.includes(status ?? '')) return;
  page.set(index, KNOWN.delivered);
}
