import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { JobRecord } from '../job/job-record.js';
import { sortFailure } from '../policy/outage.js';
import type { DeliveryOutcome } from '../recognition/recognise.js';
import { again, asLaidDown, type Bench } from './bench.js';
import { commandsOf, deny, type Kept, keyspace, type Lift, occupy } from './redis-faults.js';
import type { Kit, Theme } from './theme.js';

/** A write that is refused midway leaves each job whole or nowhere. */
export const interruptions: Theme = ({ describe, test, subject }) => {
  for (const isNoted of [false, true]) {
    describe(`a batch interrupted, its epoch ${isNoted ? 'noted before' : 'not noted yet'}`, () => {
      test('by a command that is denied is whole or nowhere, job by job', async (bench) => {
        for (const run of Interruption.ofEach(bench, subject, isNoted)) {
          const { commands } = await run.footprint();
          for (const command of commands) {
            await run.through({ name: `${command} denied`, impose: () => deny(bench.connection, command) });
          }
          run.assertNoProblem();
        }
      });

      test('by a key of another type is whole or nowhere, job by job', async (bench) => {
        for (const run of Interruption.ofEach(bench, subject, isNoted)) {
          const { kept } = await run.footprint();
          for (const { key, kind } of kept) {
            const impose = () => occupy(bench.connection, key, kind);
            await run.through({ name: `${key} no ${kind}`, impose, key });
          }
          run.assertNoProblem();
        }
      });
    });
  }
};

/** One thing that goes wrong. `key`: what it takes away for its time. */
interface Fault {
  readonly name: string;
  readonly impose: () => Promise<Lift>;
  readonly key?: string;
}

/** What was said of a job; of one that was refused, where that left it. */
type Told = Exclude<DeliveryOutcome, object> | 'not-delivered' | 'unknown';

/**
 * The same batch, over and over, with another fault each time.
 *
 * 1. What a batch uses and leaves behind when all goes well is looked at first: these are the faults that there can be, and the
 *    keys that there may be after one.
 * 2. With the fault, each job is laid down or refused. One that was refused has left nothing of itself, unless its fate is unknown.
 * 3. Without it, the batch is sent again: each job is laid down, or recognised where it was.
 * 4. With it once more, nothing changes; but of a key that is away nobody can say what else there is.
 */
class Interruption {
  readonly #bench: Bench;
  readonly #subject: Kit['subject'];
  readonly #isNoted: boolean;
  readonly #earlier: JobRecord;
  readonly #jobs: readonly JobRecord[];
  readonly #problems: string[] = [];
  #keys: ReadonlySet<string> = new Set();
  #hasRefused = false;

  private constructor(bench: Bench, subject: Kit['subject'], isNoted: boolean, jobs: readonly JobRecord[]) {
    this.#bench = bench;
    this.#subject = subject;
    this.#isNoted = isNoted;
    this.#earlier = bench.job('earlier');
    this.#jobs = jobs;
  }

  /** Of each kind of batch that a transport may deliver in a way of its own. */
  static *ofEach(bench: Bench, subject: Kit['subject'], isNoted: boolean): Iterable<Interruption> {
    const batches = isNoted ? [bench.jobs(2), bench.jobs(1)] : [everyKind(bench, subject)];
    for (const jobs of batches) yield new Interruption(bench, subject, isNoted, jobs);
  }

  async footprint(): Promise<{ readonly commands: readonly string[]; readonly kept: readonly Kept[] }> {
    const { connection } = this.#bench;
    await this.#startOver();
    const commands = await commandsOf(connection, async () => {
      await this.#deliver(this.#jobs);
      await this.#deliver(again(this.#jobs));
    });
    const kept = await keyspace(connection);
    this.#keys = new Set(kept.map(({ key }) => key));
    return { commands, kept };
  }

