// A service whose BullMQ queue was put behind a ResilientQueue: it takes orders also while Redis does not.
//   npx tsx examples/bullmq/service.ts      (REDIS_PORT, default 6379; PORT, default 3000)
//   curl -i localhost:3000/orders -H 'content-type: application/json' -d '{ "id": "order-17", "to": "me@example.com" }'
//   curl -i localhost:3000/health/redis
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { isResilientQueueError, MemoryBackupStore } from '@morningai/resilient-queue';
import { fromBullMq } from '@morningai/resilient-queue/bullmq';
import { Queue } from 'bullmq';

interface Order {
  readonly id: string;
  readonly to: string;
}

const connection = {
  port: Number(process.env.REDIS_PORT ?? 6379),
  // BullMQ's own waits for up to 20 s before it tries again to connect.
  retryStrategy: (tries: number) => Math.min(50 * 2 ** tries, 1000),
};
const bullMqQueue = new Queue<Order>('orders', {
  connection,
  defaultJobOptions: { attempts: 3, backoff: { type: 'exponential', delay: 1000 }, removeOnComplete: true },
});
bullMqQueue.on('error', () => {}); // each lost connection is one; the events below say what it means
// The one line that is new. A backlog ends with the process: examples/durable-backup.ts has one that does not.
const queue = fromBullMq(bullMqQueue, { backup: new MemoryBackupStore() });

const { resilientQueue } = queue;
resilientQueue.on('health', ({ status, backup }) =>
  console.log(`orders are ${status}, ${backup.pending} wait`),
);
resilientQueue.on('parked', ({ id, reason }) => console.error(`order ${id} needs a person: ${reason}`));
resilientQueue.on('dropped', ({ id, reason }) => console.error(`order ${id} is lost: ${reason}`));
resilientQueue.on('error', ({ kind, error }) => console.error(`orders: ${kind}: ${error.message}`));

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

async function takeOrder(request: IncomingMessage): Promise<Answer> {
  const order = (await json(request)) as Order;
  // With the order's id as the job's, a second request is safe, whatever became of the first: one mail is sent.
  const job = await queue.add('confirm', order, { jobId: order.id });
  return { status: 202, body: { id: job.id, outcome: job.receipt.outcome } };
}

async function health(): Promise<Answer> {
  const report = await resilientQueue.check({ timeoutMs: 500 });
  return { status: report.status === 'down' ? 503 : 200, body: report };
}

function answerToError(error: unknown): Answer {
  if (error instanceof SyntaxError) return { status: 400, body: { code: 'NO_JSON' } };
  if (!isResilientQueueError(error)) return { status: 500, body: { code: 'INTERNAL' } };
  const { code, message, jobId, fate } = error;
  const isTheirs = code === 'ID_INVALID' || code === 'PAYLOAD_INVALID' || code === 'PAYLOAD_TOO_LARGE';
  return { status: isTheirs ? 400 : 503, body: { code, message, jobId, fate } };
}

const server = createServer(async (request, response) => {
  const route = `${request.method} ${request.url}`;
  const handler = { 'POST /orders': takeOrder, 'GET /health/redis': health }[route];
  const { status, body } = handler ? await handler(request).catch(answerToError) : { status: 404, body: {} };
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
});
server.listen(Number(process.env.PORT ?? 3000));
await once(server, 'listening');
console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`);

async function shutDown(): Promise<void> {
  server.close();
  await once(server, 'close');
  const { pending } = await queue.close(); // and the BullMQ queue with it
  console.log(`closed, ${pending} orders were left in the backup`);
}
process.once('SIGTERM', shutDown);
process.once('SIGINT', shutDown);
