import type { JobRecord } from '../../job/job-record.js';
import type { RqJobOptions } from './job-options.js';

/** When a job's `ttlSeconds` is over, epoch ms; undefined for a job that has none. */
export function ttlEndsAt({ enqueuedAt, transportOptions }: JobRecord): number | undefined {
  const { ttlSeconds } = (transportOptions ?? {}) as RqJobOptions;
  return ttlSeconds === undefined ? undefined : enqueuedAt + ttlSeconds * 1000;
}
