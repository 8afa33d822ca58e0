import { ResilientQueueError } from '../../errors/resilient-queue-error.js';
import { BackupFileError } from './backup-file-error.js';

/** Of the system (ENOSPC, EDQUOT, EFBIG) and of LMDB (MAP_FULL): nothing more fits. */
const full = new Set<unknown>([28, 122, 27, -30792, 'ENOSPC', 'EDQUOT', 'EFBIG']);
/** Of LMDB: PAGE_NOTFOUND, CORRUPTED, INVALID. */
const damaged = new Set<unknown>([-30797, -30796, -30793]);

export function isFull(error: unknown): boolean {
  return full.has((error as { readonly code?: unknown } | undefined)?.code);
}

export function diskFullError(cause: unknown): ResilientQueueError {
  return new ResilientQueueError('The disk of the backup is full. Make room: it goes on by itself.', {
    code: 'BACKUP_FULL',
    fate: 'not-delivered',
    cause,
  });
}

/**
 * An error of the system or of LMDB as one of ours. `isCommit`: it came when a transaction was being flushed, so that nobody
 * can tell what of it is on the disk.
 */
export function storeError(error: unknown, isCommit: boolean): Error {
  if (error instanceof ResilientQueueError || error instanceof BackupFileError) return error;
  const code = (error as { readonly code?: unknown } | undefined)?.code;
  if (isFull(error)) return diskFullError(error);
  if (damaged.has(code)) {
    return new BackupFileError(
      'The backup is damaged: LMDB found a page that cannot be. Stop all processes that use it and restore the folder from a copy, or set it aside and start with an empty one.',
      { code: 'BACKUP_DAMAGED', fate: isCommit ? 'unknown' : 'not-delivered', cause: error },
    );
  }
  if (isCommit) {
    return new BackupFileError(
      'The disk failed while the backup was being written, so nothing more is written to it. Check the disk, then start the process again.',
      { code: 'BACKUP_FAILED', fate: 'unknown', cause: error },
    );
  }
  return error instanceof Error ? error : new Error(String(error));
}
