import { describe } from 'vitest';
import { LmdbBackupStore } from '../../../src/backup/lmdb.js';
import { describeBackupStore } from '../../support/backup-contract.js';
import { temporaryFolder } from '../support/temporary-folder.js';

describe('LmdbBackupStore', () => {
  describeBackupStore((clock) => new LmdbBackupStore({ path: temporaryFolder(), clock }), {
    largeBacklog: 30_000,
  });
});
