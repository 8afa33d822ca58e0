import { ResilientQueueError } from '../../errors/resilient-queue-error.js';
import { BackupFileError } from './backup-file-error.js';

/** Of the system (ENOSPC, EDQUOT, EFBIG) and of LMDB (MAP_FULL): nothing more fits. */
const full = new Set<unknown>([28, 122, 27, -30792, 'ENOSPC', 'EDQUOT', 'EFBIG']);
/** Of LMDB: PAGE_NOTFOUND, CORRUPTED, INVALID. */
const damaged = new Set<unknown>([-30797, -30796, -30793]);

export function isFull(error: unknown): boolean {
  return full.has(codeOf(error));
}

export function diskFullError(cause: unknown): ResilientQueueError {
  return new ResilientQueueError('The disk of the backup is full. Make room: it goes on by itself.', {
    code: 'BACKUP_FULL',
    fate: 'not-delivered',
    cause,
  });
}

export function removedError(file: string): BackupFileError {
  return new BackupFileError(
    `The backup's file ${file} was removed while it was open, so no more jobs are taken. What waits in it can be replayed until this process ends, and is then gone.`,
    { code: 'BACKUP_DAMAGED' },
  );
}

/** `fate` is `unknown` for what was being flushed when it happened. */
export function diskFailedError(cause: unknown, fate: 'not-delivered' | 'unknown'): BackupFileError {
  return new BackupFileError(
    'The disk failed while the backup was being written, so nothing more is written to it. Check the disk, then start the process again.',
    { code: 'BACKUP_FAILED', fate, cause },
  );
}

/** An error of the system or of LMDB as one of ours, where it came before anything was kept. */
export function storeError(error: unknown): Error {
  if (error instanceof ResilientQueueError || error instanceof BackupFileError) return error;
  if (isFull(error)) return diskFullError(error);
  if (damaged.has(codeOf(error))) {
    return new BackupFileError(
      'The backup is damaged: LMDB found what cannot be. Stop all processes that use it and restore the folder from a copy, or set it aside and start with an empty one.',
      { code: 'BACKUP_DAMAGED', cause: error },
    );
  }
  return error instanceof Error ? error : new Error(String(error));
}

function codeOf(error: unknown): unknown {
  return (error as { readonly code?: unknown } | undefined)?.code;
}
