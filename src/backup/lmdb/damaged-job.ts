import type { JobRecord } from '../../job/job-record.js';

/** The version of a record that stands in for one whose bytes fail their checksum: no release ever wrote it, so it is parked. */
const DAMAGED = 0;

/** What can be said of a job that is damaged on the disk. */
export function damagedJob(queue: string, id: string): JobRecord {
  return {
    version: DAMAGED,
    queue,
    id,
    delivery: id,
    name: 'damaged',
    payload: 'null',
    fate: 'unknown',
    enqueuedAt: 0,
    transport: 'damaged',
  };
}
