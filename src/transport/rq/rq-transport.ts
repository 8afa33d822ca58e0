import type { JobRecord } from '../../job/job-record.js';
import { queueKeys } from '../../recognition/queue-keys.js';
import { type Delivery, recognise } from '../../recognition/recognise.js';
import type { RedisConnection } from '../../redis/redis-connection.js';
import type { DeliveryContext, Transport, TransportCapabilities } from '../transport.js';
import { checkRqClient } from './client-check.js';
import { type Encoding, encodingOf, type RqSerializer } from './encoding.js';
import { checkRqJob } from './job-check.js';
import type { RqJobOptions } from './job-options.js';
import { rqKeys } from './queue-keys.js';
import { rqLayout } from './rq-layout.js';
import { ttlEndsAt } from './ttl.js';

/** Options of an {@link RqTransport}. */
export interface RqTransportOptions {
  /**
   * What the workers read jobs with, for jobs and their `meta`: `json` for `rq worker --serializer rq.serializers.JSONSerializer`,
   * `pickle` for RQ's default.
   */
  readonly serializer: RqSerializer;
  /** Deflates what is serialised, as RQ's own producer does: less memory in Redis, more work here. @default false */
  readonly compress?: boolean | undefined;
}

/**
 * Lays jobs down for the workers of Python RQ (1.13 to 2.x): the queue's name is RQ's, a job's name the function with its module
 * (`tasks.answer`), its payload the list of arguments or `{ args?, kwargs? }`, its id RQ's.
 *
 * - A job is one job of RQ's: with the id of one that waits or runs, whoever enqueued that, it is a `duplicate`; one that has
 *   ended is replaced.
 * - What JSON does not hold exactly (NaN, whole numbers beyond `Number.MAX_SAFE_INTEGER`, a Set) and what a worker would choke on
 *   or lose is refused by `enqueue()`, by name.
 * - `runAt` and intervals between retries need a worker with a scheduler (`rq worker --with-scheduler`).
 * - Not for Redis Cluster nor a client with a `keyPrefix`: the queue's constructor throws. A client of those that a function
 *   makes is never used; an `error` event says why, and jobs wait in the backup.
 */
export class RqTransport implements Transport<RqJobOptions> {
  readonly name = 'rq';
  readonly capabilities: TransportCapabilities = {
    atomicBatch: true,
    recognitionMs: 'configured',
    witness: true,
    tellsDuplicates: true,
    runAt: true,
    headers: false,
    orderingKey: false,
  };

  readonly #encoding: Encoding;

  /** @throws TypeError for a bad option, naming it, what was expected, and what was given. */
  constructor(options: RqTransportOptions) {
    const { serializer, compress = false, ...others } = options ?? {};
    const [unknown] = Object.keys(others);
    if (unknown !== undefined) {
      throw new TypeError(`Unknown option "${unknown}" of RqTransport; there are serializer and compress.`);
    }
    if (serializer !== 'json' && serializer !== 'pickle') {
      throw new TypeError(
        `Option "serializer" of RqTransport must be "json" or "pickle", as the workers have it.`,
      );
    }
    if (typeof compress !== 'boolean') {
      throw new TypeError(
        `Option "compress" of RqTransport must be true or false, got a ${typeof compress}.`,
      );
    }
    this.#encoding = encodingOf(serializer, compress);
  }

  check(job: JobRecord, options: RqJobOptions | undefined, payload: unknown): void {
    checkRqJob(job, options, payload);
  }

  expiresAt(job: JobRecord): number | undefined {
    return ttlEndsAt(job);
  }

  checkClient(client: object): void {
    checkRqClient(client);
  }

  deliver(
    connection: RedisConnection,
    jobs: readonly JobRecord[],
    context: DeliveryContext,
  ): Promise<Delivery> {
    const layout = rqLayout(rqKeys(context.queue), this.#encoding, context.now);
    return recognise(connection, queueKeys(context.queue), layout, jobs, context);
  }
}
