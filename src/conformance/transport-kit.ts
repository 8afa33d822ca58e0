import assert from 'node:assert/strict';
import { isResilientQueueError } from '../errors/resilient-queue-error.js';
import { JOB_RECORD_VERSION, type JobRecord } from '../job/job-record.js';
import type { RedisClient } from '../queue/options.js';
import { DeliveryIds } from '../recognition/delivery-id.js';
import type { Delivery } from '../recognition/recognise.js';
import { recogniseClient } from '../redis/connect.js';
import type { RedisConnection } from '../redis/redis-connection.js';
import type { DeliveryContext, Transport } from '../transport/transport.js';
import type { TestRunner } from './test-runner.js';
import type { TransportBench, TransportUnderTest } from './transport-under-test.js';

const QUEUE = 'conformance';

/** Long enough for no id to be forgotten during a test. */
const CALLER_MS = 600_000;

/**
 * What every transport promises, as tests. Of `capabilities`, `witness`, `tellsDuplicates`, `runAt` and `headers` are tried where they
 * are claimed; a test of what is not claimed passes.
 */
export function describeTransport(subject: TransportUnderTest, { describe, it }: TestRunner): void {
  /** A test with a bench of its own, which is closed whatever happens. */
  const test = (name: string, body: (bench: Bench) => Promise<void>) =>
    it(name, async () => {
      const opened = await subject.open();
      try {
        await body(new Bench(opened, subject));
      } finally {
        await opened.close();
      }
    });

  describe('a batch', () => {
    test('is laid down in its order, each job once and as it is', async (bench) => {
      const jobs = bench.jobs(20);
      assert.deepEqual(await bench.deliver(jobs), every(jobs, 'delivered'));
      assert.deepEqual(await bench.read(), jobs.map(asLaidDown));
    });

    test('stands behind those before it', async (bench) => {
      const jobs = bench.jobs(9);
      for (let at = 0; at < jobs.length; at += 3) await bench.deliver(jobs.slice(at, at + 3));
      assert.deepEqual(await bench.ids(), idsOf(jobs));
    });

    test('of 256 jobs is laid down whole', async (bench) => {
      const jobs = bench.jobs(256);
      await bench.deliver(jobs);
      assert.deepEqual(await bench.ids(), idsOf(jobs));
    });

    test('of jobs of several processes is laid down, and recognised', async (bench) => {
      const jobs = Array.from({ length: 12 }, (_, n) =>
        bench.job(n, { delivery: bench.deliveryOf(n % 3) }),
      ).map((job) => ({ ...job, id: job.delivery }));
      assert.deepEqual(await bench.deliver(jobs), every(jobs, 'delivered'));
      assert.deepEqual(await bench.read(), jobs.map(asLaidDown));
      bench.assertRecognised(await bench.deliver(again(jobs).toReversed()));
      assert.deepEqual(await bench.ids(), idsOf(jobs));
    });

    test('carries text of every kind', async (bench) => {
      const job = bench.job({ text: ['ü€😀', '\u0000\r\n', '"\\', ''] });
      await bench.deliver([job]);
      assert.deepEqual(await bench.read(), [asLaidDown(job)]);
    });

    test('does not mix with that of another queue', async (bench) => {
      if (subject.hasOwnQueue) return;
      const [one, another] = [bench.jobs(3), bench.jobs(3, { queue: `${QUEUE}-2` })];
      await bench.deliver(one);
      await bench.deliver(another, { queue: `${QUEUE}-2` });
      assert.deepEqual(await bench.ids(), idsOf(one));
      assert.deepEqual(await bench.ids(`${QUEUE}-2`), idsOf(another));
    });
  });

  // The first batch of an epoch is noted in Redis, those after it need not be: transports may take another way for them.
  for (const isNoted of [false, true]) {
    describe(`a delivery again, ${isNoted ? 'its epoch noted before' : 'its epoch not noted yet'}`, () => {
      test('changes nothing, as the whole batch or as part of another', async (bench) => {
        const jobs = bench.jobs(4);
        const more = bench.jobs(2);
        await bench.deliver(jobs, { isNoted });
        bench.assertRecognised(await bench.deliver(again(jobs), { isNoted }));
        const [one, , , four] = again(jobs);
        const mixed = [more[0], four, more[1], one] as JobRecord[];
        const outcomes = await bench.deliver(mixed, { isNoted });
        assert.deepEqual([outcomes[0], outcomes[2]], ['delivered', 'delivered']);
        bench.assertRecognised([outcomes[1], outcomes[3]] as Delivery['outcomes']);
        assert.deepEqual(await bench.ids(), idsOf([...jobs, ...more]));
      });

      test('changes nothing when it stands in one batch twice', async (bench) => {
        const [job] = bench.jobs(1) as [JobRecord];
        const [first, second] = await bench.deliver([job, ...again([job])], { isNoted });
        assert.equal(first, 'delivered');
        bench.assertRecognised([second] as Delivery['outcomes']);
        assert.deepEqual(await bench.ids(), [job.id]);
      });

      test('changes nothing after its job has been run and forgotten', async (bench) => {
        const jobs = bench.jobs(3);
        await bench.deliver(jobs, { isNoted });
        await bench.run();
        bench.assertRecognised(await bench.deliver(again(jobs), { isNoted }));
        assert.deepEqual(await bench.ids(), []);
      });

      test('changes nothing when it comes from another process', async (bench) => {
        const jobs = bench.jobs(3);
        await bench.deliver(jobs, { isNoted });
        bench.assertRecognised(await bench.deliver(again(jobs), { isNoted, ...bench.other }));
        assert.deepEqual(await bench.ids(), idsOf(jobs));
      });

      test('is laid down once when many send it at the same time', async (bench) => {
        const jobs = bench.jobs(10);
        const sent = await Promise.all(
          Array.from({ length: 10 }, (_, n) =>
            bench.deliver(again(jobs), { isNoted, ...(n % 2 === 0 ? {} : bench.other) }),
          ),
        );
        assert.deepEqual((await bench.ids()).toSorted(), idsOf(jobs).toSorted());
        if (!bench.capabilities.tellsDuplicates) return;
        assert.equal(sent.flat().filter((outcome) => outcome === 'delivered').length, jobs.length);
      });
    });
  }

  describe("a caller's id", () => {
    test('has one job, whoever delivers it again: the first', async (bench) => {
      const [first, second, third] = ['first', 'second', 'third'].map((payload) =>
        bench.job(payload, { id: 'mine' }),
      ) as [JobRecord, JobRecord, JobRecord];
      await bench.deliver([first]);
      bench.assertDuplicates(await bench.deliver([second]));
      bench.assertDuplicates(await bench.deliver([third], bench.other));
      assert.deepEqual(await bench.read(), [asLaidDown(first)]);
    });

    test('has one job also in one batch', async (bench) => {
      const [first, second] = [bench.job(1, { id: 'mine' }), bench.job(2, { id: 'mine' })];
      const [one, two] = await bench.deliver([first, second]);
      assert.equal(one, 'delivered');
      bench.assertDuplicates([two] as Delivery['outcomes']);
      assert.deepEqual(await bench.read(), [asLaidDown(first)]);
    });

    test('has one job also after that has been run and forgotten', async (bench) => {
      await bench.deliver([bench.job(1, { id: 'mine' })]);
      await bench.run();
      bench.assertDuplicates(await bench.deliver([bench.job(2, { id: 'mine' })]));
      assert.deepEqual(await bench.ids(), []);
    });

    test('is recognised, and no duplicate, in the delivery that has it', async (bench) => {
      const job = bench.job(1, { id: 'mine' });
      await bench.deliver([job]);
      bench.assertRecognised(await bench.deliver(again([job])));
    });
  });

  describe('a refusal', () => {
    test('of one job leaves the others of its batch alone, and nothing of the job itself', async (bench) => {
      const [one, poison, two] = [
        bench.job(1),
        bench.job(2, { id: 'poison', ...subject.refusable }),
        bench.job(3, { id: 'behind-it' }),
      ] as const;
      const allow = await bench.refuse(poison);
      const [first, refused, last] = await bench.deliver([one, poison, two]);
      assert.deepEqual([first, last], ['delivered', 'delivered']);
      assert.ok(typeof refused === 'object' && refused.rejected instanceof Error, `got ${String(refused)}`);
      assert.deepEqual(await bench.ids(), [one.id, two.id]);
      await allow();
      assert.deepEqual(await bench.deliver([poison]), ['delivered']);
      assert.deepEqual(await bench.ids(), [one.id, two.id, poison.id]);
    });

    test("of the transport's own write leaves nothing behind, and loses nothing", async (bench) => {
      const jobs = [...bench.jobs(3), bench.job(4, { id: 'mine' })];
      for (const isNoted of [false, true]) {
        for (const some of [jobs, jobs.slice(0, 1)]) {
          const allow = await bench.obstruct();
          const outcomes = await bench.deliver(some, { isNoted }).catch(() => []);
          await allow();
          for (const outcome of outcomes) assert.equal(typeof outcome, 'object', `got ${String(outcome)}`);
          assert.deepEqual(await bench.ids(), []);
        }
      }
      assert.deepEqual(await bench.deliver(jobs), every(jobs, 'delivered'));
      assert.deepEqual(await bench.ids(), idsOf(jobs));
    });

    test('of every write lays nothing down, and loses nothing', async (bench) => {
      const jobs = [...bench.jobs(3), bench.job(4, { id: 'mine' })];
      await bench.setting('min-replicas-to-write', '1');
      const outcomes = await bench.deliver(jobs).catch(() => []);
      await bench.setting('min-replicas-to-write', '0');
      for (const outcome of outcomes) assert.equal(typeof outcome, 'object', `got ${String(outcome)}`);
      assert.deepEqual(await bench.ids(), []);
      assert.deepEqual(await bench.deliver(jobs), every(jobs, 'delivered'));
      assert.deepEqual(await bench.ids(), idsOf(jobs));
    });
  });

  describe('what a caller asks for', () => {
    test('is taken, or refused by name before anything happens', async (bench) => {
      for (const options of [undefined, ...subject.options.taken]) bench.check({ options });
      for (const options of subject.options.refused) {
        const named = typeof options === 'object' ? Object.keys(options ?? {}) : [];
        bench.assertRefused({ options }, 'OPTION_UNSUPPORTED', ['options.transport', ...named]);
      }
      for (const id of subject.refusedIds ?? []) bench.assertRefused({ id }, 'ID_INVALID', ['id']);
    });

    test('is laid down with the job: options', async (bench) => {
      const jobs = subject.options.taken.map((transportOptions, n) => bench.job(n, { transportOptions }));
      if (jobs.length === 0) return;
      assert.deepEqual(await bench.deliver(jobs), every(jobs, 'delivered'));
      bench.assertRecognised(await bench.deliver(again(jobs)));
      assert.deepEqual((await bench.ids()).toSorted(), idsOf(jobs).toSorted());
    });

    test('is laid down with the job: headers', async (bench) => {
      if (!bench.capabilities.headers) return;
      const job = bench.job(1, { headers: { traceparent: '00-ä', other: '' } });
      await bench.deliver([job, bench.job(2)]);
      const [first, second] = await bench.read();
      assert.deepEqual(first, asLaidDown(job));
      assert.deepEqual({ ...second?.headers }, {});
    });

    test('is laid down with the job: when to run it', async (bench) => {
      if (!bench.capabilities.runAt) return;
      const due = bench.job(1, { runAt: Date.now() - 1000 });
      const later = bench.job(2, { runAt: Date.now() + 3_600_000 });
      assert.deepEqual(await bench.deliver([later, due]), ['delivered', 'delivered']);
      assert.deepEqual(await bench.ids(), [due.id]);
      bench.assertRecognised(await bench.deliver(again([later])));
    });
  });

  describe('the witness', () => {
    test('is looked at before anything is written', async (bench) => {
      const [first, second, third] = bench.jobs(3) as [JobRecord, JobRecord, JobRecord];
      if (!bench.capabilities.witness) {
        assert.equal((await bench.whole([first], { witness: second.delivery })).witness, undefined);
        return;
      }
      for (const isNoted of [false, true]) {
        await bench.forgetEverything();
        assert.equal((await bench.whole([first], { isNoted })).witness, undefined);
        assert.equal((await bench.whole([second], { isNoted, witness: first.delivery })).witness, 'kept');
        await bench.forgetEverything();
        // The very job that would cover up what is missing.
        assert.equal(
          (await bench.whole([second, third], { isNoted, witness: second.delivery })).witness,
          'lost',
        );
      }
    });
  });
}

