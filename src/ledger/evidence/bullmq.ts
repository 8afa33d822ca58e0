import { deduplicationId } from '../../transport/bullmq/bullmq-job.js';
import { KNOWN } from '../job-page.js';
import type { Evidence } from './evidence.js';
import { lookForKeys } from './kept-keys.js';
import { missing } from './missing.js';
import { lookIntoList } from './waiting-list.js';

/** Where jobs wait for a worker, or are with one. Elsewhere BullMQ has an id once at most. */
const LISTS = ['wait', 'paused', 'active'];

/**
 * What jobs of BullMQ leave behind: their hash, wherever they stand, and their deduplication once they are removed. `prefix` is
 * that of its keys.
 */
export function bullMq(prefix: string): Evidence {
  const keyOf = (queue: string, of: string) => `${prefix}:${queue}:${of}`;
  return {
    async lookIntoQueue(inquiry) {
      for (const list of LISTS) {
        await lookIntoList(inquiry, keyOf(inquiry.queue, list), 'head', (id) => keyOf(inquiry.queue, id));
      }
    },
    async lookForTraces(inquiry) {
      const { queue, book, deliveriesSince, generatedMs, evicted } = inquiry;
      await lookForKeys(inquiry, (id) => [keyOf(queue, id), keyOf(queue, `de:${deduplicationId(id)}`)]);
      for (const job of missing(book.jobs())) {
        const { page, index } = job;
        if (book.knownSince(job, generatedMs) < deliveriesSince) page.set(index, KNOWN.forgettable);
        else if (evicted !== 'nothing') page.set(index, KNOWN.evictable);
      }
    },
  };
}
