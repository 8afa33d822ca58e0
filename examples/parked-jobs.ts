// Looks at the parked jobs of a backup on disk, and puts them back in line, or deletes them. Safe beside services that use it.
//   npx tsx examples/parked-jobs.ts orchestrator                 which jobs wait for a person, and why
//   npx tsx examples/parked-jobs.ts orchestrator unpark <id …>   they are replayed again
//   npx tsx examples/parked-jobs.ts orchestrator remove <id …>   they are gone for good
//                                                                (BACKUP_PATH, default ./var/orchestrator)
// Run it as the user that the service runs as: files that it makes are readable to that user only.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ParkedJob } from '@morningai/resilient-queue';
import { LmdbBackupStore } from '@morningai/resilient-queue/backup/lmdb';

const [queue, action = 'list', ...ids] = process.argv.slice(2);
if (queue === undefined || !['list', 'unpark', 'remove'].includes(action)) {
  console.error('usage: parked-jobs.ts <queue> [unpark <id …> | remove <id …>]');
  process.exit(2);
}
const path = process.env.BACKUP_PATH ?? './var/orchestrator';
// Otherwise it would be made, and empty, and nothing would seem to be parked.
if (!existsSync(join(path, 'data.mdb'))) {
  console.error(`There is no backup in ${path}: set BACKUP_PATH to that of the service.`);
  process.exit(2);
}
const store = new LmdbBackupStore({ path });
const { admin } = store;

if (action === 'list') {
  for await (const { job, reason, parkedAt } of parkedJobs(queue)) {
    console.log(`${job.id}  ${job.name}  ${reason}, ${new Date(parkedAt).toISOString()}`);
  }
} else {
  // What came under such an id meanwhile, and waits to be replayed, stays.
  const parked: string[] = [];
  for await (const { job } of parkedJobs(queue)) if (ids.includes(job.id)) parked.push(job.id);
  const count = action === 'unpark' ? await admin.unpark(queue, parked) : await admin.remove(queue, parked);
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