interface How extends Partial<Pick<DeliveryContext, 'queue' | 'witness'>> {
  /** The epochs of the jobs were noted in Redis lately. */
  readonly isNoted?: boolean;
  readonly transport?: Transport;
  readonly redis?: RedisClient;
}

/** A bench with what the tests do on it. */
class Bench {
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

  get other() {
    return this.#bench.other;
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
    await connectionOf(this.#bench.redis).send(['CONFIG', 'SET', name, value], name);
  }

  async forgetEverything() {
    await connectionOf(this.#bench.redis).send(['FLUSHALL'], QUEUE);
  }
}

function connectionOf(redis: RedisClient): RedisConnection {
  const connection = recogniseClient(redis);
  assert.ok(connection, 'The bench must have an ioredis or node-redis client, or a RedisConnection.');
  return connection;
}

function every<T>(list: readonly unknown[], value: T): T[] {
  return list.map(() => value);
}

/** Jobs as the queue sends them after an attempt that nobody heard of. */
function again(jobs: readonly JobRecord[]): JobRecord[] {
  return jobs.map((job) => ({ ...job, fate: 'unknown', lastAttemptAt: job.enqueuedAt }));
}

function idsOf(jobs: readonly JobRecord[]): string[] {
  return jobs.map(({ id }) => id);
}

function asLaidDown({ id, name, payload, headers }: JobRecord) {
  return { id, name, payload: JSON.parse(payload), ...(headers !== undefined && { headers }) };
}
