import { Queue } from 'bullmq';
import { expect, it } from 'vitest';
import { RedisServer } from '../../support/redis-server.js';
import { Child } from '../support/child.js';

it('runs what a plain BullMQ queue adds, and ends on SIGTERM', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  await using worker = new Child('examples/bullmq/worker.ts', { env: { REDIS_PORT: String(server.port) } });
  await worker.printed(/waits for orders/);
  const queue = new Queue('orders', { connection: { port: server.port } });
  await queue.add('confirm', { to: 'you@example.com' }, { jobId: 'order-1' });
  await queue.close();
  await worker.printed(/^ran confirm order-1 for you@example\.com$/m);
  worker.signal('SIGTERM');
  expect(await worker.ended).toEqual({ code: 0, signal: null });
});
