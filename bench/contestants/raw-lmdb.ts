import { open } from 'lmdb';
import { JOB_NAME, payloadOf } from './job.js';
import type { Keeper } from './keeper.js';

/**
 * `put` of lmdb, resolved when the record is on the disk. `overlapping` is lmdb's default, which commits first and flushes
 * later; otherwise the commit itself is flushed.
 */
export async function rawLmdb(path: string, overlapping: boolean): Promise<Keeper> {
  const db = open<string, number>({ path, encoding: 'string', overlappingSync: overlapping });
  let n = 0;
  return {
    async keep() {
      const id = n++;
      const record = { id, name: JOB_NAME, payload: payloadOf(id), enqueuedAt: Date.now() };
      await db.put(id, JSON.stringify(record));
      if (overlapping) await db.flushed;
    },
    kept: async () => db.getCount(),
    close: () => db.close(),
  };
}
