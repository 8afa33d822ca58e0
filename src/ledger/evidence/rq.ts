import { rqJobKey, rqKeys } from '../../transport/rq/queue-keys.js';
import type { Evidence } from './evidence.js';
import { lookForKeys } from './kept-keys.js';
import { lookForRecognition } from './recognised-jobs.js';
import { lookIntoList } from './waiting-list.js';

/** What jobs of RQ leave behind: their place in line, their bits, and the hash that RQ keeps for a while. */
export const rq: Evidence = {
  lookIntoQueue: (inquiry) => lookIntoList(inquiry, rqKeys(inquiry.queue).queue),
  async lookForTraces(inquiry) {
    await lookForRecognition(inquiry);
    // What recognition may have forgotten, RQ may still have.
    await lookForKeys(inquiry, (id) => [rqJobKey({ id })]);
  },
};
