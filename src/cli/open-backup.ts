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
