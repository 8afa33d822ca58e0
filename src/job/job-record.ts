import type { Fate } from '../errors/fate.js';

/** The version of {@link JobRecord} that this release writes. */
export const JOB_RECORD_VERSION = 1;

/**
 * A job as it is stored: plain data, because a store outlives the release that wrote it. A store keeps every field as it
 * got it and gives it back unchanged, also fields it does not know.
 */
export interface JobRecord {
  /** {@link JOB_RECORD_VERSION} of the writer. A record of an unknown version is parked, never guessed at. */
  readonly version: number;
  /** The queue it belongs to. */
  readonly queue: string;
  /** The caller's id, else the delivery id. Unique in a store and queue. */
  readonly id: string;
  /** The delivery id, `<epoch>-<seq>`: what recognition knows this job by, in every attempt. */
  readonly delivery: string;
  readonly name: string;
  /** JSON text, exactly what is laid down. */
  readonly payload: string;
  /** `unknown`: an attempt may have laid it down, so it is only sent again through recognition. */
  readonly fate: Exclude<Fate, 'delivered'>;
  /** When it was sent to Redis, or first handed out under a lease for that; epoch ms. */
  readonly lastAttemptAt?: number;
  /** When `enqueue()` took it; epoch ms. */
  readonly enqueuedAt: number;
  /** Not to be run before; epoch ms. */
  readonly runAt?: number;
  /** Dropped, and reported, if it still waits then; epoch ms. */
  readonly expiresAt?: number;
  /** Run in the order of the jobs that have the same. */
  readonly orderingKey?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The name of the transport that is to lay it down. */
  readonly transport: string;
  /** That transport's options for this job, JSON values. */
  readonly transportOptions?: unknown;
}

/** How large a job is on its way, near enough to cut batches by: UTF-16 units stand for bytes. */
export function roughBytes(job: JobRecord): number {
  let size = job.payload.length + job.name.length;
  if (job.headers !== undefined) size += JSON.stringify(job.headers).length;
  if (job.transportOptions !== undefined) size += JSON.stringify(job.transportOptions).length;
  return size;
}
