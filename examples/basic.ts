// One job through a queue that takes it whether Redis is up or not.
//   npx tsx examples/basic.ts        (REDIS_URL, default redis://127.0.0.1:6379; try it with Redis stopped, too)
import { MemoryBackupStore, ResilientQueue } from '@morningai/resilient-queue';
import { Redis } from 'ioredis';

const redis = new Redis(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379');

const queue = new ResilientQueue<{ 'faq.generate': { question: string } }>('orchestrator', {
  redis,
  backup: new MemoryBackupStore(),
});
queue.on('health', ({ status, backup }) => console.log(`queue is ${status}, ${backup.pending} jobs wait`));
queue.on('dropped', ({ id, reason }) => console.log(`job ${id} is lost: ${reason}`));

const receipt = await queue.enqueue('faq.generate', { question: 'What if Redis is down?' });
console.log(receipt);

await queue.close();
redis.disconnect();
