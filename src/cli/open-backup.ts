import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { LmdbBackupStore } from '../backup/lmdb/lmdb-backup-store.js';

/** A store to look into; another process may be at work on it. Throws where there is none: looking must not make one. */
export function openBackup(path: string): { readonly store: LmdbBackupStore } & AsyncDisposable {
  if (!existsSync(join(path, 'data.mdb')))
    throw new Error(`There is no backup of an LmdbBackupStore in ${path}.`);
  const store = new LmdbBackupStore({ path });
  return { store, [Symbol.asyncDispose]: () => store.close() };
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
