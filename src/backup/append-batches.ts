import type { JobRecord } from '../job/job-record.js';
import { recordBytes } from './record-bytes.js';

/** What a store is given in one `append()` at most. */
const MAX_JOBS = 256;
const MAX_BYTES = 1024 * 1024;

/** Cuts `jobs` for `append()`, in their order. One that is larger than a batch may be is alone in its own. */
export function* appendBatches(jobs: readonly JobRecord[]): Generator<readonly JobRecord[]> {
  let batch: JobRecord[] = [];
  let bytes = 0;
  for (const job of jobs) {
    const size = recordBytes(job);
    if (batch.length > 0 && (batch.length === MAX_JOBS || bytes + size > MAX_BYTES)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(job);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}
