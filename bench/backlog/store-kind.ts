import { type BackupStore, MemoryBackupStore } from '@morningai/resilient-queue';
import { loadLmdbStore } from '../contestants/lmdb-store.js';

export type StoreKind = 'LMDB' | 'memory';

/** A store in `path`, or in this process's memory. Rejects in a build that has none of the kind. */
export async function openStore(kind: StoreKind, path: string): Promise<BackupStore> {
  if (kind === 'memory') return new MemoryBackupStore();
  const open = await loadLmdbStore();
  if (open === undefined) throw new Error('This build has no LmdbBackupStore.');
  return open(path);
}
