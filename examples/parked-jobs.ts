// Looks at the parked jobs of a backup on disk, and puts them back in line, or deletes them. Safe beside services that use it.
//   npx tsx examples/parked-jobs.ts orchestrator                 which jobs wait for a person, and why
//   npx tsx examples/parked-jobs.ts orchestrator unpark <id …>   they are replayed again
//   npx tsx examples/parked-jobs.ts orchestrator remove <id …>   they are gone for good
//                                                                (BACKUP_PATH, default ./var/orchestrator)
import type { ParkedJob } from '@morningai/resilient-queue';
import { LmdbBackupStore } from '@morningai/resilient-queue/backup/lmdb';

const [queue, action = 'list', ...ids] = process.argv.slice(2);
if (queue === undefined || !['list', 'unpark', 'remove'].includes(action)) {
  console.error('usage: parked-jobs.ts <queue> [unpark <id …> | remove <id …>]');
  process.exit(2);
}
const store = new LmdbBackupStore({ path: process.env.BACKUP_PATH ?? './var/orchestrator' });
const { admin } = store;

if (action === 'list') {
  for await (const { job, reason, parkedAt } of parkedJobs(queue)) {
    console.log(`${job.id}  ${job.name}  ${reason}, ${new Date(parkedAt).toISOString()}`);
  }
} else {
  const count = action === 'unpark' ? await admin.unpark(queue, ids) : await admin.remove(queue, ids);
  console.log(`${count} of ${ids.length} jobs ${action === 'unpark' ? 'are in line again' : 'are gone'}`);
}
await store.close();

async function* parkedJobs(name: string): AsyncGenerator<ParkedJob> {
  let cursor: string | undefined;
  do {
    const page = await admin.list(name, 'parked', { limit: 100, cursor });
    yield* page.jobs as ParkedJob[];
    cursor = page.cursor;
  } while (cursor !== undefined);
}
