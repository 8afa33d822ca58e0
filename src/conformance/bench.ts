import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { isResilientQueueError } from '../errors/resilient-queue-error.js';
import { JOB_RECORD_VERSION, type JobRecord } from '../job/job-record.js';
import { DeliveryIds } from '../recognition/delivery-id.js';
import type { Delivery } from '../recognition/recognise.js';
import { recogniseClient } from '../redis/connect.js';
import type { RedisClient } from '../redis/redis-client.js';
import type { RedisConnection } from '../redis/redis-connection.js';
import type { DeliveryContext, Transport } from '../transport/transport.js';
import type { TransportBench, TransportUnderTest } from './transport-under-test.js';

/** The queue of every job that is not said to be of another. */
export const QUEUE = 'conformance';

/** Long enough for no id to be forgotten during a test. */
const CALLER_MS = 600_000;

/** How a batch is delivered: by this process, on the bench, unless it is said otherwise. */
export interface How extends Partial<Pick<DeliveryContext, 'queue' | 'witness'>> {
  /** The epochs of the jobs were noted in Redis lately. */
  readonly isNoted?: boolean;
  readonly transport?: Transport;
  readonly redis?: RedisClient;
}

/** A bench with what the tests do on it. */
export class Bench {
  readonly #bench: TransportBench;
  readonly #subject: TransportUnderTest;
  /** Of this process and two more. */
  readonly #deliveries = [1, 2, 3].map(() => new DeliveryIds({ now: Date.now }, () => {}));
  #made = 0;

  constructor(bench: TransportBench, subject: TransportUnderTest) {
    this.#bench = bench;
    this.#subject = subject;
  }

  get capabilities() {
    return this.#bench.transport.capabilities;
  }

  /** To look at Redis, and to get in the transport's way there. */
  get connection(): RedisConnection {
    return connectionOf(this.#bench.redis);
  }

  get other() {
    return this.#bench.other;
  }

  get canExpire(): boolean {
    return this.#bench.transport.expiresAt !== undefined;
  }

  expiresAt(job: JobRecord): number | undefined {
    return this.#bench.transport.expiresAt?.(job);
  }

  get canCheckClients(): boolean {
    return this.#bench.transport.checkClient !== undefined;
  }

  checkClient(client: object): void {
    const answer: unknown = this.#bench.transport.checkClient?.(client);
    if (answer instanceof Promise) answer.catch(() => {});
    assert.equal(answer, undefined, 'checkClient() throws, or returns nothing: nobody waits for it.');
  }

  /** Those of the bench as a queue shows them: each, and the client that is inside of a RedisConnection. */
  get clients(): readonly object[] {
    const given = [this.#bench.redis, this.other.redis];
    const inner = given.map((redis) => connectionOf(redis).client);
    return [...given, ...inner].filter((client) => typeof client === 'object' && client !== null);
  }

  refuse(job: JobRecord) {
    return this.#bench.refuse(job);
  }

  obstruct() {
    return this.#bench.obstruct(QUEUE);
  }

  /** A new delivery id of one of three processes, 0 being this one. */
  deliveryOf(process: number): string {
    return (this.#deliveries[process] as DeliveryIds).next();
  }

  job(marked: unknown, fields: Partial<JobRecord> = {}): JobRecord {
    this.#made += 1;
    const { name, payload } = this.#subject.job?.(marked) ?? { name: 'job', payload: { marked } };
    const delivery = fields.delivery ?? this.deliveryOf(0);
    return {
      ...{ version: JOB_RECORD_VERSION, queue: QUEUE, id: delivery, delivery, name },
      ...{ payload: JSON.stringify(payload), fate: 'not-delivered', enqueuedAt: Date.now() + this.#made },
      ...{ transport: this.#bench.transport.name, ...fields },
    };
  }

  jobs(count: number, fields: Partial<JobRecord> = {}): JobRecord[] {
    return Array.from({ length: count }, (_, n) => this.job(n, fields));
  }

  async deliver(jobs: readonly JobRecord[], how: How = {}): Promise<Delivery['outcomes']> {
    return (await this.whole(jobs, how)).outcomes;
  }

  whole(jobs: readonly JobRecord[], how: How = {}): Promise<Delivery> {
    const { transport, redis } = { ...this.#bench, ...how };
    const { queue = QUEUE, witness, isNoted = false } = how;
    return transport.deliver(connectionOf(redis), jobs, {
      ...{ queue, witness, now: Date.now(), callerMs: CALLER_MS },
      notes: { isFresh: () => isNoted, noted: () => {} },
    });
  }

  read(queue = QUEUE) {
    return this.#bench.read(queue);
  }

  async ids(queue = QUEUE): Promise<string[]> {
    return (await this.read(queue)).map(({ id }) => id);
  }

  /** Resolves when these are the jobs that may be run, 2 s being enough for it. */
  async untilIds(expected: readonly string[]): Promise<void> {
    const giveUpAt = Date.now() + 2000;
    let ids = await this.ids();
    while (ids.join() !== expected.join() && Date.now() < giveUpAt) {
      await sleep(20);
      ids = await this.ids();
    }
    assert.deepEqual(ids, expected);
  }

  run() {
    return this.#bench.run(QUEUE);
  }

  check({ options, id }: { readonly options?: unknown; readonly id?: string }): void {
    const job = this.job(1, {
      ...(id !== undefined && { id }),
      ...(options !== undefined && { transportOptions: options }),
    });
    this.#bench.transport.check(job, options, JSON.parse(job.payload));
  }

  /** By an error that has one of `names` in it. */
  assertRefused(what: { readonly options?: unknown; readonly id?: string }, code: string, names: string[]) {
    const isRight = (error: unknown) =>
      isResilientQueueError(error) &&
      error.code === code &&
      names.some((name) => error.message.includes(name));
    assert.throws(() => this.check(what), isRight);
  }

  assertRecognised(outcomes: Delivery['outcomes']) {
    this.#assertTold(outcomes, 'recognised');
  }

  assertDuplicates(outcomes: Delivery['outcomes']) {
    this.#assertTold(outcomes, 'duplicate');
  }

  #assertTold(outcomes: Delivery['outcomes'], what: 'recognised' | 'duplicate') {
    const { tellsDuplicates } = this.capabilities;
    const asAllowed = outcomes.map((told) => (told === 'delivered' && !tellsDuplicates ? what : told));
    assert.deepEqual(asAllowed, every(outcomes, what));
  }

  async setting(name: string, value: string) {
    await this.connection.send(['CONFIG', 'SET', name, value], name);
  }

  async forgetEverything() {
    await this.connection.send(['FLUSHALL'], QUEUE);
  }
}

function connectionOf(redis: RedisClient): RedisConnection {
  const connection = recogniseClient(redis);
  assert.ok(connection, 'The bench must have an ioredis or node-redis client, or a RedisConnection.');
  return connection;
}

/** A list of `value`s as long as `list`. */
export function every<T>(list: readonly unknown[], value: T): T[] {
  return list.map(() => value);
}

/** Jobs as the queue sends them after an attempt that nobody heard of. */
export function again(jobs: readonly JobRecord[]): JobRecord[] {
  return jobs.map((job) => ({ ...job, fate: 'unknown', lastAttemptAt: job.enqueuedAt }));
}

/** The ids of `jobs`, in their order. */
export function idsOf(jobs: readonly JobRecord[]): string[] {
  return jobs.map(({ id }) => id);
}

/** A job as {@link TransportBench.read} has it. */
export function asLaidDown({ id, name, payload, headers }: JobRecord) {
  return { id, name, payload: JSON.parse(payload), ...(headers !== undefined && { headers }) };
}
