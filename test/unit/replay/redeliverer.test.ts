import { describe, expect, it } from 'vitest';
import { type Argument, type JobRecord, systemClock, type Transport } from '../../../src/index.js';
import { consecutiveFailures, RedisPolicy } from '../../../src/policy/default-policy.js';
import { RedisGateway } from '../../../src/policy/redis-gateway.js';
import { type FrozenJobs, Relaid } from '../../../src/recognition/loss-window.js';
import type { DeliveryOutcome } from '../../../src/recognition/recognise.js';
import { Redeliverer, type RedeliveryResult } from '../../../src/replay/redeliverer.js';
import { waitFor } from '../../support/wait-for.js';
import { IdleConnection } from '../support/idle-connection.js';
import { jobRecord } from '../support/job-record.js';

const HOUR_MS = 3_600_000;
const EPOCH = '018bcfe5680aaaaaaaaaaaaaaaa';

const job = (seq: number, fields: Partial<JobRecord> = {}) =>
  jobRecord({ delivery: `${EPOCH}-${seq}`, ...fields });
const seqOf = ({ delivery }: JobRecord) => Number(delivery.split('-')[1]);
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

/** Batches of jobs that were acknowledged `ageMs` ago. */
function frozen(
  batches: readonly (readonly JobRecord[])[],
  fields: Partial<FrozenJobs> & { readonly ageMs?: number } = {},
): FrozenJobs {
  const { ageMs = 0, ...rest } = fields;
  const at = systemClock.monotonicMs() - ageMs;
  return {
    batches: batches.map((jobs, i) => ({
      ...{ witness: jobs.at(-1)?.delivery, position: i + 1, jobs, bytes: 0, at },
    })),
    jobs: batches.flat().length,
    hasOlder: false,
    lostOlder: false,
    relaid: new Relaid(new Set(batches.flat().map(({ delivery }) => delivery))),
    ...rest,
  };
}

/** What Redis says to a batch. */
type Answer = (seqs: number[]) => DeliveryOutcome | readonly DeliveryOutcome[] | Promise<never>;

class Scene {
  readonly batches: number[][] = [];
  readonly results: RedeliveryResult[] = [];
  readonly setAside: JobRecord[] = [];
  readonly expired: JobRecord[] = [];
  /** Seqs of which Redis says, when it is asked, that they are there. */
  readonly kept = new Set<number>();
  /** It says nothing. */
  isMute = false;
  /** How often it was asked. */
  asked = 0;
  /** How often the store fails. */
  storeFailures = 0;
  redelivered = 0;
  /** How many it has set: one for each look whether Redis is back. */
  timers = 0;
  /** What is said to the next batches; afterwards everything is laid down. */
  answers: Answer[] = [];
  readonly policy = new RedisPolicy({
    breaker: consecutiveFailures(1000),
    retryAttempts: 1,
    backoff: undefined,
    onState: () => {},
  });
  readonly redeliverer: Redeliverer;

  constructor() {
    const transport = {
      name: 'streams',
      capabilities: {},
      deliver: async (_: unknown, jobs: readonly JobRecord[]) => {
        const seqs = jobs.map(seqOf);
        this.batches.push(seqs);
        const answer = await (this.answers.shift() ?? (() => 'delivered'))(seqs);
        return { outcomes: Array.isArray(answer) ? answer : seqs.map(() => answer), witness: undefined };
      },
    } as unknown as Transport;
    const connection = Object.assign(new IdleConnection(), {
      isReady: true,
      // The canary: keys, its id, its expiry, then the place of its epoch's key and the seq of each delivery.
      send: async (args: readonly Argument[]) => {
        this.asked += 1;
        if (this.isMute) throw new Error('Connection is closed.');
        const [echo, , ...asked] = args.slice(3 + Number(args[2])).map(String);
        const bits = asked.filter((_, i) => i % 2 === 1).map((seq) => (this.kept.has(Number(seq)) ? 1 : 0));
        return [echo, bits.join('')];
      },
    });
    const gateway = new RedisGateway({
      queue: 'q',
      connection,
      transport,
      clock: systemClock,
      recognition: { callerMs: HOUR_MS, generatedMs: 7 * 24 * HOUR_MS },
      lossWindow: undefined,
      onLoss: () => {},
      onFailure: () => {},
      onWritable: () => {},
    });
    this.redeliverer = new Redeliverer(
      gateway,
      this.policy,
      {
        ...systemClock,
        setTimeout: (...args) => {
          this.timers += 1;
          return systemClock.setTimeout(...args);
        },
      },
      {
        onRedelivered: (count) => {
          this.redelivered += count;
        },
        onExpired: (jobs) => {
          this.expired.push(...jobs);
        },
        onSetAside: async (jobs) => {
          if (this.storeFailures-- > 0) return jobs;
          this.setAside.push(...jobs);
          return [];
        },
        onEnd: (result) => this.results.push(result),
      },
      { attemptTimeoutMs: 100, deadlineMs: 200, recognitionMs: 7 * 24 * HOUR_MS },
    );
  }

