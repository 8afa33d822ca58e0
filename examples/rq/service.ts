// The twin of flask_app.py: the same HTTP service for the same queue and worker, which replays by itself what came while Redis was
// down, and runs nothing twice.
//   npx tsx examples/rq/service.ts     (REDIS_URL, default redis://127.0.0.1:6379; PORT, default 3000)
//   cd examples/rq && rq worker --serializer rq.serializers.JSONSerializer orchestrator
//   curl -i localhost:3000/tasks -H 'content-type: application/json' -d '{ "question": "What if Redis is down?", "repo": "morningai" }'
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { MemoryBackupStore, ResilientQueue } from '@morningai/resilient-queue';
import { RqTransport } from '@morningai/resilient-queue/transport/rq';
import express from 'express';
import { Redis } from 'ioredis';

interface Jobs {
  'tasks.answer': [taskId: string, question: string, repo: string];
}

const redis = new Redis(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379');
redis.on('error', () => {}); // the queue tells of outages
const queue = new ResilientQueue<Jobs, RqTransport>('orchestrator', {
  redis,
  backup: new MemoryBackupStore(), // a backlog ends with the process; ../durable-backup.ts keeps it on disk
  transport: new RqTransport({ serializer: 'json' }),
});
queue.on('health', ({ status, backup }) => console.log(`queue is ${status}, ${backup.pending} jobs wait`));
queue.on('dropped', ({ id, reason }) => console.error(`job ${id} may be lost: ${reason}`));
queue.on('error', ({ kind, error }) => console.error(`queue: ${kind}: ${error.message}`));

const app = express();
app.use(express.json());

// What enqueue() rejects with, and how to answer then: ../express.ts.
app.post('/tasks', async (request, response) => {
  const taskId = randomUUID();
  const { question, repo } = request.body;
  const { id, outcome } = await queue.enqueue('tasks.answer', [taskId, question, repo], {
    id: taskId,
    transport: { ttlSeconds: 600, resultTtlSeconds: 86_400, failureTtlSeconds: 3600 },
  });
  response.status(202).json({ id, outcome });
});

app.get('/health/redis', async (_request, response) => {
  const { status } = await queue.check({ timeoutMs: 500 });
  response.status(status === 'down' ? 503 : 200).json({ status });
});

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
