// A service whose jobs survive Redis, `kill -9` and the machine's crash: they wait in a folder of its disk.
//   npm install lmdb
//   npx tsx examples/durable-backup.ts     (REDIS_URL, default redis://127.0.0.1:6379; BACKUP_PATH, default ./var/orchestrator)
// Run it with Redis stopped, end it with Ctrl-C or kill -9, start Redis, run it again: the second run replays. Run two at once:
// they share the folder, and each job is still laid down once.
import { ResilientQueue } from '@morningai/resilient-queue';
import { LmdbBackupStore } from '@morningai/resilient-queue/backup/lmdb';
import { Redis } from 'ioredis';

// Throws where the folder cannot be trusted: a damaged file, a network file system. Better now than with the first outage.
const backup = new LmdbBackupStore({ path: process.env.BACKUP_PATH ?? './var/orchestrator' });
const { pending, parked } = await backup.stats('orchestrator');
console.log(`${pending} jobs were left by the last process, ${parked} are parked`);

const redis = new Redis(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379');
redis.on('error', () => {}); // the queue tells of outages
const queue = new ResilientQueue('orchestrator', { redis, backup });
queue.on('outage', ({ phase, kind }) => console.log(`outage ${phase}: ${kind}`));
queue.on('replay', ({ phase, replayed }) => {
  if (phase === 'finished') console.log(`replayed ${replayed} jobs`);
});

for (let n = 1; n <= 3; n++) {
  const receipt = await queue.enqueue('faq.generate', {
    question: `Question ${n} of process ${process.pid}?`,
  });
  // 'backed-up fsynced': flushed to the disk before this line is printed.
  console.log(receipt.outcome, receipt.outcome === 'duplicate' ? '' : receipt.durability, receipt.id);
}
console.log('running; end me with Ctrl-C');

async function shutDown(): Promise<void> {
  const { pending } = await queue.close();
  redis.disconnect();
  console.log(`closed, ${pending} jobs are kept for the next process`);
}
process.once('SIGTERM', shutDown);
process.once('SIGINT', shutDown);
