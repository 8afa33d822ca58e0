// An Express 5 service that takes jobs also while Redis does not, says how its queue is, and shuts down without losing one.
//   npx tsx examples/express.ts      (REDIS_URL, default redis://127.0.0.1:6379; PORT, default 3000;
//                                     BACKUP_JOBS, default 100000: how many jobs may wait in this process's memory)
//   curl -i localhost:3000/jobs -H 'content-type: application/json' \
//     -d '{ "name": "faq.generate", "payload": { "question": "What if Redis is down?" } }'
//   curl -i localhost:3000/health/live       this process answers, whatever Redis does
//   curl -i localhost:3000/health/ready      200 also while Redis is down, as long as the backup takes jobs
//   curl -i localhost:3000/health/redis      503 while Redis takes no writes
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import {
  type ErrorCode,
  isResilientQueueError,
  MemoryBackupStore,
  ResilientQueue,
} from '@morningai/resilient-queue';
import { createHealth } from '@morningai/resilient-queue/health';
import express, { type ErrorRequestHandler } from 'express';
import { Redis } from 'ioredis';

const redis = new Redis(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379');
const queue = new ResilientQueue('orchestrator', {
  redis,
  backup: new MemoryBackupStore(), // a backlog ends with the process; own-backup-store.ts keeps it on disk
  backupLimit: { jobs: Number(process.env.BACKUP_JOBS ?? 100_000) },
});
queue.on('health', ({ status, backup }) => console.log(`queue is ${status}, ${backup.pending} jobs wait`));
queue.on('dropped', ({ id, reason }) => console.error(`job ${id} is lost: ${reason}`));
queue.on('error', ({ kind, error }) => console.error(`queue: ${kind}: ${error.message}`));

const health = createHealth(queue);

const statusOf: Partial<Record<ErrorCode, number>> = {
  NAME_INVALID: 400,
  ID_INVALID: 400,
  PAYLOAD_INVALID: 400,
  PAYLOAD_TOO_LARGE: 413,
  UNAVAILABLE: 503,
  BACKUP_FULL: 503,
  QUEUE_CLOSED: 503,
};

const app = express();
app.use(express.json({ limit: '2mb' }));

app.post('/jobs', async (request, response) => {
  const { name, payload, id } = request.body ?? {};
  response.status(202).json(await queue.enqueue(name, payload, { id }));
});

app.get('/health/live', health.nodeHandler('liveness'));
app.get('/health/ready', health.nodeHandler('readiness'));
app.get('/health/redis', health.nodeHandler('redis'));

const onError: ErrorRequestHandler = (error, _request, response, next) => {
  const status = isResilientQueueError(error) ? statusOf[error.code] : undefined;
  if (status === undefined) return next(error);
  // With this jobId as its `id` a second request is safe, whatever became of the first: there will be one job.
  const { code, message, jobId, fate } = error;
  if (status === 503) response.set('retry-after', '1');
  response.status(status).json({ code, message, jobId, fate });
};
app.use(onError);

const server = app.listen(Number(process.env.PORT ?? 3000));
await once(server, 'listening');
console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`);

async function shutDown(): Promise<void> {
  server.close(); // no new requests; those under way are answered
  await once(server, 'close');
  const { pending } = await queue.close();
  redis.disconnect(); // not quit(): that waits for a Redis that may not answer
  console.log(`closed, ${pending} jobs were left in the backup`);
}
process.once('SIGTERM', shutDown);
process.once('SIGINT', shutDown);
