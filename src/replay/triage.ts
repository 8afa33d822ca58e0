import { JOB_RECORD_VERSION, type JobRecord } from '../job/job-record.js';

/** Before the recognition window ends there must be time to send: the clocks of two machines differ, too. */
const WINDOW_MARGIN_MS = 3_600_000;

/** Why a job was set aside. */
export type ParkReason =
  | 'recognition-expired'
  | 'unknown-version'
  | 'foreign-transport'
  | 'schema-mismatch'
  | 'rejected'
  | 'unlisted-error';

/** What is to be done with a backed-up job. */
export type Verdict =
  | { readonly action: 'send' }
  | { readonly action: 'drop'; readonly reason: 'expired' }
  | { readonly action: 'park'; readonly reason: ParkReason; readonly text?: string };

const send: Verdict = { action: 'send' };

/** Decides by the record alone. `now` in epoch ms. */
export function triage(
  job: JobRecord,
  context: {
    readonly now: number;
    readonly transport: string;
    readonly recognitionMs: number;
    /** Why the payload is not what is expected today; absent where nothing is expected. */
    readonly payloadProblem?: (job: JobRecord) => string | undefined;
  },
): Verdict {
  if (job.version !== JOB_RECORD_VERSION) return { action: 'park', reason: 'unknown-version' };
  if (job.transport !== context.transport) return { action: 'park', reason: 'foreign-transport' };
  if (job.expiresAt !== undefined && job.expiresAt <= context.now)
    return { action: 'drop', reason: 'expired' };
  // An attempt may have laid it down, and Redis may have forgotten by now that it did.
  const attemptedAt = job.lastAttemptAt ?? (job.fate === 'unknown' ? job.enqueuedAt : undefined);
  if (attemptedAt !== undefined && context.now - attemptedAt > context.recognitionMs - WINDOW_MARGIN_MS) {
    return { action: 'park', reason: 'recognition-expired' };
  }
  const text = context.payloadProblem?.(job);
  return text === undefined ? send : { action: 'park', reason: 'schema-mismatch', text };
}
