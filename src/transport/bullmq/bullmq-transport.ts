import type { JobRecord } from '../../job/job-record.js';
import type { Delivery, DeliveryOutcome } from '../../recognition/recognise.js';
import type { RedisConnection } from '../../redis/redis-connection.js';
import type { DeliveryContext, Transport, TransportCapabilities } from '../transport.js';
import { addJobs, isRefusal } from './add-jobs.js';
import { bulkJob } from './bulk-job.js';
import { BullMqConnection } from './bullmq-connection.js';
import type { BullMqQueue, Producer } from './bullmq-queue.js';
import { checkBullMqJob } from './job-check.js';
import type { BullMqJobOptions } from './job-options.js';
import { LeftBehind } from './left-behind.js';
import { askForPresence } from './presence.js';
import { checkBullMqQueue } from './queue-check.js';

/** Options of a {@link BullMqTransport}. */
export interface BullMqTransportOptions {
  /**
   * How long a job is known again after it was laid down, ms, 2 hours to 365 days: when it is sent again, and when it is enqueued again
   * under its id. BullMQ keeps about 240 bytes for each job for as long, so that 10 jobs a second take 200 MB in 24 hours. Made longer,
   * it holds for jobs that are laid down from then on: let the backup become empty first. @default 24 hours
   */
  readonly deduplicationMs?: number | undefined;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/**
 * Lays jobs down in your own BullMQ queue (5.18 or later, or 6) for its workers, through its `addBulk()` and its connection. A job's
 * `id` is BullMQ's `jobId`, and `options.transport` is what else your queue's `add()` takes.
 *
 * - A job that is sent again, or enqueued again under its id, runs once: it is known by its id while BullMQ keeps it, and by a
 *   deduplication for `deduplicationMs`, also once it has run and is removed (`removeOnComplete: true`). One that is removed by hand
 *   (`remove()`, `clean()`, `drain()`, `obliterate()`) is forgotten.
 * - An `unknown` job that waited for longer than `deduplicationMs` less an hour is parked.
 * - After an attempt without an answer, a job that was there may be said to be `enqueued` although another call laid it down.
 * - A batch is not laid down whole, so `ordering: 'queue'` is refused. There is no witness and no loss window: what Redis acknowledged
 *   and then lost is not laid down again.
 * - The connection is BullMQ's: ioredis or node-redis, standalone or behind Sentinel. One that BullMQ has left broken for good, and a
 *   queue that was closed, are told of in an `error` event of the kind `configuration`; jobs wait in the backup then.
 * - Give ResilientQueues that share a backup different names, as BullMQ queues of one name may have different prefixes.
 */
export class BullMqTransport<Q extends BullMqQueue> implements Transport<BullMqJobOptions<Q>> {
  readonly name = 'bullmq';
  readonly capabilities: TransportCapabilities;
  /** BullMQ's own, which the queue's canary and `execute()` use, too. */
  readonly connection: RedisConnection;
  readonly #queue: Producer;
  readonly #connection: BullMqConnection;
  readonly #leftBehind: LeftBehind;
  readonly #deduplicationMs: number;

  /**
   * `queue` stays yours: it is never closed.
   *
   * @throws TypeError or RangeError for a queue that jobs cannot be laid down in once, and for a bad option.
   */
  constructor(queue: Q, options: BullMqTransportOptions = {}) {
    const producer: unknown = queue;
    checkBullMqQueue(producer);
    this.#queue = producer;
    this.#deduplicationMs = deduplicationMs(options);
    this.#connection = new BullMqConnection(producer);
    this.connection = this.#connection;
    this.#leftBehind = new LeftBehind(producer);
    this.capabilities = {
      atomicBatch: false,
      recognitionMs: this.#deduplicationMs,
      witness: false,
      // Two processes that add one id at the same instant may both be told that it was theirs.
      tellsDuplicates: false,
      runAt: true,
      headers: false,
      orderingKey: false,
    };
  }

