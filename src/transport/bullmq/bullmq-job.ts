import type { JobRecord } from '../../job/job-record.js';
import type { BullMqJob, Producer } from './bullmq-queue.js';

/** In front of the ids by which BullMQ knows our jobs again, so that they are none of your own. */
const OURS = 'rsq:';

/** By which BullMQ knows the job of this id again. */
export function deduplicationId(id: string): string {
  return OURS + id;
}

/** The string that BullMQ keeps for as long. */
export function deduplicationKey(queue: Producer, id: string): string {
  return queue.toKey(`de:${deduplicationId(id)}`);
}

/**
 * A job as `add()` takes it, at `now` (epoch ms). `jobId` knows it again while BullMQ keeps it, the deduplication until
 * `deduplicationMs` after it was laid down, also once it has run and is removed.
 */
export function bullMqJob(job: JobRecord, deduplicationMs: number, now: number): BullMqJob {
  const options = (job.transportOptions ?? {}) as { readonly timestamp?: number };
  const timestamp = options.timestamp ?? Math.floor(job.enqueuedAt);
  return {
    name: job.name,
    data: payloadOf(job),
    opts: {
      ...options,
      timestamp,
      ...(job.runAt !== undefined && { delay: delayMs(job.runAt, timestamp, now) }),
      jobId: job.id,
      deduplication: { id: deduplicationId(job.id), ttl: deduplicationMs },
    },
  };
}

function payloadOf(job: JobRecord): unknown {
  try {
    return JSON.parse(job.payload);
  } catch {
    // The engine's message quotes it. It was written as JSON: a store has given something else back.
    throw new TypeError('The payload of a stored job is no JSON.');
  }
}

/** BullMQ counts it from the job's timestamp: whenever the job is laid down, it is due at the same time. */
function delayMs(runAt: number, timestamp: number, now: number): number {
  return runAt <= now ? 0 : Math.max(0, Math.ceil(runAt) - timestamp);
}
