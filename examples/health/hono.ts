// Health endpoints in Hono 4, here on Node with @hono/node-server.
//   npx tsx examples/health/hono.ts          (REDIS_URL, default redis://127.0.0.1:6379; PORT, default 3000)
//   curl -i localhost:3000/health/live       this process answers, whatever Redis does
//   curl -i localhost:3000/health/ready      200 also while Redis is down, as long as the backup takes jobs
//   curl -i localhost:3000/health/redis      503 while Redis takes no writes
//   curl -i localhost:3000/jobs -d '{ "question": "What if Redis is down?" }'
import { once } from 'node:events';
import { serve } from '@hono/node-server';
import { MemoryBackupStore, ResilientQueue } from '@morningai/resilient-queue';
import { createHealth } from '@morningai/resilient-queue/health';
import { Hono } from 'hono';
import { Redis } from 'ioredis';

const redis = new Redis(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379');
const queue = new ResilientQueue('orchestrator', { redis, backup: new MemoryBackupStore() });
const health = createHealth(queue);

const app = new Hono();
app.get('/health/live', health.fetchHandler('liveness'));
app.get('/health/ready', health.fetchHandler('readiness'));
app.get('/health/redis', health.fetchHandler('redis'));
app.post('/jobs', async (context) => {
  return context.json(await queue.enqueue('faq.generate', await context.req.json()), 202);
});

const server = serve({ fetch: app.fetch, port: Number(process.env.PORT ?? 3000) }, ({ port }) => {
  console.log(`listening on http://127.0.0.1:${port}`);
});

async function shutDown(): Promise<void> {
  server.close();
  await once(server, 'close');
  const { pending } = await queue.close();
  redis.disconnect();
  console.log(`closed, ${pending} jobs were left in the backup`);
}
process.once('SIGTERM', shutDown);
process.once('SIGINT', shutDown);
