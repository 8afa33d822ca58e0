import { closeSync, openSync } from 'node:fs';
import { BackupFileError } from './backup-file-error.js';
import { Damage, type FirstPage, readFirstPage } from './first-page.js';
import { inspectTrees } from './inspect-trees.js';

/** A writer that is at work may use a page again that we are about to read. */
const ATTEMPTS = 5;

/**
 * Throws a `BackupFileError` unless every page that LMDB could follow is in the file and is what it has to be. LMDB itself
 * would end the process instead: by SIGBUS beyond the file's end, by SIGABRT at a page that cannot be. The jobs' own bytes are
 * not read: they have their checksums. Other processes may be writing the file meanwhile.
 */
export function inspectFile(path: string): void {
  const file = openSync(path, 'r');
  try {
    for (let attempt = 1; ; attempt++) {
      const before = readFirstPage(file);
      const damage = before instanceof Damage ? before : inspectTrees(file, before);
      if (!damage) return;
      if (isWritten(file, before)) {
        if (attempt < ATTEMPTS) continue;
        // Whoever goes on writing it has a sound file, and is too fast for us.
        return;
      }
      throw new BackupFileError(
        `The backup's file ${path} is damaged: ${damage.message}. It was left as it is. Stop all processes that use it and restore the folder from a copy, or set it aside and start with an empty one.`,
        { code: 'BACKUP_DAMAGED' },
      );
    }
  } finally {
    closeSync(file);
  }
}

/** Somebody committed since `before` was read; only after that can a page of it have been used again. */
function isWritten(file: number, before: FirstPage | Damage): boolean {
  const now = readFirstPage(file);
  return !(before instanceof Damage) && !(now instanceof Damage) && now.transaction !== before.transaction;
}
