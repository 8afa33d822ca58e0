// Health endpoints on node:http, without a framework.
//   npx tsx examples/health/node-http.ts      (REDIS_URL, default redis://127.0.0.1:6379; PORT, default 3000;
//                                              BACKUP_JOBS, default 100000: how many jobs may wait in this process's memory;
//                                              GRACE_MS, default 3000: how long it serves on when it is told to end)
//   curl -i localhost:3000/health/live       is the process alive? Kubernetes' livenessProbe; never looks at Redis
//   curl -i localhost:3000/health/ready      are jobs taken? readinessProbe; also while Redis is down and the backup accepts
//   curl -i localhost:3000/health/startup    have they been, once? startupProbe
//   curl -i localhost:3000/health/redis      does Redis take writes? For people and alerts
//   curl -i -X POST localhost:3000/jobs
//   Ctrl-C or SIGTERM                        readiness says 503, so that load balancers look elsewhere; all else is served for
//                                              GRACE_MS; then every job is seen to. A second Ctrl-C ends it at once
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { isResilientQueueError, MemoryBackupStore, ResilientQueue } from '@morningai/resilient-queue';
import { createHealth } from '@morningai/resilient-queue/health';
import { Redis } from 'ioredis';

const redis = new Redis(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379');
const queue = new ResilientQueue('orchestrator', {
  redis,
  backup: new MemoryBackupStore(),
  backupLimit: { jobs: Number(process.env.BACKUP_JOBS ?? 100_000) },
});
queue.on('dropped', ({ id, reason }) => console.error(`job ${id} is lost: ${reason}`));
queue.on('error', ({ kind, error }) => console.error(`queue: ${kind}: ${error.message}`));

const health = createHealth(queue);

type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

const routes: Readonly<Record<string, Handler>> = {
  '/health/live': health.nodeHandler('liveness'),
  '/health/ready': health.nodeHandler('readiness'),
  '/health/startup': health.nodeHandler('startup'),
  '/health/redis': health.nodeHandler('redis', { format: 'simple' }),
  '/jobs': enqueue,
};

async function refuse(response: ServerResponse, status: number, headers = {}): Promise<void> {
  response.writeHead(status, { 'cache-control': 'no-store', ...headers }).end();
}

async function enqueue({ method }: IncomingMessage, response: ServerResponse): Promise<void> {
  // A GET is sent again and ahead of time by whoever likes: browsers, crawlers, proxies.
  if (method !== 'POST') return refuse(response, 405, { allow: 'POST' });
  try {
    const receipt = await queue.enqueue('faq.generate', { question: 'What if Redis is down?' });
    response.writeHead(202, { 'content-type': 'application/json' }).end(JSON.stringify(receipt));
  } catch (error) {
    const code = isResilientQueueError(error) ? error.code : 'INTERNAL';
    response.writeHead(503, { 'content-type': 'application/json' }).end(JSON.stringify({ code }));
  }
}

let isEnding = false;

/** What readiness answers then, so that whoever looks need not take it for a queue that is full. */
function sayEnding(response: ServerResponse): void {
  response.writeHead(503, { 'content-type': 'application/health+json', 'cache-control': 'no-store' });
  response.end(JSON.stringify({ status: 'fail', output: 'This process is ending' }));
}

const server = createServer((request, response) => {
  const [path = ''] = (request.url ?? '').split('?');
  const handler = Object.hasOwn(routes, path) ? routes[path] : undefined;
  // A client that keeps its connection, and uses it, would keep the server from closing.
  if (isEnding) response.setHeader('connection', 'close');
  if (isEnding && path === '/health/ready') sayEnding(response);
  else if (handler) void handler(request, response);
  else void refuse(response, 404);
});
// Before anybody is told that it listens.
process.once('SIGTERM', shutDown);
process.once('SIGINT', shutDown);
server.listen(Number(process.env.PORT ?? 3000));
await once(server, 'listening');
console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`);

async function shutDown(): Promise<void> {
  isEnding = true;
  await sleep(Number(process.env.GRACE_MS ?? 3000));
  server.close(); // no new requests; those under way are answered
  await once(server, 'close');
  const { pending } = await queue.close();
  redis.disconnect(); // not quit(): that waits for a Redis that may not answer
  console.log(`closed, ${pending} jobs were left in the backup`);
}