  async redeliver(...losses: readonly FrozenJobs[]): Promise<RedeliveryResult> {
    for (const loss of losses) this.redeliverer.redeliver(loss);
    await this.redeliverer.done;
    return this.results.at(-1) as RedeliveryResult;
  }
}

const fails = (text: string): Answer => {
  return () => Promise.reject(new Error(text));
};
const refuses = (text: string): DeliveryOutcome => ({ rejected: new Error(text) });
const never: Answer = () => new Promise<never>(() => {});

describe('a redelivery', () => {
  it('goes from the oldest job to the newest, one loss after the other', async () => {
    const scene = new Scene();
    await scene.redeliver(
      frozen([[job(0), job(1)], range(2, 600).map((seq) => job(seq))]),
      frozen([[job(7)]]),
    );
    expect(scene.batches.flat()).toEqual([...range(0, 600), 7]);
    expect(Math.max(...scene.batches.map((batch) => batch.length))).toBeLessThanOrEqual(256);
    expect(scene.results.map(({ redelivered }) => redelivered)).toEqual([600, 1]);
    expect(scene.redelivered).toBe(601);
  });

  it('cuts a batch at 1 MiB, and sends a larger job alone', async () => {
    const scene = new Scene();
    const payload = 'x'.repeat(400 * 1024);
    const jobs = [
      ...range(0, 5).map((seq) => job(seq, { payload })),
      job(5, { payload: payload.repeat(5) }),
      job(6),
    ];
    await scene.redeliver(frozen([jobs]));
    expect(scene.batches).toEqual([[0, 1], [2, 3], [4], [5], [6]]);
  });

  it('tells what was lost from what was still there', async () => {
    const scene = new Scene();
    scene.answers = [() => ['recognised', 'recognised', 'duplicate', 'delivered']];
    const jobs = range(0, 4).map((seq) => job(seq));
    expect(await scene.redeliver(frozen([jobs]))).toEqual({
      remembered: 4,
      redelivered: 1,
      recognised: 3,
      windowExceeded: false,
    });
  });

  it.each<[string, Answer]>([
    ['what came was no reply', fails('Unknown RESP type')],
    ['there was no answer', never],
  ])('counts what an attempt may have laid down as laid down: %s', async (_, answer) => {
    const scene = new Scene();
    scene.answers = [answer, () => 'recognised'];
    const result = await scene.redeliver(frozen([[job(0), job(1)]], { hasOlder: true }));
    expect(result).toEqual({ remembered: 2, redelivered: 2, recognised: 0, windowExceeded: true });
    expect(scene.redelivered).toBe(2);
  });

  it('does not count what was refused before as laid down', async () => {
    const scene = new Scene();
    scene.answers = [fails('LOADING Redis is loading'), () => 'recognised'];
    expect(await scene.redeliver(frozen([[job(0), job(1)]]))).toMatchObject({
      redelivered: 0,
      recognised: 2,
    });
  });

  it('sends only those again that an outage refused', async () => {
    const scene = new Scene();
    scene.answers = [
      () => ['delivered', refuses('OOM command not allowed'), 'delivered', refuses('OOM command')],
    ];
    const jobs = range(0, 4).map((seq) => job(seq));
    expect(await scene.redeliver(frozen([jobs]))).toMatchObject({ redelivered: 4, recognised: 0 });
    expect(scene.batches).toEqual([
      [0, 1, 2, 3],
      [1, 3],
    ]);
  });

  it('waits while the breaker is not closed', async () => {
    const scene = new Scene();
    const isolation = scene.policy.isolate();
    scene.redeliverer.redeliver(frozen([[job(0)]]));
    await waitFor(() => scene.timers > 2, { what: 'it to have looked' });
    expect(scene.batches).toEqual([]);
    isolation.dispose();
    await waitFor(() => scene.results.length === 1, { what: 'the redelivery' });
    expect(scene.batches).toEqual([[0]]);
  });
});

