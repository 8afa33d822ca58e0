import type { Evidence } from './evidence.js';
import { lookForRecognition } from './recognised-jobs.js';
import { lookIntoStream } from './stream-entries.js';

/** What jobs in a stream leave behind: their entries, until a consumer deletes them, and their bits. */
export const streams: Evidence = { lookIntoQueue: lookIntoStream, lookForTraces: lookForRecognition };
