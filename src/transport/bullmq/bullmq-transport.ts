import { InDoubt } from '../../errors/in-doubt.js';
import type { JobRecord } from '../../job/job-record.js';
import type { Delivery, DeliveryOutcome } from '../../recognition/recognise.js';
import type { RedisConnection } from '../../redis/redis-connection.js';
import type { DeliveryContext, Transport, TransportCapabilities } from '../transport.js';
import { addJobs, BullMqAnswerError, isRefusal } from './add-jobs.js';
import { BullMqConnection } from './bullmq-connection.js';
import { bullMqJob } from './bullmq-job.js';
import type { BullMqQueue, Producer } from './bullmq-queue.js';
import { checkBullMqJob } from './job-check.js';
import type { BullMqJobOptions } from './job-options.js';
import { lookFor, type Whereabouts } from './presence.js';
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
 * Lays jobs down in your own BullMQ queue (5.18 or later, or 6) for its workers, through its `add()` and its connection. A job's `id` is BullMQ's `jobId`, and `options.transport` is what else your queue's `add()` takes.
 *
 * - A job that is sent again, or enqueued again under its id, runs once: it is known by its id while BullMQ keeps it, and by a
 *   deduplication for `deduplicationMs`, also once it has run and is removed (`removeOnComplete: true`). One that is removed by hand
 *   (`remove()`, `clean()`, `drain()`, `obliterate()`) is forgotten.
 * - An `unknown` job that waited for longer than `deduplicationMs` less an hour is parked.
 * - A job that Redis refuses leaves nothing behind. Where that cannot be told, its fate is `unknown`. For this, jobs with an id of the
 *   caller's are looked for, and those sent again take another round trip.
 * - After an attempt without an answer, a job that was there may be said to be `enqueued` although another call laid it down.
 * - A batch is not laid down whole, so `ordering: 'queue'` is refused. There is no witness and no loss window: what Redis acknowledged
 *   and then lost is not laid down again.
 * - The connection is BullMQ's: ioredis (also behind Sentinel) or node-redis (standalone), no Redis Cluster. One that BullMQ has
 *   left broken for good, and a queue that was closed, are told of in an `error` event of the kind `configuration`; jobs wait in
 *   the backup then.
 * - Give ResilientQueues that share a backup different names, as BullMQ queues of one name may have different prefixes.
 */
export class BullMqTransport<Q extends BullMqQueue> implements Transport<BullMqJobOptions<Q>> {
  readonly name = 'bullmq';
  readonly capabilities: TransportCapabilities;
  /** BullMQ's own, which the queue's canary and `execute()` use, too. */
  readonly connection: RedisConnection;
  readonly #queue: Producer;
  readonly #connection: BullMqConnection;
  readonly #deduplicationMs: number;
  /** How often jobs were sent again. */
  #resent = 0;

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
    const { cuts } = this.#connection;
    if (added.some(mayHaveBeenSent)) this.#resent += 1;
    const resent = this.#resent;
    const given = added.map((job) => bullMqJob(job, this.#deduplicationMs, now));
    const looked = lookFor(connection, this.#queue, added.filter(mayBeThere), () => false);
    const adding = addJobs(this.#queue, given);
    const lookedBehind = this.#lookBehind(connection, added);
    const answers = await adding;
    const [before, behind] = [await looked, await lookedBehind];
    // A client that lost its connection may have sent everything twice, and then they were there because of the first time.
    const isStraight = () => cuts === this.#connection.cuts;
    // A second attempt at the same job may overtake the first, when the client has to send the script's text.
    const isOnly = isStraight() && resent === this.#resent;
    const problems = await this.#settle(connection, added, answers, { before, behind, isOnly });
    const outcomes = new Map<JobRecord, DeliveryOutcome>();
    for (const job of added) {
      const rejected = problems.get(job);
      if (rejected) outcomes.set(job, { rejected });
      else if (!isKnown(before.get(job))) outcomes.set(job, 'delivered');
      else outcomes.set(job, isStraight() && !mayHaveBeenSent(job) ? 'duplicate' : 'recognised');
    }
    return {
      outcomes: jobs.map((job) => outcomeOf(job, firsts.get(job.id) as JobRecord, outcomes)),
      witness: undefined,
    };
  }

  /**
   * Looks for callers' jobs behind the command that adds them, without waiting for its answer. Nearly always they are there, and a
   * round trip is saved. Otherwise this tells nothing: a client that has to send the script's text first adds them after it.
   */
  async #lookBehind(
    connection: RedisConnection,
    jobs: readonly JobRecord[],
  ): Promise<ReadonlyMap<JobRecord, Whereabouts>> {
    // Of those that were sent before, the first look may tell enough; in a long list another is not for nothing.
    const some = jobs.filter((job) => mayBeThere(job) && !mayHaveBeenSent(job));
    // BullMQ has given them to its client by then.
    if (some.length > 0) await new Promise(setImmediate);
    return lookFor(connection, this.#queue, some, () => false);
  }

  /**
   * Looks for jobs that were refused, or that BullMQ may have accepted for what was left behind of another attempt. Resolves with why
   * jobs are not there, in doubt where that cannot be told.
   */
  async #settle(
    connection: RedisConnection,
    jobs: readonly JobRecord[],
    answers: readonly (Error | undefined)[],
    { before, behind, isOnly }: Looks,
  ): Promise<ReadonlyMap<JobRecord, Error>> {
    const isDoubtful = (job: JobRecord, problem: Error | undefined) => {
      if (problem) return isRefusal(problem);
      // Those that were there stand in line. Others may have been added by somebody else meanwhile, and refused.
      if (isKnown(before.get(job)) || behind.get(job) === 'there') return false;
      return mayBeThere(job) || !isOnly;
    };
    const doubtful = jobs.filter((job, i) => isDoubtful(job, answers[i]));
    const isNew = (job: JobRecord) => (before.get(job) ?? 'nowhere') === 'nowhere';
    const places = await lookFor(connection, this.#queue, doubtful, isNew);
    const problems = new Map<JobRecord, Error>();
    for (const [i, job] of jobs.entries()) {
      const problem = answers[i];
      const place = places.get(job) ?? (problem ? 'nowhere' : 'there');
      if (place === 'there') continue;
      // The deduplication alone may be what BullMQ set just now, before this job was refused.
      if (place === 'ran' && (!problem || isKnown(before.get(job)))) continue;
      if (place === 'nowhere') problems.set(job, problem ?? new BullMqAnswerError('it stands in no line'));
      else problems.set(job, problem || place === 'ran' ? new InDoubt(problem) : place);
    }
    return problems;
  }
}

/** Where jobs were before they were added, and right behind that; and whether nothing else was sent of them meanwhile. */
interface Looks {
  readonly before: ReadonlyMap<JobRecord, Whereabouts>;
  readonly behind: ReadonlyMap<JobRecord, Whereabouts>;
  readonly isOnly: boolean;
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

function isKnown(place: Whereabouts | undefined): boolean {
  return place === 'there' || place === 'ran';
}

/** Only of an id of the caller's, or one that was sent before: the others are new. */
function mayBeThere(job: JobRecord): boolean {
  return job.id !== job.delivery || mayHaveBeenSent(job);
}

/** A store gives a job out again with the fate that it had at first, whatever a replay has learnt. */
function mayHaveBeenSent({ fate, lastAttemptAt }: JobRecord): boolean {
  return fate === 'unknown' || lastAttemptAt !== undefined;
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
