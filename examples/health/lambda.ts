// Health endpoints and jobs of an AWS Lambda, behind API Gateway (payload version 2.0) or a function URL.
//   Bundle it with @morningai/resilient-queue and ioredis; set REDIS_URL; then, with the URL that AWS gave you:
//   curl -i $URL/health/redis        503 while Redis takes no writes
//   curl -i $URL/jobs -H 'idempotency-key: my-1' -d '{ "question": "What if Redis is down?" }'
// A Lambda should keep no jobs. It is frozen between two events, and dropped without a word, with what its memory holds; and a disk
// that outlives it (EFS) is a network's, which LmdbBackupStore refuses. So this one's backup takes nothing, and it says so: whoever
// invoked it keeps the job, and comes again with the same id, which makes one job of it however often he comes. API Gateway's callers
// are told by 503; with SQS as the trigger, throw, and let the id be the message's. Or write a BackupStore that outlives Lambdas.
import { isResilientQueueError, MemoryBackupStore, ResilientQueue } from '@morningai/resilient-queue';
import { createHealth } from '@morningai/resilient-queue/health';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { Redis } from 'ioredis';

class NoBackup extends MemoryBackupStore {
  override append(): Promise<never> {
    return Promise.reject(new Error('A Lambda keeps no jobs'));
  }
}

// Made once for all events that this instance is given. A function, not a client: while a Lambda is frozen its connection may die
// without a word, and the queue then makes another.
const redis = () => new Redis(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379');
const queue = new ResilientQueue('orchestrator', { redis, backup: new NoBackup() });
const health = createHealth(queue);
const answerRedis = health.lambdaHandler('redis');

export async function handler(event: APIGatewayProxyEventV2): Promise<APIGatewayProxyStructuredResultV2> {
  switch (`${event.requestContext.http.method} ${event.rawPath}`) {
    case 'GET /health/redis':
      return answerRedis(event);
    case 'POST /jobs':
      return enqueue(bodyOf(event), event.headers['idempotency-key']);
    default:
      return { statusCode: 404 };
  }
}

/** AWS hands over in base64 what it does not take for text, as the form that curl calls its data. */
function bodyOf({ body = '', isBase64Encoded }: APIGatewayProxyEventV2): string {
  return isBase64Encoded ? Buffer.from(body, 'base64').toString() : body;
}

async function enqueue(body: string, id?: string): Promise<APIGatewayProxyStructuredResultV2> {
  try {
    return answer(202, await queue.enqueue('faq.generate', JSON.parse(body), { id }));
  } catch (error) {
    if (!isResilientQueueError(error) || !error.jobId) throw error;
    return answer(503, { id: error.jobId, code: error.code, fate: error.fate });
  }
}

function answer(statusCode: number, body: object): APIGatewayProxyStructuredResultV2 {
  return { statusCode, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

// Sent only where an extension is registered, Lambda Insights for one; half a second later comes the end.
process.once('SIGTERM', async () => {
  await queue.close({ timeoutMs: 300 });
  process.exit();
});
