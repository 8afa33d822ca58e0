import type { BackupStore } from '@morningai/resilient-queue';

/** Opens a durable store in a folder. */
export type OpenStore = (path: string) => BackupStore;

/** How the built package opens its LMDB store; undefined in a build that has none. */
export async function loadLmdbStore(): Promise<OpenStore | undefined> {
  const subpath: string = '@morningai/resilient-queue/backup/lmdb';
  try {
    const { LmdbBackupStore } = (await import(subpath)) as {
      readonly LmdbBackupStore: new (options: { readonly path: string }) => BackupStore;
    };
    return (path) => new LmdbBackupStore({ path });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_PACKAGE_PATH_NOT_EXPORTED') return undefined;
    throw error;
  }
}
