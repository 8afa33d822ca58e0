import { chmodSync, existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { threadId } from 'node:worker_threads';
import { BackupFileError } from './backup-file-error.js';
import { formatKey } from './keys.js';
import { DATA_FILE, flushFolder } from './lmdb-folder.js';
import { seal, unseal } from './sealed-row.js';
import type { Tree } from './tree.js';

/** The version of the store's own format: of the keys and rows, not of the jobs in them. */
const FORMAT = 1;
/** Says that there is a backup: a data file that is then missing or empty was lost, and is not a new one. */
export const MARKER_FILE = 'backup-format';
const WHAT_TO_DO =
  'Nothing was changed. Restore the folder from a copy, or set it aside and start with an empty one.';

/** Before LMDB is opened: throws where the folder was a backup's and no longer is, or is a newer release's. */
export function checkMarker(folder: string): void {
  const marker = join(folder, MARKER_FILE);
  if (!existsSync(marker)) return;
  const format = /^resilient-queue backup (\d+)\n$/.exec(readFileSync(marker, 'utf8'))?.[1];
  if (format === undefined) {
    throw new BackupFileError(`The backup is damaged: ${marker} is not as it was written. ${WHAT_TO_DO}`, {
      code: 'BACKUP_DAMAGED',
    });
  }
  refuseNewer(folder, Number(format));
  const data = join(folder, DATA_FILE);
  if (existsSync(data) && statSync(data).size > 0) return;
  throw new BackupFileError(
    `The backup is damaged: its file ${data} is ${existsSync(data) ? 'empty' : 'missing'}. ${WHAT_TO_DO}`,
    { code: 'BACKUP_DAMAGED' },
  );
}

/** After LMDB was opened: notes the format in a new backup; throws where it is not ours. */
export function checkFormat(tree: Tree, folder: string): void {
  const row = tree.get(formatKey);
  if (row === undefined) {
    const isEmpty = tree.keys({ start: Buffer.from([0]), end: Buffer.from([255]) }, 1).length === 0;
    if (!isEmpty) refuseForeign(folder);
    tree.transactionSync(() => {
      tree.putNew(formatKey, seal(formatKey, Buffer.from(String(FORMAT))));
    });
  } else {
    const format = unseal(formatKey, row);
    if (format === undefined) refuseForeign(folder);
    refuseNewer(folder, Number(format.toString()));
  }
  const marker = join(folder, MARKER_FILE);
  if (!existsSync(marker)) {
    const draft = `${marker}.${process.pid}-${threadId}`;
    writeFileSync(draft, `resilient-queue backup ${FORMAT}\n`, { mode: 0o600, flush: true });
    chmodSync(draft, 0o600);
    renameSync(draft, marker);
  }
  // Also where it was there: whoever made it may have been killed before this.
  flushFolder(folder);
}

function refuseNewer(folder: string, format: number): void {
  if (format <= FORMAT) return;
  throw new BackupFileError(
    `The backup in ${folder} has format ${format}; this release of @morningai/resilient-queue reads ${FORMAT}. Use the release that wrote it, or a later one.`,
    { code: 'BACKUP_NEWER' },
  );
}

function refuseForeign(folder: string): never {
  throw new BackupFileError(
    `The folder ${folder} has an LMDB file that no LmdbBackupStore wrote. Give the backup a folder of its own.`,
    { code: 'BACKUP_FOREIGN' },
  );
}
