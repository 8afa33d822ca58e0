// Health endpoints in Koa 3, where the answer is the context's: `respond()` gives it status, headers and body.
//   npx tsx examples/health/koa.ts           (REDIS_URL, default redis://127.0.0.1:6379; PORT, default 3000)
//   curl -i localhost:3000/health/live       this process answers, whatever Redis does
//   curl -i localhost:3000/health/ready      200 also while Redis is down, as long as the backup takes jobs
//   curl -i localhost:3000/health/redis      503 while Redis takes no writes
//   curl -i localhost:3000/jobs -H 'content-type: application/json' -d '{ "question": "What if Redis is down?" }'
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { bodyParser } from '@koa/bodyparser';
import { Router } from '@koa/router';
import { MemoryBackupStore, ResilientQueue } from '@morningai/resilient-queue';
import { createHealth, type HealthProbe } from '@morningai/resilient-queue/health';
import { Redis } from 'ioredis';
import Koa, { type Middleware } from 'koa';

const redis = new Redis(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379');
const queue = new ResilientQueue('orchestrator', { redis, backup: new MemoryBackupStore() });
const health = createHealth(queue);

const answer =
  (probe: HealthProbe): Middleware =>
  async (context) => {
    const { status, headers, body } = await health.respond(probe);
    context.status = status;
    context.set(headers);
    context.body = body;
  };

const router = new Router();
router.get('/health/live', answer('liveness'));
router.get('/health/ready', answer('readiness'));
router.get('/health/redis', answer('redis'));
router.post('/jobs', bodyParser(), async (context) => {
  context.status = 202;
  context.body = await queue.enqueue('faq.generate', context.request.body);
});

const app = new Koa();
app.use(router.routes()).use(router.allowedMethods());
const server = app.listen(Number(process.env.PORT ?? 3000));
await once(server, 'listening');
console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`);

async function shutDown(): Promise<void> {
  server.close();
  await once(server, 'close');
  const { pending } = await queue.close();
  redis.disconnect();
  console.log(`closed, ${pending} jobs were left in the backup`);
}
process.once('SIGTERM', shutDown);
process.once('SIGINT', shutDown);
