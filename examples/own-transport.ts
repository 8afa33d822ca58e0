// A transport of your own: jobs stand in a plain list, for workers that BLPOP it.
// The transport is ./own-transport/list-transport.ts; this is a service that uses it, and a worker.
//   npx tsx examples/own-transport.ts     (REDIS_URL, default redis://127.0.0.1:6379)
import { MemoryBackupStore, ResilientQueue } from '@morningai/resilient-queue';
import { Redis } from 'ioredis';
import { ListTransport, listKey } from './own-transport/list-transport.js';

const redis = new Redis(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379');
const queue = new ResilientQueue('orchestrator', {
  redis,
  transport: new ListTransport(),
  backup: new MemoryBackupStore(),
});

await queue.enqueue('faq.generate', { question: 'What if Redis is down?' }, { id: 'task-1' });
const again = await queue.enqueue('faq.generate', { question: 'And now?' }, { id: 'task-1' });
console.log('enqueued again:', again.outcome);

const worker = redis.duplicate();
const [, text] = (await worker.blpop(listKey('orchestrator'), 5)) ?? [];
console.log('the worker got', text);

await queue.close();
worker.disconnect();
redis.disconnect();
