import type { JobRecord } from '../job/job-record.js';
import type { AppendOutcome, BackupStore } from './backup-store.js';

const known: ReadonlySet<unknown> = new Set(['added', 'present', 'replaced'] satisfies AppendOutcome[]);

/** A store that leaves out what it did with a job may have kept it. */
class StoreAnswerError extends Error {
  override readonly name = 'StoreAnswerError';
  readonly fate = 'unknown';

  constructor() {
    super(
      'The backup store did not answer append() with one of "added", "present" and "replaced" for each job.',
    );
  }
}

/**
 * Asks a store, which may be anybody's, to keep `jobs`. Rejects also when it throws at once, or does not say of each job what
 * became of it.
 */
export async function append(
  store: BackupStore,
  queue: string,
  jobs: readonly JobRecord[],
): Promise<readonly AppendOutcome[]> {
  const outcomes: unknown = await store.append(queue, jobs);
  if (!isAnswerTo(jobs, outcomes)) throw new StoreAnswerError();
  return outcomes;
}

function isAnswerTo(jobs: readonly JobRecord[], outcomes: unknown): outcomes is readonly AppendOutcome[] {
  if (!Array.isArray(outcomes) || outcomes.length !== jobs.length) return false;
  // every() would pass over holes.
  for (const outcome of outcomes) if (!known.has(outcome)) return false;
  return true;
}
