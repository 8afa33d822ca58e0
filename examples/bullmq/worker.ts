// The worker of service.ts, as it was before: nothing of it changes.
//   npx tsx examples/bullmq/worker.ts      (REDIS_PORT, default 6379)
import { Worker } from 'bullmq';

const connection = { port: Number(process.env.REDIS_PORT ?? 6379) };
const worker = new Worker<{ to: string }>(
  'orders',
  async ({ id, name, data }) => console.log(`ran ${name} ${id} for ${data.to}`),
  { connection, concurrency: 10 },
);
worker.on('error', ({ message }) => console.error(`worker: ${message}`));
await worker.waitUntilReady();
console.log('waits for orders');

const shutDown = () => worker.close();
process.once('SIGTERM', shutDown);
process.once('SIGINT', shutDown);
