import { deduplicationId } from '../../transport/bullmq/bullmq-job.js';
import { rqJobKey, rqKeys } from '../../transport/rq/queue-keys.js';
import type { BookedJob } from '../job-book.js';
import { KNOWN } from '../job-page.js';
import { batches, type Evidence, type Inquiry } from './evidence.js';
import { lookForRecognition, missing } from './recognised-jobs.js';
import { lookIntoStream } from './stream-entries.js';
import { lookIntoList } from './waiting-list.js';

/** A transport whose jobs can be looked for afterwards. */
export type VerifiableTransport = 'streams' | 'rq' | 'bullmq';

/** What the jobs of each transport leave behind. `prefix` is that of BullMQ's keys. */
export function evidenceOf(transport: VerifiableTransport, prefix: string): Evidence {
  return transport === 'streams' ? streams : transport === 'rq' ? rq : bullMq(prefix);
}

const streams: Evidence = { lookIntoQueue: lookIntoStream, lookForTraces: lookForRecognition };

const rq: Evidence = {
  lookIntoQueue: (inquiry) => lookIntoList(inquiry, rqKeys(inquiry.queue).queue),
  async lookForTraces(inquiry) {
    await lookForRecognition(inquiry);
    // What recognition may have forgotten, RQ may still have.
    await lookForKeys(inquiry, (id) => [rqJobKey({ id })]);
  },
};

/** BullMQ has one job of an id at most. */
function bullMq(prefix: string): Evidence {
  const keyOf = (queue: string, of: string) => `${prefix}:${queue}:${of}`;
  return {
    async lookIntoQueue(inquiry) {
      for (const list of ['wait', 'paused', 'active']) {
        await lookIntoList(inquiry, keyOf(inquiry.queue, list));
      }
    },
    async lookForTraces(inquiry) {
      const { queue, book, now, windows, hasEvicted } = inquiry;
      await lookForKeys(inquiry, (id) => [keyOf(queue, id), keyOf(queue, `de:${deduplicationId(id)}`)]);
      for (const { page, index } of missing(book.jobs())) {
        if (now - page.acceptedAt(index) > windows.generatedMs) page.set(index, KNOWN.forgettable);
        else if (hasEvicted) page.set(index, KNOWN.evictable);
      }
    },
  };
}

/** Marks those of the missing jobs of which one of the keys is there. */
async function lookForKeys(
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
