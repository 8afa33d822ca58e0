import {
  type Delivery,
  type DeliveryContext,
  type JobRecord,
  type Layout,
  queueKeys,
  type RedisConnection,
  ResilientQueueError,
  recognise,
  recognitionScripts,
  type Transport,
  type TransportCapabilities,
} from '@morningai/resilient-queue';

/** The list that the jobs of `queue` stand in, the oldest at its head: `BLPOP` it. */
export function listKey(queue: string): string {
  return `jobs:{${queue}}`;
}

// One job is one RPUSH. Both forms of a job have one argument of its own, its JSON: there is nothing that only some jobs have.
const scripts = recognitionScripts(
  `
local function lay(at)
  return redis.pcall('RPUSH', KEYS[1], ARGV[at])
end`,
  1,
  1,
);

/** Lays each job down in a plain list, as the JSON of `{ id, name, payload }`. */
export class ListTransport implements Transport<undefined> {
  readonly name = 'list';
  readonly capabilities: TransportCapabilities = {
    atomicBatch: true,
    recognitionMs: 'configured',
    witness: true,
    tellsDuplicates: true,
    runAt: false,
    headers: false,
    orderingKey: false,
  };

  check(job: JobRecord, options: undefined): void {
    if (options === undefined) return;
    throw new ResilientQueueError('options.transport: a list has no options of its own.', {
      code: 'OPTION_UNSUPPORTED',
      fate: 'not-delivered',
      jobId: job.id,
    });
  }

  deliver(
    connection: RedisConnection,
    jobs: readonly JobRecord[],
    context: DeliveryContext,
  ): Promise<Delivery> {
    const layout: Layout = {
      key: listKey(context.queue),
      scripts,
      isFull: () => false,
      write(args, { id, name, payload }) {
        args.push(JSON.stringify({ id, name, payload: JSON.parse(payload) }));
      },
    };
    return recognise(connection, queueKeys(context.queue), layout, jobs, context);
  }
}
