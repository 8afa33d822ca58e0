// Health endpoints in Fastify 5, which writes its answers itself: `respond()` gives it status, headers and body.
//   npx tsx examples/health/fastify.ts       (REDIS_URL, default redis://127.0.0.1:6379; PORT, default 3000)
//   curl -i localhost:3000/health/live       this process answers, whatever Redis does
//   curl -i localhost:3000/health/ready      200 also while Redis is down, as long as the backup takes jobs
//   curl -i localhost:3000/health/redis      503 while Redis takes no writes
//   curl -i localhost:3000/jobs -H 'content-type: application/json' -d '{ "question": "What if Redis is down?" }'
import { MemoryBackupStore, ResilientQueue } from '@morningai/resilient-queue';
import { createHealth, type HealthProbe } from '@morningai/resilient-queue/health';
import { fastify, type RouteHandler } from 'fastify';
import { Redis } from 'ioredis';

const redis = new Redis(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379');
const queue = new ResilientQueue('orchestrator', { redis, backup: new MemoryBackupStore() });
const health = createHealth(queue);

const answer =
  (probe: HealthProbe): RouteHandler =>
  async (_request, reply) => {
    const { status, headers, body } = await health.respond(probe);
    return reply.code(status).headers(headers).send(body);
  };

const app = fastify();
app.get('/health/live', answer('liveness'));
app.get('/health/ready', answer('readiness'));
app.get('/health/redis', answer('redis'));

const faq = { type: 'object', required: ['question'], properties: { question: { type: 'string' } } };
app.post('/jobs', { schema: { body: faq } }, async ({ body }, reply) => {
  return reply.code(202).send(await queue.enqueue('faq.generate', body));
});

// Fastify runs it when every request that was under way is answered.
app.addHook('onClose', async () => {
  const { pending } = await queue.close();
  redis.disconnect();
  console.log(`closed, ${pending} jobs were left in the backup`);
});
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => app.close());

// Without a host it listens on localhost only, where Kubernetes does not ask.
const url = await app.listen({ host: '0.0.0.0', port: Number(process.env.PORT ?? 3000) });
console.log(`listening on ${url}`);