describe('a job that is not laid down again', () => {
  it.each([
    ['WRONGTYPE Operation against a key'],
    ['NOPERM this user has no permissions'],
    ['SOMETHING that nobody listed'],
  ])('is set aside, and the others go on: %s', async (text) => {
    const scene = new Scene();
    scene.answers = [() => ['delivered', refuses(text), 'delivered']];
    const jobs = range(0, 3).map((seq) => job(seq));
    expect(await scene.redeliver(frozen([jobs]))).toMatchObject({
      remembered: 3,
      redelivered: 2,
      recognised: 0,
    });
    expect(scene.setAside.map(seqOf)).toEqual([1]);
  });

  it('is found among others by an error that nobody listed and that fails the whole batch', async () => {
    const scene = new Scene();
    const poisoned: Answer = (seqs) =>
      seqs.includes(11) ? Promise.reject(new Error('What is that?')) : seqs.map(() => 'delivered' as const);
    scene.answers = Array(20).fill(poisoned);
    const jobs = range(0, 20).map((seq) => job(seq));
    expect(await scene.redeliver(frozen([jobs]))).toMatchObject({ redelivered: 19 });
    expect(scene.setAside.map(seqOf)).toEqual([11]);
  });

  it('is a whole batch when Redis refuses it as such', async () => {
    const scene = new Scene();
    scene.answers = [fails('NOPERM this user has no permissions to run the evalsha command')];
    await scene.redeliver(frozen([[job(0), job(1)]]));
    expect(scene.setAside.map(seqOf)).toEqual([0, 1]);
  });

  it('has expired, and Redis has lost it', async () => {
    const scene = new Scene();
    const jobs = [job(0, { expiresAt: Date.now() - 1 }), job(1, { expiresAt: Date.now() + HOUR_MS })];
    expect(await scene.redeliver(frozen([jobs], { hasOlder: true }))).toEqual({
      remembered: 2,
      redelivered: 1,
      recognised: 0,
      windowExceeded: true,
    });
    expect(scene.expired.map(seqOf)).toEqual([0]);
    expect(scene.setAside).toEqual([]);
  });

  it('has expired, and Redis still has it: nothing is dropped', async () => {
    const scene = new Scene();
    const jobs = range(0, 600).map((seq) => job(seq, { expiresAt: Date.now() - 1 }));
    for (let seq = 0; seq < 599; seq++) scene.kept.add(seq);
    expect(await scene.redeliver(frozen([jobs.slice(0, 300), jobs.slice(300)], { hasOlder: true }))).toEqual({
      remembered: 600,
      redelivered: 0,
      recognised: 599,
      windowExceeded: false,
    });
    expect(scene.expired.map(seqOf)).toEqual([599]);
    expect(scene.batches).toEqual([]);
  });

  it('has expired, and is given back at the end where Redis could not be asked', async () => {
    const scene = new Scene();
    scene.isMute = true;
    scene.redeliverer.redeliver(frozen([[job(0, { expiresAt: Date.now() - 1 }), job(1)]]));
    await waitFor(() => scene.asked > 0, { what: 'Redis to be asked' });
    expect((await scene.redeliverer.stop()).map(seqOf)).toEqual([0]);
    expect(scene.expired).toEqual([]);
  });

  it('is set aside again and again while the store fails, which keeps no other waiting', async () => {
    const scene = new Scene();
    scene.storeFailures = 2;
    scene.answers = [() => [refuses('WRONGTYPE'), 'delivered']];
    scene.redeliverer.redeliver(frozen([[job(0), job(1)]]));
    await waitFor(() => scene.results.length === 1, { what: 'the redelivery' });
    expect(scene.results).toMatchObject([{ remembered: 2, redelivered: 1 }]);
    expect(scene.setAside).toEqual([]);
    await scene.redeliverer.done;
    expect(scene.setAside.map(seqOf)).toEqual([0]);
  });

  it('is given back at the end where the store took nothing', async () => {
    const scene = new Scene();
    scene.storeFailures = Number.POSITIVE_INFINITY;
    scene.answers = [() => [refuses('WRONGTYPE'), 'delivered']];
    scene.redeliverer.redeliver(frozen([[job(0), job(1)]]));
    await waitFor(() => scene.results.length === 1, { what: 'the redelivery' });
    expect((await scene.redeliverer.stop()).map(seqOf)).toEqual([0]);
  });

  it('was acknowledged so long ago that Redis may not recognise it any more', async () => {
    const scene = new Scene();
    const ageMs = (7 * 24 - 1) * HOUR_MS;
    await scene.redeliver(frozen([[job(0)]], { ageMs: ageMs + 1000 }));
    expect(scene.setAside.map(seqOf)).toEqual([0]);
    await scene.redeliver(frozen([[job(1)]], { ageMs: ageMs - 1000 }));
    expect(scene.batches).toEqual([[1]]);
  });

  it('goes with what a store must know of it: nobody knows its fate, and when it was sent last', async () => {
    const scene = new Scene();
    scene.answers = [() => [refuses('WRONGTYPE')]];
    // It waited in the backup for weeks, and was acknowledged a minute ago.
    await scene.redeliver(frozen([[job(0, { enqueuedAt: 1000 })]], { ageMs: 60_000 }));
    const [record] = scene.setAside;
    expect(record?.lastAttemptAt).toSatisfy(Number.isInteger);
    expect(record).toMatchObject({ fate: 'unknown', enqueuedAt: 1000 });
    expect(Math.abs(Date.now() - 60_000 - (record?.lastAttemptAt ?? 0))).toBeLessThan(1000);
  });
});

