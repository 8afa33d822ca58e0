import { JOB_RECORD_VERSION, type JobRecord } from '../../../src/index.js';

/** A job as `enqueue()` makes it, with what a test wants to be different. */
export function jobRecord(fields: Partial<JobRecord> = {}): JobRecord {
  const delivery = fields.delivery ?? '018bcfe5680aaaaaaaaaaaaaaaa-0';
  return {
    version: JOB_RECORD_VERSION,
    queue: 'q',
    id: delivery,
    delivery,
    name: 'job',
    payload: 'null',
    fate: 'not-delivered',
    enqueuedAt: 1_700_000_000_000,
    transport: 'streams',
    ...fields,
  };
}
