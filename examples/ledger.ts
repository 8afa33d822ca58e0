// A service that can prove afterwards that nothing was lost: it writes down which jobs it accepted.
//   npx tsx examples/ledger.ts     (REDIS_URL, default redis://127.0.0.1:6379; LEDGER_PATH, default ./ledger.ndjson)
// Elsewhere, at any time:
//   npx resilient-queue verify --queue orchestrator --ledger ./ledger.ndjson
import { MemoryBackupStore, ResilientQueue } from '@morningai/resilient-queue';
import { verify, writeLedger } from '@morningai/resilient-queue/ledger';
import { Redis } from 'ioredis';

const path = process.env.LEDGER_PATH ?? './ledger.ndjson';
const redis = new Redis(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379');
redis.on('error', () => {}); // the queue tells of outages

const queue = new ResilientQueue('orchestrator', { redis, backup: new MemoryBackupStore() });
// Throws where the file cannot be opened. Later trouble with it (a full disk) never reaches the queue.
const ledger = writeLedger(queue, path, { onError: (error) => console.error(`ledger: ${error.message}`) });

for (let n = 1; n <= 100; n++) await queue.enqueue('faq.generate', { question: `Question ${n}?` });

// In this order: what the queue tells while it closes belongs in the ledger.
await queue.close();
const { lines, missing } = await ledger.close();
console.log(`${lines} lines written, ${missing} missing`);

// The backup was in this process's memory: what is left in it now is lost, and would be found so.
const { counts, isProven } = await verify({ queue: 'orchestrator', ledger: path, redis, backup: 'gone' });
console.log(`${counts.delivered} delivered, ${counts.lost} lost, ${counts.doubled} doubled`);
console.log(isProven ? 'proven' : 'not proven');
redis.disconnect();
