import { type Clock, systemClock } from '../clock/clock.js';
import { ResilientQueueError } from '../errors/resilient-queue-error.js';
import { RedisFailure } from '../policy/outage.js';
import { within } from '../policy/within.js';
import type { EnqueueOptions } from '../queue/enqueue-options.js';
import type { UntypedJobs } from '../queue/enqueuer.js';
import type { QueueOptions } from '../queue/options.js';
import type { Receipt } from '../queue/receipt.js';
import { ResilientQueue } from '../queue/resilient-queue.js';
import type { AddOptions, BullMqQueue } from '../transport/bullmq/bullmq-queue.js';
import { BullMqTransport, type BullMqTransportOptions } from '../transport/bullmq/bullmq-transport.js';

/** How long the BullMQ queue may take to close, before its connection is cut. */
const GOODBYE_MS = 1000;

/** Options of {@link fromBullMq}: those of the transport, and those of a queue that it can honour. */
export interface FromBullMqOptions
  extends BullMqTransportOptions,
    Omit<QueueOptions, 'redis' | 'transport' | 'schemas' | 'recognition' | 'ordering' | 'lossWindow'> {
  /**
   * What backup and health call the queue. Two BullMQ queues of one name (under different prefixes, or on different servers) need
   * different names here, if their backup is the same. @default the BullMQ queue's
   */
  readonly name?: string | undefined;
}

/**
 * A job that was added. It may still wait in the backup, where BullMQ knows nothing of it, so it is not BullMQ's `Job`: once it is
 * laid down, `bullMqQueue.getJob(id)` finds that.
 */
export interface AddedJob<Q extends BullMqQueue> {
  readonly id: string;
  readonly name: Parameters<Q['add']>[0];
  readonly data: Parameters<Q['add']>[1];
  /** As they were given. */
  readonly opts: AddOptions<Q>;
  /** Where the job is now, and what it survives there. */
  readonly receipt: Receipt;
}

/** A BullMQ queue's two ways to add jobs, which go on working through an outage; see {@link fromBullMq}. */
export interface ResilientBullMqQueue<Q extends BullMqQueue> {
  readonly name: string;
  /** As BullMQ's, but that it resolves in an outage, too, and rejects with a `ResilientQueueError`. */
  add(...job: Parameters<Q['add']>): Promise<AddedJob<Q>>;
  /** As BullMQ's. All jobs are checked before any is sent; if some are not taken, it rejects with an `EnqueueManyError`. */
  addBulk(jobs: Parameters<Q['addBulk']>[0]): Promise<AddedJob<Q>[]>;
  /**
   * Closes the {@link resilientQueue}, and then the BullMQ queue, whose place this object has. Resolves with how many jobs still wait
   * in the backup. A connection that Redis does not end within a second, when BullMQ asks it to, is cut.
   *
   * @param options `timeoutMs` is the resilient queue's, 10,000 by default.
   */
  close(options?: { readonly timeoutMs?: number | undefined }): Promise<{ pending: number }>;
  /** What jobs go through: health, events, `replay()`, `isolate()`. */
  readonly resilientQueue: ResilientQueue<UntypedJobs, BullMqTransport<Q>>;
  /** The queue that was given, for everything else. What is added through it directly is not protected. */
  readonly bullMqQueue: Q;
}

interface JobInput {
  readonly name: string;
  readonly data: unknown;
  readonly opts?: { readonly [option: string]: unknown } | undefined;
}

/**
 * Puts a {@link ResilientQueue} in front of a BullMQ queue, for a service that adds jobs to it already: `add()` and `addBulk()` take
 * what BullMQ's take, `jobId` and `delay` included. Options that cannot be honoured reject by name (`OPTION_UNSUPPORTED`).
 *
 * @throws TypeError or RangeError for a bad queue or option.
 */
export function fromBullMq<Q extends BullMqQueue>(
  queue: Q,
  options: FromBullMqOptions,
): ResilientBullMqQueue<Q> {
  const { name = queue?.name, deduplicationMs, ...others } = options ?? {};
  const { clock = systemClock } = others;
  const transport = new BullMqTransport(queue, { deduplicationMs });
  // Whether a client is needed depends on the transport's type, which cannot be worked out while Q is open.
  const given = { ...others, transport } as unknown as QueueOptions<BullMqTransport<Q>>;
  const resilientQueue = new ResilientQueue<UntypedJobs, BullMqTransport<Q>>(name, given);

  const inputOf = ({ name, data, opts }: JobInput) => ({
    name,
    // What BullMQ makes of it.
    payload: data === undefined ? {} : data,
    options: enqueueOptions(opts, clock.now()) as EnqueueOptions<BullMqTransport<Q>>,
  });
  const added = ({ name, data, opts = {} }: JobInput, receipt: Receipt) =>
    ({ id: receipt.id, name, data, opts, receipt }) as AddedJob<Q>;

  return {
    name,
    resilientQueue,
    bullMqQueue: queue,
    async add(...[jobName, data, opts]) {
      const job = { name: jobName, data, opts } as JobInput;
      const { name, payload, options } = inputOf(job);
      return added(job, await resilientQueue.enqueue(name, payload, options));
    },
    async addBulk(jobs) {
      const inputs = listOf(jobs);
      const receipts = await resilientQueue.enqueueMany(inputs.map(inputOf));
      return inputs.map((job, i) => added(job, receipts[i] as Receipt));
    },
    async close(options) {
      const left = await resilientQueue.close(options);
      await closeBullMq(queue, clock);
      return left;
    },
  };
}

/** BullMQ takes its leave of Redis, and waits for the answer without a limit. */
async function closeBullMq(bullMq: BullMqQueue, clock: Clock): Promise<void> {
  const queue = bullMq as { close?(): Promise<void>; disconnect?(): Promise<void> };
  const closed = queue.close?.();
  if (!closed) return;
  await within(clock, GOODBYE_MS, closed).catch((error: unknown) => {
    if (!(error instanceof RedisFailure)) throw error;
    // It only takes leave of a connection of its own, so nobody else's is cut.
    queue.disconnect?.().catch(() => {});
  });
}

function listOf(jobs: unknown): readonly JobInput[] {
  if (Array.isArray(jobs) && jobs.every((job) => typeof job === 'object' && job !== null)) return jobs;
  throw unsupported('addBulk() takes an array of { name, data, opts? }.');
}

/** BullMQ's options of a job as ours, at `now` (epoch ms). */
function enqueueOptions(opts: JobInput['opts'], now: number): EnqueueOptions {
  const { jobId, delay, ...transport } = opts ?? {};
  const from = typeof transport.timestamp === 'number' ? transport.timestamp : now;
  return {
    ...(jobId !== undefined && { id: jobId as string }),
    // Also one of 0, which wins over a delay that the queue gives to all jobs.
    ...(delay !== undefined && { runAt: from + delayMs(delay) }),
    ...(Object.keys(transport).length > 0 && { transport }),
  };
}

function delayMs(delay: unknown): number {
  if (typeof delay === 'number' && delay >= 0 && Number.isFinite(delay)) return delay;
  throw unsupported('BullMQ\'s option "delay" must be a number of ms, at least 0.');
}

function unsupported(problem: string): ResilientQueueError {
  return new ResilientQueueError(problem, { code: 'OPTION_UNSUPPORTED', fate: 'not-delivered' });
}