describe('a job that came again by itself after the loss', () => {
  it('is counted as laid down again, and proves nothing about what was there', async () => {
    const scene = new Scene();
    scene.answers = [() => 'recognised'];
    const loss = frozen([[job(0)], [job(1)]], { hasOlder: true });
    loss.relaid.laidDown(job(0).delivery);
    expect(await scene.redeliver(loss)).toEqual({
      remembered: 2,
      redelivered: 1,
      recognised: 1,
      windowExceeded: true,
    });
  });
});

describe('the window was exceeded', () => {
  const exceeded = async (loss: FrozenJobs, ...answers: Answer[]) => {
    const scene = new Scene();
    scene.answers = answers;
    return (await scene.redeliver(loss)).windowExceeded;
  };
  const two = [[job(0), job(1)], [job(2)]];

  it.each<[string, boolean, FrozenJobs, DeliveryOutcome[]]>([
    ['nothing older, all lost', false, frozen(two), ['delivered', 'delivered', 'delivered']],
    ['the oldest kept', false, frozen(two, { hasOlder: true }), ['recognised', 'recognised', 'delivered']],
    ['the oldest lost', true, frozen(two, { hasOlder: true }), ['delivered', 'delivered', 'delivered']],
    [
      'of the oldest batch some lost',
      true,
      frozen(two, { hasOlder: true }),
      ['recognised', 'delivered', 'delivered'],
    ],
    [
      'of the oldest nothing known',
      true,
      frozen(two, { hasOlder: true }),
      ['duplicate', 'duplicate', 'delivered'],
    ],
    [
      'something older is missing',
      true,
      frozen(two, { lostOlder: true }),
      ['recognised', 'recognised', 'recognised'],
    ],
  ])('%s: %s', async (_, expected, loss, outcomes) => {
    expect(await exceeded(loss, () => outcomes)).toBe(expected);
  });

  it('when nothing was remembered of what there was', async () => {
    expect(await exceeded(frozen([], { hasOlder: true }))).toBe(true);
  });
});

describe('a redelivery that is stopped', () => {
  it('hands back what is not known to be there, and tells of the rest', async () => {
    const scene = new Scene();
    scene.answers = [() => 'delivered', never];
    const jobs = range(0, 60).map((seq) => job(seq));
    scene.redeliverer.redeliver(frozen([jobs]));
    scene.redeliverer.redeliver(frozen([[job(60)], [job(61)]], { hasOlder: true }));
    await waitFor(() => scene.batches.length === 2, { what: 'the second batch' });
    const left = await scene.redeliverer.stop();
    expect(left.map(seqOf)).toEqual(range(16, 62));
    expect(left.every(({ fate, lastAttemptAt }) => fate === 'unknown' && lastAttemptAt)).toBe(true);
    expect(scene.results).toEqual([
      { remembered: 60, redelivered: 16, recognised: 0, windowExceeded: false },
      { remembered: 2, redelivered: 0, recognised: 0, windowExceeded: true },
    ]);
  });

  it('only tells of what is lost after that', async () => {
    const scene = new Scene();
    expect(await scene.redeliverer.stop()).toEqual([]);
    await scene.redeliver(frozen([[job(0)]]));
    expect(scene.batches).toEqual([]);
    expect(scene.results).toMatchObject([{ remembered: 1, redelivered: 0, recognised: 0 }]);
    expect(await scene.redeliverer.stop()).toEqual([]);
  });
});
