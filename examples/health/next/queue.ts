// Health endpoints and jobs of a Next.js app, 15 or 16: copy this file to its root (`@/`), and app/ into its app/.
//   NEXT_MANUAL_SIG_HANDLE=1 npx next start        (REDIS_URL, default redis://127.0.0.1:6379)
//   curl -i localhost:3000/api/health/live         this process answers, whatever Redis does
//   curl -i localhost:3000/api/health              200 also while Redis is down, as long as the backup takes jobs
//   curl -i localhost:3000/api/health/redis        503 while Redis takes no writes
//   curl -i localhost:3000/api/jobs -d '{ "question": "What if Redis is down?" }'
import { MemoryBackupStore, ResilientQueue } from '@morningai/resilient-queue';
import { createHealth } from '@morningai/resilient-queue/health';
import { Redis } from 'ioredis';

declare global {
  var orchestrator: ReturnType<typeof open> | undefined;
}

// Functions, because `next build` evaluates this module, too, and must connect to nothing: the first request opens the queue. With
// `cacheComponents` it also calls what answers a GET, and leaves it where the headers of the request are read.
export const queue = () => opened().queue;
export const health = ({ headers: _ }: Request) => opened().health;

// Next.js evaluates this module again after each change in development, and in production once for each bundle that has it. A
// queue that is left behind goes on, with a connection and a backlog that no probe sees any more: so there is one, kept here.
function opened() {
  globalThis.orchestrator ??= open();
  return globalThis.orchestrator;
}

function open() {
  const redis = new Redis(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379');
  const queue = new ResilientQueue('orchestrator', { redis, backup: new MemoryBackupStore() });
  // Without NEXT_MANUAL_SIG_HANDLE Next.js ends the process itself, and does not wait for the queue.
  const shutDown = async () => {
    const { pending } = await queue.close();
    redis.disconnect();
    console.log(`closed, ${pending} jobs were left in the backup`);
    process.exit();
  };
  process.once('SIGTERM', shutDown);
  process.once('SIGINT', shutDown);
  return { queue, health: createHealth(queue) };
}
