import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { LmdbBackupStore } from '../backup/lmdb/lmdb-backup-store.js';
import { DATA_FILE, LOCK_FILE } from '../backup/lmdb/lmdb-folder.js';
import { MARKER_FILE } from '../backup/lmdb/store-format.js';

/** Of the system and, as numbers, of LMDB. */
const noRights = new Set<unknown>(['EACCES', 'EPERM', 'EROFS', 13, 1, 30]);

/** A store to look into; other processes may be at work on it. Throws where there is none: looking must not make one. */
export function openBackup(path: string): { readonly store: LmdbBackupStore } & AsyncDisposable {
  try {
    checkFiles(path);
    const store = new LmdbBackupStore({ path });
    return { store, [Symbol.asyncDispose]: () => store.close() };
  } catch (error) {
    const code = (error as { readonly code?: unknown }).code;
    if (!noRights.has(code)) throw error;
    throw new Error(
      `The backup in ${path} cannot be opened (${code}): run this as the user that the service runs as, on a disk that may be written to.`,
    );
  }
}

function checkFiles(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isFile())
    throw new Error(`${path} is a file: give the folder of the LmdbBackupStore.`);
  const marker = join(path, MARKER_FILE);
  const data = statSync(join(path, DATA_FILE), { throwIfNoEntry: false });
  // With a marker there was one: what is wrong with it the store says.
  if (!data?.size && !existsSync(marker))
    throw new Error(`There is no backup of an LmdbBackupStore in ${path}.`);
  if (!data) return;
  accessSync(join(path, DATA_FILE), constants.R_OK | constants.W_OK);
  // What root makes, the service could not open.
  const isOwner = process.getuid === undefined || process.getuid() === data.uid;
  if (isOwner || (existsSync(join(path, LOCK_FILE)) && existsSync(marker))) return;
  throw new Error(
    `The backup in ${path} lacks a file that only its owner should make: run this as that user (its id is ${data.uid}).`,
  );
}

/** Likewise several, or none. */
export async function openBackups(
  paths: readonly string[],
): Promise<{ readonly stores: readonly LmdbBackupStore[] } & AsyncDisposable> {
  const opened: ReturnType<typeof openBackup>[] = [];
  const close = async () => {
    await Promise.all(opened.map((backup) => backup[Symbol.asyncDispose]()));
  };
  try {
    for (const path of paths) opened.push(openBackup(path));
  } catch (error) {
    await close();
    throw error;
  }
  return { stores: opened.map(({ store }) => store), [Symbol.asyncDispose]: close };
}
