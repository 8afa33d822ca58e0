import type { JobRecord } from '../../job/job-record.js';

/** RQ's names for what it keeps of a queue. */
export interface RqKeys {
  /** List: the ids of the jobs that wait. */
  readonly queue: string;
  /** Those that every job may need, in the order in which the script has them. */
  readonly shared: readonly string[];
}

export function rqKeys(queue: string): RqKeys {
  return {
    queue: `rq:queue:${queue}`,
    shared: [
      `rq:scheduled:${queue}`,
      `rq:finished:${queue}`,
      `rq:failed:${queue}`,
      `rq:canceled:${queue}`,
      'rq:queues',
    ],
  };
}

/** Hash: a job's fields. */
export function rqJobKey({ id }: Pick<JobRecord, 'id'>): string {
  return `rq:job:${id}`;
}
