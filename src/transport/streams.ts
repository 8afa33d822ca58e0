import { ResilientQueueError } from '../errors/resilient-queue-error.js';
import type { JobRecord } from '../job/job-record.js';
import { type QueueKeys, queueKeys } from '../recognition/queue-keys.js';
import { type Delivery, type Layout, recognise } from '../recognition/recognise.js';
import { recognitionScripts } from '../recognition/recognition-script.js';
import type { RedisConnection } from '../redis/redis-connection.js';
import type { DeliveryContext, Transport, TransportCapabilities } from './transport.js';

const scripts = recognitionScripts(
  `
local function lay(at, id, enqueuedAt, full)
  if full and ARGV[at + 2] ~= '' then
    return redis.pcall('XADD', KEYS[1], '*', 'id', id, 'name', ARGV[at], 'payload', ARGV[at + 1],
      'enqueuedAt', enqueuedAt, 'headers', ARGV[at + 2])
  end
  return redis.pcall('XADD', KEYS[1], '*', 'id', id, 'name', ARGV[at], 'payload', ARGV[at + 1], 'enqueuedAt', enqueuedAt)
end`,
  2,
  3,
);

/** The stream that the jobs of `queue` stand in. */
export function streamKey(queue: string): string {
  return `rsq:{${queue}}:jobs`;
}

/**
 * Lays each job down as one entry of the stream `rsq:{<queue>}:jobs`, with the fields `id` (the caller's, else the delivery
 * id), `name`, `payload` (JSON), `enqueuedAt` (epoch ms) and, when there are any, `headers` (JSON). Read it with a consumer
 * group. The stream is never trimmed: its consumers do that.
 */
export class StreamsTransport implements Transport<undefined> {
  readonly name = 'streams';
  readonly capabilities: TransportCapabilities = {
    atomicBatch: true,
    recognitionMs: 'configured',
    witness: true,
    tellsDuplicates: true,
    runAt: false,
    headers: true,
    orderingKey: false,
  };

  readonly #known = new Map<string, { readonly keys: QueueKeys; readonly layout: Layout }>();

  check(job: JobRecord, options: undefined): void {
    if (options !== undefined) {
      throw new ResilientQueueError('options.transport: a stream has no options of its own.', {
        code: 'OPTION_UNSUPPORTED',
        fate: 'not-delivered',
        jobId: job.id,
      });
    }
  }

  deliver(
    connection: RedisConnection,
    jobs: readonly JobRecord[],
    context: DeliveryContext,
  ): Promise<Delivery> {
    const { keys, layout } = this.#ofQueue(context.queue);
    return recognise(connection, keys, layout, jobs, context);
  }

  // Nearly always one queue: made once, not once a batch.
  #ofQueue(queue: string): { readonly keys: QueueKeys; readonly layout: Layout } {
    let known = this.#known.get(queue);
    if (!known) {
      known = { keys: queueKeys(queue), layout: layoutOf(queue) };
      this.#known.set(queue, known);
    }
    return known;
  }
}

function layoutOf(queue: string): Layout {
  return {
    key: streamKey(queue),
    scripts,
    isFull: (job) => job.headers !== undefined,
    write(args, job, full) {
      args.push(job.name, job.payload);
      if (full) args.push(job.headers === undefined ? '' : JSON.stringify(job.headers));
    },
  };
}
