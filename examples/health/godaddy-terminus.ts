// Health endpoints by @godaddy/terminus 4, which also ends the service: no signal handler of your own is needed.
//   npx tsx examples/health/godaddy-terminus.ts     (REDIS_URL, default redis://127.0.0.1:6379; PORT, default 3000)
//   curl -i localhost:3000/health/live       this process answers, whatever Redis does
//   curl -i localhost:3000/health/ready      200 also while Redis is down, as long as the backup takes jobs
//   curl -i localhost:3000/health/redis      503 while Redis takes no writes
//   curl -i localhost:3000/jobs -H 'content-type: application/json' -d '{ "question": "What if Redis is down?" }'
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createTerminus } from '@godaddy/terminus';
import { MemoryBackupStore, ResilientQueue } from '@morningai/resilient-queue';
import { createHealth } from '@morningai/resilient-queue/health';
import express from 'express';
import { Redis } from 'ioredis';

const redis = new Redis(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379');
const queue = new ResilientQueue('orchestrator', { redis, backup: new MemoryBackupStore() });
const health = createHealth(queue);

const app = express();
app.post('/jobs', express.json(), async (request, response) => {
  response.status(202).json(await queue.enqueue('faq.generate', request.body));
});

const server = createServer(app);
createTerminus(server, {
  healthChecks: {
    '/health/live': health.terminusCheck('liveness'),
    '/health/ready': health.terminusCheck('readiness'),
    '/health/redis': health.terminusCheck('redis'),
  },
  headers: { 'cache-control': 'no-store' },
  signals: ['SIGTERM', 'SIGINT'],
  useExit0: true,
  // After that, by default after a second, requests under way are cut: an enqueue() may take six during an outage.
  timeout: 10_000,
  // Called when every request that was under way is answered.
  onSignal: async () => {
    const { pending } = await queue.close();
    redis.disconnect();
    console.log(`closed, ${pending} jobs were left in the backup`);
  },
});
server.listen(Number(process.env.PORT ?? 3000));
await once(server, 'listening');
console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
