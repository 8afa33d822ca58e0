// A backup store of your own: jobs that Redis could not take survive the end of this process, too.
// The store is ./own-backup-store/ndjson-backup-store.ts; this is a service that uses it.
//   npx tsx examples/own-backup-store.ts     (REDIS_URL, default redis://127.0.0.1:6379; BACKUP_FILE, default ./backup.ndjson)
// Run it with Redis stopped, end it with Ctrl-C or kill -9, start Redis, run it again: the second run replays.
import { ResilientQueue } from '@morningai/resilient-queue';
import { Redis } from 'ioredis';
import { NdjsonBackupStore } from './own-backup-store/ndjson-backup-store.js';

const backup = await NdjsonBackupStore.open(process.env.BACKUP_FILE ?? './backup.ndjson');
const { pending } = await backup.stats('orchestrator');
console.log(`${pending} jobs were left by the last process`);

const redis = new Redis(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379');
const queue = new ResilientQueue('orchestrator', { redis, backup });
queue.on('health', (report) => console.log(`queue is ${report.status}, ${report.backup.pending} jobs wait`));
queue.on('replay', ({ phase, replayed }) => {
  if (phase === 'finished') console.log(`replayed ${replayed} jobs`);
});

for (let n = 1; n <= 3; n++) {
  const receipt = await queue.enqueue('faq.generate', {
    question: `Question ${n} of process ${process.pid}?`,
  });
  console.log(receipt.outcome, receipt.id);
}
console.log('running; end me with Ctrl-C');

async function shutDown(): Promise<void> {
  const { pending } = await queue.close();
  redis.disconnect();
  console.log(`closed, ${pending} jobs are kept for the next process`);
}
process.once('SIGTERM', shutDown);
process.once('SIGINT', shutDown);
