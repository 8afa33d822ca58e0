import {
  chmodSync,
  closeSync,
  existsSync,
  fchmodSync,
  fsyncSync,
  mkdirSync,
  openSync,
  realpathSync,
  statSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { BackupFileError } from './backup-file-error.js';
import { fileSystemOf } from './file-system.js';

/** LMDB's own names. */
export const DATA_FILE = 'data.mdb';
export const LOCK_FILE = 'lock.mdb';

/**
 * The real path of the folder at `path`, made if it is not there, for its owner only. Throws where it is on a network file
 * system; warns where that cannot be told.
 */
export function prepareFolder(path: string): string {
  const wanted = resolve(path);
  makeFolder(wanted);
  const folder = realpathSync(wanted);
  const suitability = fileSystemOf(folder);
  if (suitability.verdict === 'refused') {
    throw new BackupFileError(
      `The backup's folder ${folder} is on ${suitability.fileSystem}, where LMDB does not work: ${suitability.why}. Use a disk of this machine.`,
      { code: 'BACKUP_UNSUITABLE_DISK' },
    );
  }
  if (suitability.verdict === 'risky') {
    process.emitWarning(
      `The backup's folder ${folder} is on ${suitability.fileSystem}, which may lose it: ${suitability.why}. Use a disk of this machine.`,
      { code: 'BACKUP_RISKY_DISK' },
    );
  }
  return folder;
}

/** Lets nobody but their owner read LMDB's files, whatever the umask; makes them if they are not there. */
export function makeFilesPrivate(folder: string): void {
  for (const file of [DATA_FILE, LOCK_FILE]) makePrivate(join(folder, file));
}

/** Writes to the disk which files are in `folder`. */
export function flushFolder(folder: string): void {
  // Windows has no such thing.
  if (process.platform === 'win32') return;
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function makeFolder(folder: string): void {
  if (existsSync(folder)) {
    if (statSync(folder).isDirectory()) return;
    throw new RangeError('Option "path" must be the path of a folder, got that of a file.');
  }
  const parent = dirname(folder);
  makeFolder(parent);
  try {
    mkdirSync(folder, 0o700);
    // The umask may have taken rights away from its owner.
    chmodSync(folder, 0o700);
  } catch (error) {
    // Another process may have made it just now.
    if (!existsSync(folder)) throw error;
  }
  flushFolder(parent);
}

function makePrivate(file: string): void {
  if (existsSync(file)) {
    // By its name: to close a second handle of LMDB's lock file would end the locks of this process.
    if ((statSync(file).mode & 0o777) !== 0o600) chmodSync(file, 0o600);
    return;
  }
  const handle = openSync(file, 'a', 0o600);
  try {
    fchmodSync(handle, 0o600);
  } finally {
    closeSync(handle);
  }
}