  check(job: JobRecord, options: BullMqJobOptions<Q> | undefined): void {
    checkBullMqJob(this.#queue, job, options);
  }

  async deliver(
    connection: RedisConnection,
    jobs: readonly JobRecord[],
    { now }: DeliveryContext,
  ): Promise<Delivery> {
    const firsts = firstOfEachId(jobs);
    const added = [...firsts.values()];
    await this.#leftBehind.settle(connection, added);
    const { cuts } = this.#connection;
    const presence = askForPresence(connection, this.#queue, added.filter(mayBeThere));
    const bulk = added.map((job) => bulkJob(job, this.#deduplicationMs, now));
    const problems = await this.#settle(connection, added, await addJobs(this.#queue, bulk));
    // A client that lost its connection may have sent everything twice, and then they were there because of the first time.
    const isStraight = cuts === this.#connection.cuts;
    const outcomes = new Map<JobRecord, DeliveryOutcome>();
    for (const [i, job] of added.entries()) {
      const rejected = problems[i];
      if (rejected) outcomes.set(job, { rejected });
      else if (!presence.answer.has(job)) outcomes.set(job, 'delivered');
      else outcomes.set(job, isStraight && job.fate === 'not-delivered' ? 'duplicate' : 'recognised');
    }
    return {
      outcomes: jobs.map((job) => outcomeOf(job, firsts.get(job.id) as JobRecord, outcomes)),
      witness: undefined,
    };
  }

  /** What is left of `problems` once it is known which jobs Redis refused, and nothing is left behind of those. */
  async #settle(
    connection: RedisConnection,
    jobs: readonly JobRecord[],
    problems: readonly (Error | undefined)[],
  ): Promise<readonly (Error | undefined)[]> {
    const places = jobs.flatMap((_, i) => (isRefused(problems[i]) ? [i] : []));
    if (places.length === 0) return problems;
    const errors = new Map(places.map((place) => [jobs[place] as JobRecord, problems[place] as Error]));
    const areThere = await this.#leftBehind.undo(
      connection,
      [...errors.keys()],
      (job) => errors.get(job) as Error,
    );
    const settled = [...problems];
    for (const [i, place] of places.entries()) if (areThere[i]) settled[place] = undefined;
    return settled;
  }
}

function deduplicationMs(options: BullMqTransportOptions): number {
  const { deduplicationMs = DAY_MS, ...others } = options ?? {};
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) {
    throw new TypeError(`Unknown option "${unknown}" of BullMqTransport; there is deduplicationMs.`);
  }
  const [least, most] = [2 * HOUR_MS, 365 * DAY_MS];
  const expected = `Option "deduplicationMs" of BullMqTransport must be a whole number from ${least} to ${most}`;
  if (typeof deduplicationMs !== 'number')
    throw new TypeError(`${expected}, got a ${typeof deduplicationMs}.`);
  if (!Number.isInteger(deduplicationMs) || deduplicationMs < least || deduplicationMs > most) {
    throw new RangeError(`${expected}, got ${deduplicationMs}.`);
  }
  return deduplicationMs;
}

function isRefused(problem: Error | undefined): boolean {
  return problem !== undefined && isRefusal(problem);
}

/** Only of an id of the caller's, or one that was sent before: the others are new. */
function mayBeThere(job: JobRecord): boolean {
  return job.id !== job.delivery || job.fate === 'unknown';
}

function firstOfEachId(jobs: readonly JobRecord[]): ReadonlyMap<string, JobRecord> {
  const firsts = new Map<string, JobRecord>();
  for (const job of jobs) if (!firsts.has(job.id)) firsts.set(job.id, job);
  return firsts;
}

function outcomeOf(
  job: JobRecord,
  first: JobRecord,
  outcomes: ReadonlyMap<JobRecord, DeliveryOutcome>,
): DeliveryOutcome {
  const outcome = outcomes.get(first) as DeliveryOutcome;
  if (job === first || typeof outcome === 'object') return outcome;
  return job.delivery === first.delivery ? 'recognised' : 'duplicate';
}
