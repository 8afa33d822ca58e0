export {
  BackupFileError,
  type BackupFileErrorCode,
  isBackupFileError,
} from './lmdb/backup-file-error.js';
export { LmdbBackupStore } from './lmdb/lmdb-backup-store.js';
export type { LmdbBackupOptions } from './lmdb/lmdb-options.js';
