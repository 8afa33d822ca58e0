import type { JobRecord } from '../job/job-record.js';

/** The job as if nobody had ever sent it, because a person says that it has not run, or may run again. */
export function neverSent({ lastAttemptAt, ...job }: JobRecord): JobRecord {
  return { ...job, fate: 'not-delivered' };
}
