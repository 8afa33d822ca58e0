import type { JobRecord } from '../job/job-record.js';

/** What a job counts for in `backupLimit.bytes`: its own text in UTF-8, without what a store adds. */
export function recordBytes(job: JobRecord): number {
  let bytes = Buffer.byteLength(job.payload) + Buffer.byteLength(job.name) + Buffer.byteLength(job.id);
  if (job.headers !== undefined) bytes += Buffer.byteLength(JSON.stringify(job.headers));
  if (job.transportOptions !== undefined) bytes += Buffer.byteLength(JSON.stringify(job.transportOptions));
  return bytes;
}