  async through({ name, impose, key }: Fault): Promise<void> {
    const problems: string[] = [];
    await this.#startOver();
    const first = await this.#deliverDuring(impose, this.#jobs);
    this.#hasRefused ||= first.some((told) => told === 'not-delivered' || told === 'unknown');
    problems.push(...(await this.#leftBehind(first)));
    const there = await this.#bench.ids();
    if (!there.includes(this.#earlier.id)) problems.push('a job that was there before is gone');
    const sent = this.#jobs.map((job, n) => this.#sentAgain(job, first[n]));
    const second = await this.#deliver(sent);
    for (const [n, job] of this.#jobs.entries()) {
      const isThere = there.includes(job.id) || (isLater(job) && first[n] === 'delivered');
      // Whatever stands in the place of its marker is one.
      const isMarked = key !== undefined && isNamed(key, job) && isKnown(first[n]);
      // And of one that nobody can see yet nobody can say more.
      const isUnseen = isLater(job) && first[n] === 'unknown' && second[n] === 'recognised';
      const isWell = isMarked || isRight(first[n], isThere);
      if (isWell && (isUnseen || this.#isRightAgain(second[n], isThere))) continue;
      problems.push(
        `job ${n}, ${isThere ? 'there' : 'nowhere'}, is said to be ${first[n]}, then ${second[n]}`,
      );
    }
    if (!(await this.#isWhole())) problems.push('not every job is there once when all are sent again');
    if (key === undefined) {
      await this.#deliverDuring(impose, again(sent));
      if (!(await this.#isWhole())) problems.push('a delivery again, with the fault, changes something');
    }
    this.#problems.push(...problems.map((problem) => `${name}: ${problem}`));
  }

  assertNoProblem(): void {
    assert.ok(
      this.#hasRefused,
      'Nothing was refused, so nothing was tried: the faults do not reach the transport.',
    );
    assert.deepEqual(this.#problems, []);
  }

  async #startOver(): Promise<void> {
    await this.#bench.forgetEverything();
    await this.#bench.deliver([this.#earlier]);
  }

  async #deliverDuring(impose: () => Promise<Lift>, jobs: readonly JobRecord[]): Promise<readonly Told[]> {
    const lift = await impose();
    try {
      return await this.#deliver(jobs);
    } finally {
      await lift();
    }
  }

  async #deliver(jobs: readonly JobRecord[]): Promise<readonly Told[]> {
    const { atomicBatch } = this.#bench.capabilities;
    try {
      const outcomes = await this.#bench.deliver(jobs, { isNoted: this.#isNoted });
      return outcomes.map((outcome) =>
        typeof outcome === 'object' ? sortFailure(outcome.rejected, false).fate : outcome,
      );
    } catch (error) {
      // As the queue takes it: some of a batch that is not laid down whole may be there.
      const { fate } = sortFailure(error, false);
      return jobs.map(() => (atomicBatch || jobs.length === 1 ? fate : 'unknown'));
    }
  }

  /** What there is of jobs that are said to be nowhere, and what nobody leaves there when all goes well. */
  async #leftBehind(told: readonly Told[]): Promise<string[]> {
    // What a script cannot remove it lets expire at once.
    await sleep(5);
    const kept = await keyspace(this.#bench.connection);
    const foreign = kept.filter(({ key }) => !this.#keys.has(key)).map(({ key }) => `${key} is left behind`);
    const traces = this.#jobs.flatMap((job, n) => {
      if (told[n] !== 'not-delivered') return [];
      const telling = kept.filter(
        ({ key, text }) => isNamed(`${key} ${text}`, job) && !this.#subject.isLog?.(key),
      );
      return telling.map(({ key }) => `job ${n} is said to be nowhere, and ${key} has something of it`);
    });
    return [...foreign, ...traces];
  }

  /** As the queue sends it, or its caller does, who has been told that it was refused. */
  #sentAgain(job: JobRecord, told: Told | undefined): JobRecord {
    if (told !== 'not-delivered') return again([job])[0] as JobRecord;
    return job.id === job.delivery ? job : { ...job, delivery: this.#bench.deliveryOf(0) };
  }

  #isRightAgain(told: Told | undefined, wasThere: boolean): boolean {
    if (!wasThere) return told === 'delivered';
    return told === 'recognised' || (told === 'delivered' && !this.#bench.capabilities.tellsDuplicates);
  }

  async #isWhole(): Promise<boolean> {
    const sorted = (jobs: readonly { readonly id: string }[]) =>
      jobs.toSorted((one, other) => (one.id < other.id ? -1 : 1));
    const expected = [this.#earlier, ...this.#jobs.filter((job) => !isLater(job))].map(asLaidDown);
    return isDeepStrictEqual(sorted(await this.#bench.read()), sorted(expected));
  }
}

/** Jobs of every kind that a transport may lay down in a way of its own. */
function everyKind(bench: Bench, { options }: Kit['subject']): JobRecord[] {
  const { headers, runAt } = bench.capabilities;
  return [
    ...bench.jobs(2),
    bench.job('of the caller', { id: 'callers' }),
    ...(headers ? [bench.job('with headers', { headers: { traceparent: '00' } })] : []),
    ...(runAt ? [bench.job('for later', { runAt: Date.now() + 3_600_000 })] : []),
    ...options.taken.map((transportOptions) => bench.job('with options', { transportOptions })),
  ];
}

/** A job that is new is laid down or refused, and where it is said to be. */
function isRight(told: Told | undefined, isThere: boolean): boolean {
  return told === 'unknown' || told === (isThere ? 'delivered' : 'not-delivered');
}

/** Not one of those that the bench can read. */
function isLater({ runAt = 0 }: JobRecord): boolean {
  return runAt > Date.now();
}

/** Neither laid down now nor refused. */
function isKnown(told: Told | undefined): boolean {
  return told === 'recognised' || told === 'duplicate';
}

/** Not by the beginning of another's delivery id: they end in numbers. */
function isNamed(text: string, { id, delivery }: JobRecord): boolean {
  return [id, delivery].some((name) => new RegExp(`${name}(?!\\d)`).test(text));
}
