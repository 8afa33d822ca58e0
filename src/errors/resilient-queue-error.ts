import type { Fate } from './fate.js';

/**
 * Stable codes of every {@link ResilientQueueError}.
 *
 * | code | what happened |
 * |---|---|
 * | `QUEUE_CLOSED` | `close()` was called before |
 * | `NAME_INVALID` | the job's name is empty, too long, not valid text, none of those in `schemas`, or none that the transport can carry |
 * | `PAYLOAD_INVALID` | the payload cannot be written as JSON, its schema refuses it, or the transport cannot carry it |
 * | `PAYLOAD_TOO_LARGE` | the payload is over `maxPayloadBytes` |
 * | `ID_INVALID` | the id is empty, too long, not valid UTF-8, has control characters, or others that the transport cannot carry |
 * | `OPTION_UNSUPPORTED` | an option of this job is malformed, or the transport cannot honour it |
 * | `REJECTED_BY_REDIS` | Redis is well and refused this job (wrong type, missing rights) |
 * | `BACKUP_FULL` | Redis could not take the job and the backup is at its limit |
 * | `UNAVAILABLE` | neither Redis nor the backup took the job; `cause`, where there is one, has both reasons |
 * | `ABORTED` | the caller's signal was aborted before the job was sent |
 */
export type ErrorCode =
  | 'QUEUE_CLOSED'
  | 'NAME_INVALID'
  | 'PAYLOAD_INVALID'
  | 'PAYLOAD_TOO_LARGE'
  | 'ID_INVALID'
  | 'OPTION_UNSUPPORTED'
  | 'REJECTED_BY_REDIS'
  | 'BACKUP_FULL'
  | 'UNAVAILABLE'
  | 'ABORTED';

/** What a {@link ResilientQueueError} is made of. */
export interface ErrorDetails {
  readonly code: ErrorCode;
  readonly fate: Fate;
  readonly jobId?: string | undefined;
  readonly cause?: unknown;
}

// A class loaded by `require` is not the class loaded by `import`: instances are known by this brand instead.
const brand = Symbol.for('@morningai/resilient-queue/error');

/**
 * The one error class of this library. `code` is API, the message's wording is not. `fate` says where the job is now, and
 * `jobId` which job it was: after fate `unknown`, enqueue again with `{ id: error.jobId }`.
 *
 * Neither message nor `cause` contains a payload, an address or a password.
 */
export class ResilientQueueError extends Error {
  override readonly name: string = 'ResilientQueueError';
  /** What happened: see {@link ErrorCode}. */
  readonly code: ErrorCode;
  /** Where the job is now. */
  readonly fate: Fate;
  /** The job's id, also when the library made it; absent where no job had been made yet. */
  readonly jobId: string | undefined;

  constructor(message: string, details: ErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = details.code;
    this.fate = details.fate;
    this.jobId = details.jobId;
    Object.defineProperty(this, brand, { value: true });
  }
}

/** True for a {@link ResilientQueueError}, also one thrown by another copy of this library. */
export function isResilientQueueError(value: unknown): value is ResilientQueueError {
  return typeof value === 'object' && value !== null && brand in value;
}
