import type { Fate } from '../errors/fate.js';
import { ResilientQueueError } from '../errors/resilient-queue-error.js';
import type { Receipt } from './receipt.js';

/**
 * Some jobs of an `enqueueMany()` were not taken. `code`, `jobId` and `cause` are those of the first; `fate` is `unknown` if
 * it is so for any of them.
 */
export class EnqueueManyError extends ResilientQueueError {
  override readonly name = 'EnqueueManyError';
  /** For each job, in order: its receipt, or why it was not taken. */
  readonly results: readonly (Receipt | ResilientQueueError)[];

  constructor(results: readonly (Receipt | ResilientQueueError)[]) {
    const errors = results.filter((result) => result instanceof ResilientQueueError);
    const first = errors[0] as ResilientQueueError;
    const fate: Fate = errors.some((error) => error.fate === 'unknown') ? 'unknown' : first.fate;
    super(`${errors.length} of ${results.length} jobs were not taken, the first because: ${first.message}`, {
      code: first.code,
      fate,
      jobId: first.jobId,
      cause: first,
    });
    this.results = results;
  }
}

/** True for an {@link EnqueueManyError}, also one of another copy of this library. */
export function isEnqueueManyError(value: unknown): value is EnqueueManyError {
  return (
    typeof value === 'object' && value !== null && 'results' in value && 'fate' in value && 'code' in value
  );
}
