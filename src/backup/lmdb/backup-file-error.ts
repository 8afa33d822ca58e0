/**
 * Why a backup's files cannot be used.
 *
 * | code | what is wrong |
 * |---|---|
 * | `BACKUP_DAMAGED` | the files are torn, cut off, missing or overwritten |
 * | `BACKUP_NEWER` | a newer release of this library wrote them |
 * | `BACKUP_FOREIGN` | something else wrote them |
 * | `BACKUP_UNSUITABLE_DISK` | the folder is on a network file system |
 * | `BACKUP_FAILED` | the disk failed while the store was open; nothing more is written |
 */
export type BackupFileErrorCode =
  | 'BACKUP_DAMAGED'
  | 'BACKUP_NEWER'
  | 'BACKUP_FOREIGN'
  | 'BACKUP_UNSUITABLE_DISK'
  | 'BACKUP_FAILED';

// A class loaded by `require` is not the class loaded by `import`: instances are known by this brand instead.
const brand = Symbol.for('@morningai/resilient-queue/backup-file-error');

/**
 * The backup's files cannot be used, and were left as they are. `code` is API, the message's wording is not: it says what is
 * wrong, where, and what to do.
 */
export class BackupFileError extends Error {
  override readonly name: string = 'BackupFileError';
  readonly code: BackupFileErrorCode;
  /** A store that cannot tell whether it kept the jobs of a call says so by `unknown`. */
  readonly fate: 'not-delivered' | 'unknown';

  constructor(
    message: string,
    details: {
      readonly code: BackupFileErrorCode;
      readonly fate?: 'not-delivered' | 'unknown';
      readonly cause?: unknown;
    },
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = details.code;
    this.fate = details.fate ?? 'not-delivered';
    Object.defineProperty(this, brand, { value: true });
  }
}

/** True for a {@link BackupFileError}, also one thrown by another copy of this library. */
export function isBackupFileError(value: unknown): value is BackupFileError {
  return typeof value === 'object' && value !== null && brand in value;
}
