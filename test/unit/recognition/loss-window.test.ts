import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JobRecord, LossWindowOptions } from '../../../src/index.js';
import { type Heir, LossWindow, type Witness, witnessAmong } from '../../../src/recognition/loss-window.js';
import type { Delivery, DeliveryOutcome } from '../../../src/recognition/recognise.js';
import { jobRecord } from '../support/job-record.js';

/** The same courses each time: a commit passes or fails for its own sake. With LOSS_WINDOW_RUNS=5000000 others, for some minutes. */
const RUNS = Number(process.env.LOSS_WINDOW_RUNS ?? 20_000);
const SEED = process.env.LOSS_WINDOW_RUNS ? {} : { seed: 20_261_128 };
const HOUR_MS = 3_600_000;
const EPOCH = '018bcfe5680aaaaaaaaaaaaaaaa';
const REDIS_FORGETS_MS = 7 * 24 * HOUR_MS;

const job = (seq: number, fields: Partial<JobRecord> = {}) =>
  jobRecord({ delivery: `${EPOCH}-${seq}`, ...fields });
const outcomes = (count: number, outcome: DeliveryOutcome) => Array<DeliveryOutcome>(count).fill(outcome);
const answer = (witness: Delivery['witness'], outcome: DeliveryOutcome = 'delivered'): Delivery => ({
  witness,
  outcomes: [outcome],
});
const judge = (window: LossWindow, witness: Witness | undefined, delivery: Delivery) =>
  window.judge(witness, delivery.witness, delivery.outcomes.includes('delivered'));
const acknowledge = (
  window: LossWindow,
  jobs: readonly JobRecord[],
  outcomes: readonly DeliveryOutcome[],
  now: number,
) => window.acknowledged(jobs, outcomes, now, witnessAmong(jobs, outcomes));
const delivered = (window: LossWindow, seqs: readonly number[], now: number) =>
  acknowledge(
    window,
    seqs.map((seq) => job(seq)),
    outcomes(seqs.length, 'delivered'),
    now,
  );
const recognised = (window: LossWindow, seqs: readonly number[], now: number) =>
  acknowledge(
    window,
    seqs.map((seq) => job(seq)),
    outcomes(seqs.length, 'recognised'),
    now,
  );
const seqOf = (of: { readonly delivery: string } | undefined) => Number(of?.delivery.split('-')[1]);
const frozenSeqs = (window: LossWindow) => window.freeze().batches.flatMap(({ jobs }) => jobs.map(seqOf));

function open(options: Partial<LossWindowOptions> = {}): LossWindow {
  const standard = { ms: 30_000, jobs: 10_000, bytes: 2 ** 26, onLoss: 'redeliver' } as const;
  return new LossWindow({ ...standard, ...options }, REDIS_FORGETS_MS);
}

describe('a witness', () => {
  it('is there as soon as something was laid down, and is its batch’s last', () => {
    const window = open();
    expect(window.witness(0)).toBeUndefined();
    expect(window.rollCall(0)).toBeUndefined();
    delivered(window, [0, 1, 2], 0);
    expect(window.rollCall(1)?.deliveries.map((delivery) => seqOf({ delivery }))).toEqual([2]);
    expect(seqOf(window.witness(1))).toBe(2);
  });

  it('is none of the jobs that may be laid down once more by an attempt without an answer', () => {
    const window = open();
    acknowledge(window, [job(0), job(1, { fate: 'unknown' })], outcomes(2, 'delivered'), 0);
    expect(seqOf(window.witness(0))).toBe(0);
    acknowledge(
      window,
      [job(2, { fate: 'unknown' }), job(3, { lastAttemptAt: 1 })],
      outcomes(2, 'delivered'),
      0,
    );
    expect(window.witness(0)).toBeUndefined();
    expect(window.rollCall(0)?.deliveries.map((delivery) => seqOf({ delivery }))).toEqual([0, 2, 3]);
  });

  it('is none of the jobs that were refused, recognised or another’s duplicate', () => {
    const window = open();
    const rejected = { rejected: new Error('WRONGTYPE') };
    acknowledge(
      window,
      [0, 1, 2, 3, 4].map((seq) => job(seq)),
      ['delivered', 'delivered', 'recognised', 'duplicate', rejected],
      0,
    );
    expect(seqOf(window.witness(1))).toBe(1);
    expect(frozenSeqs(window)).toEqual([0, 1, 2]);
  });

  it('is not there when nothing was laid down', () => {
    const window = open();
    acknowledge(window, [job(0), job(1)], ['duplicate', { rejected: new Error('NOPERM') }], 0);
    expect(window.isEmpty).toBe(true);
    expect(window.witness(1)).toBeUndefined();
  });

  it('is the oldest: an acknowledgement that comes after a loss does not hide it', () => {
    const window = open();
    // The first was executed before the loss and the second after it; both are answered before anything more is sent.
    delivered(window, [0], 0);
    delivered(window, [1], 0);
    const witness = window.witness(1);
    expect(seqOf(witness)).toBe(0);
    expect(judge(window, witness, answer('lost'))).toBe(true);
  });

  it('is carried by one batch at a time, and each by one', () => {
    const window = open();
    for (const seq of [0, 1, 2]) delivered(window, [seq], 0);
    expect([1, 2, 3, 4].map((now) => seqOf(window.witness(now)))).toEqual([0, 1, 2, Number.NaN]);
  });

  it('gives way to the batch that carried it and was laid down', () => {
    const window = open();
    delivered(window, [0], 0);
    const witness = window.witness(1);
    expect(judge(window, witness, answer('kept'))).toBe(false);
    delivered(window, [1], 1);
    expect([seqOf(window.witness(2)), window.witness(2)]).toEqual([1, undefined]);
  });

  it.each<[string, (window: LossWindow, witness: Witness | undefined) => unknown]>([
    ['was not answered', (window, witness) => window.unanswered(witness)],
    ['laid nothing down', (window, witness) => judge(window, witness, answer('kept', 'recognised'))],
    ['was a duplicate', (window, witness) => judge(window, witness, answer('kept', 'duplicate'))],
    ['could not read it', (window, witness) => judge(window, witness, answer(undefined))],
  ])('is asked for again when what carried it %s', (_, end) => {
    const window = open();
    delivered(window, [0], 0);
    delivered(window, [1], 0);
    end(window, window.witness(1));
    expect(seqOf(window.witness(2))).toBe(0);
    expect(seqOf(window.witness(2))).toBe(1);
  });

  it('says nothing new when it was sent before the last loss was found', () => {
    const window = open();
    delivered(window, [0], 0);
    delivered(window, [1], 0);
    const [first, second] = [window.witness(1), window.witness(1)];
    expect(judge(window, first, answer('lost'))).toBe(true);
    window.freeze();
    expect(judge(window, second, answer('lost'))).toBe(false);
    window.unanswered(second);
    delivered(window, [2], 2);
    expect(seqOf(window.witness(3))).toBe(2);
  });

  it('does not pile up where the server never tells', () => {
    const window = open();
    for (let seq = 0; seq < 10_000; seq++) {
      const witness = window.witness(seq);
      delivered(window, [seq], seq);
      judge(window, witness, answer(undefined));
    }
    expect(window.rollCall(10_000)?.deliveries.length).toBeLessThan(300);
    expect(window.freeze()).toMatchObject({ jobs: 10_000, hasOlder: false });
  });
});

describe('a job from a store', () => {
  /** Laid down, with what was said of `witness` then. */
  const stored = (window: LossWindow, seqs: readonly number[], witness?: Witness, verdict?: 'kept') => {
    const jobs = seqs.map((seq) => job(seq));
    window.acknowledged(jobs, outcomes(seqs.length, 'delivered'), 0, -1);
    return window.heir((jobs.at(-1) as JobRecord).delivery, 0, witness, verdict);
  };
  const asked = (window: LossWindow) =>
    window.rollCall(1)?.deliveries.map((delivery) => seqOf({ delivery })) ?? [];

  it('is no witness before the store will not give it out again', () => {
    const window = open();
    const heir = stored(window, [0, 1]);
    expect(window.witness(1)).toBeUndefined();
    expect(asked(window)).toEqual([0, 1]);
    window.inherit(heir);
    expect(asked(window)).toEqual([1]);
    expect(seqOf(window.witness(1))).toBe(1);
  });

  it('stands for the witness that was there when it was laid down, from then on', () => {
    const window = open();
    delivered(window, [0], 0);
    const heir = stored(window, [1], window.witness(0), 'kept');
    expect(asked(window)).toEqual([0, 1]);
    window.inherit(heir);
    expect(asked(window)).toEqual([1]);
  });

  it('does not stand for one of which nothing was said', () => {
    const window = open();
    delivered(window, [0], 0);
    window.inherit(stored(window, [1], window.witness(0)));
    expect(asked(window)).toEqual([0, 1]);
  });

  it('has its place before those that were laid down after it', () => {
    const window = open();
    const heir = stored(window, [0]);
    delivered(window, [1], 0);
    window.inherit(heir);
    expect(asked(window)).toEqual([0, 1]);
    // The last stands for all.
    window.judgeAll(window.rollCall(1), ['kept', 'kept']);
    expect(asked(window)).toEqual([1]);
  });

  it('is no witness of what was laid down before a loss was found', () => {
    const window = open();
    const heir = stored(window, [0]);
    window.freeze();
    window.inherit(heir);
    expect(window.rollCall(1)).toBeUndefined();
  });

  it('does not pile up where the server never tells', () => {
    const window = open();
    for (let seq = 0; seq < 1000; seq++) window.inherit(stored(window, [seq]));
    expect(asked(window).length).toBeLessThanOrEqual(256);
  });
});

describe('a canary', () => {
  const ask = (window: LossWindow, now: number, bit: 'kept' | 'lost' | '?' = 'kept') => {
    const rollCall = window.rollCall(now);
    const verdict = bit === '?' ? undefined : bit;
    return window.judgeAll(
      rollCall,
      (rollCall?.deliveries ?? []).map(() => verdict),
    );
  };
  const asked = (window: LossWindow, now: number) =>
    window.rollCall(now)?.deliveries.map((delivery) => seqOf({ delivery }));

  it('asks for every trace, and afterwards the last one stands for all', () => {
    const window = open();
    for (const seq of [0, 1, 2]) delivered(window, [seq], 0);
    expect(asked(window, 1)).toEqual([0, 1, 2]);
    expect(ask(window, 1)).toBe(false);
    expect(asked(window, 2)).toEqual([2]);
  });

  it('asks also for what a batch under way carries', () => {
    const window = open();
    delivered(window, [0], 0);
    const witness = window.witness(1);
    delivered(window, [1], 1);
    expect(asked(window, 2)).toEqual([0, 1]);
    expect(ask(window, 2)).toBe(false);
    window.unanswered(witness);
    expect(asked(window, 3)).toEqual([1]);
    expect(judge(window, witness, answer('lost'))).toBe(true);
  });

  it('asks for each job that was only recognised: nobody knows when those were laid down', () => {
    const window = open();
    delivered(window, [7], 0);
    recognised(window, [3, 1, 5], 1);
    expect(asked(window, 2)).toEqual([7, 3, 1, 5]);
    expect(ask(window, 2)).toBe(false);
    expect(asked(window, 3)).toEqual([7, 3, 1, 5]);
    delivered(window, [8], 4);
    expect(ask(window, 5)).toBe(false);
    expect(asked(window, 6)).toEqual([3, 1, 5, 8]);
    expect(ask(window, 30_001)).toBe(false);
    expect(asked(window, 30_002)).toEqual([8]);
  });

  it.each([0, 1, 2, 3])('finds the loss whichever is missing: %i', (missing) => {
    const window = open();
    delivered(window, [7], 0);
    recognised(window, [3, 1, 5], 1);
    const verdicts = [0, 1, 2, 3].map((i): Delivery['witness'] => (i === missing ? 'lost' : 'kept'));
    expect(window.judgeAll(window.rollCall(2), verdicts)).toBe(true);
    expect(frozenSeqs(window)).toEqual([7, 3, 1, 5]);
  });

  it('takes an answer that tells nothing for none', () => {
    const window = open({ ms: 1000 });
    delivered(window, [0], 0);
    delivered(window, [1], 0);
    expect(ask(window, 5000, '?')).toBe(false);
    expect(asked(window, 5001)).toEqual([0, 1]);
    expect(window.isEmpty).toBe(false);
    expect(window.judgeAll(window.rollCall(5002), [])).toBe(false);
    expect(window.isEmpty).toBe(false);
  });

  it('says nothing new when it was sent before the last loss was found', () => {
    const window = open();
    delivered(window, [0], 0);
    const rollCall = window.rollCall(1);
    expect(ask(window, 1, 'lost')).toBe(true);
    window.freeze();
    delivered(window, [1], 2);
    expect(window.judgeAll(rollCall, ['lost'])).toBe(false);
    expect(frozenSeqs(window)).toEqual([1]);
  });

  it('asks for a bounded number of recognised jobs, at least one of each batch', () => {
    const window = open({ jobs: 100_000 });
    for (let batch = 0; batch < 100; batch++) {
      recognised(
        window,
        Array.from({ length: 256 }, (_, i) => batch * 256 + i),
        0,
      );
    }
    const deliveries = window.rollCall(1)?.deliveries ?? [];
    expect(deliveries.length).toBeLessThan(4300);
    expect(new Set(deliveries.map((delivery) => Math.floor(seqOf({ delivery }) / 256))).size).toBe(100);
  });

  it('asks for recognised jobs that it has no room for: their loss has to be told', () => {
    const window = open({ jobs: 2 });
    recognised(window, [0, 1], 0);
    recognised(window, [2, 3], 0);
    expect(asked(window, 1)).toEqual([0, 1, 2, 3]);
    expect(ask(window, 1, 'lost')).toBe(true);
    expect(window.freeze()).toMatchObject({ jobs: 2, lostOlder: true });
  });

  it('no longer asks for recognised jobs that were seen to be kept and are too old to be remembered', () => {
    const window = open({ ms: 1000 });
    recognised(window, [0], 0);
    recognised(window, [1], 500);
    ask(window, 1200, 'kept');
    expect(asked(window, 1200)).toEqual([1]);
  });

  it('keeps a bounded number of batches in mind, however many there are', () => {
    const window = open({ jobs: 2 });
    for (let seq = 0; seq < 10_000; seq++) recognised(window, [seq], 0);
    const deliveries = window.rollCall(1)?.deliveries ?? [];
    expect(deliveries.length).toBeLessThan(8300);
    expect(seqOf({ delivery: deliveries.at(-1) as string })).toBe(9999);
  });
});

describe('what is remembered', () => {
  const keptFrom = (window: LossWindow, now: number) => {
    const rollCall = window.rollCall(now);
    window.judgeAll(
      rollCall,
      (rollCall?.deliveries ?? []).map(() => 'kept' as const),
    );
  };

  it('is forgotten by age only when it was seen to be kept: an outage forgets nothing', () => {
    const window = open({ ms: 1000 });
    delivered(window, [0], 0);
    const witness = window.witness(HOUR_MS);
    window.unanswered(witness);
    delivered(window, [1], HOUR_MS);
    expect(window.freeze()).toMatchObject({ jobs: 2, hasOlder: false });
  });

  it('is forgotten `ms` before it was asked for, not before it was answered', () => {
    const window = open({ ms: 1000 });
    delivered(window, [0], 0);
    delivered(window, [1], 500);
    keptFrom(window, 999);
    expect(frozenSeqs(window)).toEqual([0, 1]);

    delivered(window, [0], 0);
    delivered(window, [1], 500);
    keptFrom(window, 1000);
    expect(window.freeze()).toMatchObject({ jobs: 1, hasOlder: true });
  });

  it('is not forgotten on the word of a single witness: others may be missing', () => {
    const window = open({ ms: 1000 });
    delivered(window, [0], 0);
    delivered(window, [1], 0);
    const older = window.witness(1);
    judge(window, window.witness(5000), answer('kept'));
    window.unanswered(older);
    expect(judge(window, window.witness(5001), answer('lost'))).toBe(true);
    expect(window.freeze()).toMatchObject({ jobs: 2, lostOlder: false });
  });

  it('is not forgotten when it was acknowledged after the canary was sent', () => {
    const window = open({ ms: 1000 });
    delivered(window, [0], 0);
    const rollCall = window.rollCall(5000);
    delivered(window, [1], 0);
    window.judgeAll(rollCall, ['kept']);
    expect(frozenSeqs(window)).toEqual([1]);
  });

  it('empties without traffic, also when all of it was only recognised', () => {
    const window = open({ ms: 1000 });
    delivered(window, [0], 0);
    recognised(window, [1, 2], 10);
    keptFrom(window, 1005);
    expect(window.freeze().batches.map(({ jobs }) => jobs.length)).toEqual([2]);

    recognised(window, [1, 2], 10);
    keptFrom(window, 1010);
    expect(window.isEmpty).toBe(true);
    expect(window.rollCall(1011)).toBeUndefined();
  });

  it('is at most so many jobs, also of one batch', () => {
    const fresh = open({ jobs: 3 });
    delivered(fresh, [0, 1, 2, 3], 0);
    expect(fresh.freeze()).toMatchObject({ jobs: 3, hasOlder: true });

    const window = open({ jobs: 3 });
    delivered(window, [0, 1], 0);
    delivered(window, [2, 3], 0);
    expect(window.freeze()).toMatchObject({ jobs: 2, hasOlder: true, lostOlder: true });
    delivered(window, [4, 5, 6, 7, 8], 0);
    expect(frozenSeqs(window)).toEqual([6, 7, 8]);
  });

  it('is at most so many bytes', () => {
    const window = open({ bytes: 100 });
    const large = (seq: number) => job(seq, { payload: 'x'.repeat(40), name: 'n' });
    for (const seq of [0, 1]) acknowledge(window, [large(seq)], ['delivered'], 0);
    expect(frozenSeqs(window)).toEqual([0, 1]);
    for (const seq of [0, 1, 2]) acknowledge(window, [large(seq)], ['delivered'], 0);
    expect(frozenSeqs(window)).toEqual([1, 2]);
    acknowledge(window, [large(3), large(4), large(5)], outcomes(3, 'delivered'), 0);
    expect(frozenSeqs(window)).toEqual([4, 5]);
    acknowledge(window, [job(6, { payload: 'x'.repeat(200) })], ['delivered'], 0);
    expect(window.isEmpty).toBe(true);
    expect(seqOf(window.witness(1))).toBe(6);
  });

  it('does not grow with what was forgotten', () => {
    const window = open({ jobs: 10 });
    for (let seq = 0; seq < 100_000; seq++) delivered(window, [seq], seq);
    expect(frozenSeqs(window)).toEqual(Array.from({ length: 10 }, (_, i) => 99_990 + i));
  });

  it('is forgotten when Redis may no longer recognise it, and then no witness is left either', () => {
    const window = open();
    delivered(window, [0], 0);
    recognised(window, [1], 0);
    const later = REDIS_FORGETS_MS - HOUR_MS;
    expect(window.rollCall(later)?.deliveries).toHaveLength(2);
    expect(window.rollCall(later + 1)).toBeUndefined();
    expect(window.isEmpty).toBe(true);
    delivered(window, [2], later + 1);
    expect(window.freeze()).toMatchObject({ jobs: 1, hasOlder: true });
  });

  it('is handed out once, in the order of its acknowledgement, with the time of it', () => {
    const window = open();
    delivered(window, [1, 0], 5);
    delivered(window, [3], 6);
    const { batches } = window.freeze();
    expect(batches.map(({ jobs, at }) => [jobs.map(seqOf), at])).toEqual([
      [[1, 0], 5],
      [[3], 6],
    ]);
    expect(window.freeze()).toMatchObject({ batches: [], jobs: 0, hasOlder: false, lostOlder: true });
  });

  it('is known to be laid down again when an answer says so, also a late one', () => {
    const window = open();
    delivered(window, [0, 1], 0);
    const { relaid } = window.freeze();
    window.answeredLate([job(0), job(1), job(2)], ['delivered', 'recognised', 'delivered']);
    expect([0, 1, 2].filter((seq) => relaid.has(job(seq).delivery))).toEqual([0]);
  });

  it('was not all when what is missing is older', () => {
    const window = open({ jobs: 1 });
    delivered(window, [0], 0);
    delivered(window, [1], 0);
    expect(judge(window, window.witness(1), answer('lost'))).toBe(true);
    expect(window.freeze()).toMatchObject({ jobs: 1, hasOlder: true, lostOlder: true });

    delivered(window, [2], 0);
    delivered(window, [3], 0);
    const rollCall = window.rollCall(1);
    expect(window.judgeAll(rollCall, ['kept', 'lost'])).toBe(true);
    expect(window.freeze()).toMatchObject({ jobs: 1, hasOlder: true, lostOlder: false });
  });
});

/** What a client, its connection and a server do, for the window to be held against. */
type Step =
  | { readonly do: 'send'; readonly jobs: number }
  | { readonly do: 'send stored'; readonly jobs: number }
  | { readonly do: 'send again'; readonly jobs: number }
  | { readonly do: 'store forgets' }
  | { readonly do: 'store gives out again' }
  | { readonly do: 'ask' }
  | { readonly do: 'execute'; readonly commands: number }
  | { readonly do: 'answer'; readonly commands: number }
  | { readonly do: 'cut' }
  | { readonly do: 'straggle'; readonly commands: number }
  | { readonly do: 'lose'; readonly commands: number }
  | { readonly do: 'wait'; readonly ms: number };

const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('send'), jobs: fc.integer({ min: 1, max: 3 }) }) },
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constant('send stored'), jobs: fc.integer({ min: 1, max: 3 }) }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('store forgets') }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('store gives out again') }) },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant('send again'), jobs: fc.integer({ min: 1, max: 3 }) }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('ask') }) },
    {
      weight: 5,
      arbitrary: fc.record({ do: fc.constant('execute'), commands: fc.integer({ min: 1, max: 4 }) }),
    },
    {
      weight: 5,
      arbitrary: fc.record({ do: fc.constant('answer'), commands: fc.integer({ min: 1, max: 4 }) }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('cut') }) },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant('straggle'), commands: fc.integer({ min: 1, max: 3 }) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant('lose'), commands: fc.integer({ min: 1, max: 5 }) }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('wait'), ms: fc.integer({ min: 1, max: 900 }) }) },
  ) as fc.Arbitrary<Step>,
  { maxLength: 60, size: 'max' },
);

interface Command {
  readonly jobs: readonly JobRecord[];
  /** A store has them until it is told of the answer. */
  readonly isStored: boolean;
  readonly witness: Witness | undefined;
  readonly rollCall: ReturnType<LossWindow['rollCall']>;
  reply: (Delivery & { readonly verdicts: readonly Delivery['witness'][] }) | undefined;
}

/** Runs `steps` with a server that executes in order, one connection, and losses of what was executed last. */
class Course {
  readonly #window = open({ ms: 1000 });
  #now = 0;
  #seq = 0;
  /** What the server holds, in the order of its execution. */
  #held: string[] = [];
  #line: Command[] = [];
  /** Without an answer. */
  #unknown: JobRecord[] = [];
  /** Answered, and the store has not been told of it. */
  readonly #untold: { readonly jobs: readonly JobRecord[]; readonly heir: Heir | undefined }[] = [];
  /** Given up, and still to be executed. */
  readonly #astray: Command[] = [];
  readonly #acknowledgedAt = new Map<string, number>();
  /** Acknowledged, lost within the window, and not handed out since. */
  readonly missing = new Set<string>();

  run(steps: readonly Step[]): void {
    for (const step of steps) this.#do(step);
    // All is well then, and a canary is sent now and then.
    for (let i = 0; i < 3; i++) {
      this.#do({ do: 'ask' });
      this.#do({ do: 'execute', commands: Number.POSITIVE_INFINITY });
      this.#do({ do: 'answer', commands: Number.POSITIVE_INFINITY });
    }
  }

  #do(step: Step): void {
    this.#now += 1;
    switch (step.do) {
      case 'send':
      case 'send stored': {
        const isStored = step.do === 'send stored';
        this.#send(
          Array.from({ length: step.jobs }, () => job(this.#seq++)),
          isStored,
        );
        break;
      }
      case 'store forgets': {
        const heir = this.#untold.shift()?.heir;
        if (heir) this.#window.inherit(heir);
        break;
      }
      case 'store gives out again': {
        const jobs = this.#untold.shift()?.jobs.map((sent) => ({ ...sent, lastAttemptAt: this.#now }));
        if (jobs) this.#send(jobs, true);
        break;
      }
      case 'send again':
        if (this.#unknown.length > 0) this.#send(this.#unknown.splice(0, step.jobs), false);
        break;
      case 'ask':
        this.#line.push({
          jobs: [],
          isStored: false,
          witness: undefined,
          rollCall: this.#window.rollCall(this.#now),
          reply: undefined,
        });
        break;
      case 'execute':
        for (const command of this.#line.filter(({ reply }) => !reply).slice(0, step.commands)) {
          this.#execute(command);
        }
        break;
      case 'answer':
        for (let i = 0; i < step.commands && this.#line[0]?.reply; i++)
          this.#answer(this.#line.shift() as Command);
        break;
      case 'cut':
        for (const command of this.#line.splice(0)) {
          this.#window.unanswered(command.witness);
          this.#unknown.push(...command.jobs.map((sent) => ({ ...sent, fate: 'unknown' as const })));
          if (!command.reply) this.#astray.push(command);
        }
        break;
      case 'straggle':
        for (const command of this.#astray.splice(0, step.commands)) this.#execute(command);
        break;
      case 'lose':
        for (const delivery of this.#held.splice(Math.max(0, this.#held.length - step.commands))) {
          const at = this.#acknowledgedAt.get(delivery);
          if (at !== undefined && at + 1000 > this.#now) this.missing.add(delivery);
        }
        break;
      case 'wait':
        this.#now += step.ms;
        break;
    }
  }

  #send(jobs: readonly JobRecord[], isStored: boolean): void {
    const witness = this.#window.witness(this.#now);
    this.#line.push({ jobs, isStored, witness, rollCall: undefined, reply: undefined });
  }

  #execute(command: Command): void {
    const verdict = (delivery: string): 'kept' | 'lost' => (this.#held.includes(delivery) ? 'kept' : 'lost');
    command.reply = {
      witness: command.witness && verdict(command.witness.delivery),
      verdicts: (command.rollCall?.deliveries ?? []).map(verdict),
      outcomes: command.jobs.map(({ delivery }) => {
        if (this.#held.includes(delivery)) return 'recognised';
        this.#held.push(delivery);
        this.missing.delete(delivery);
        return 'delivered';
      }),
    };
  }

  #answer({ jobs, isStored, witness, rollCall, reply }: Command): void {
    const { outcomes, verdicts } = reply as NonNullable<Command['reply']>;
    const place = witnessAmong(jobs, outcomes);
    const isLost =
      jobs.length === 0
        ? this.#window.judgeAll(rollCall, verdicts)
        : this.#window.judge(witness, reply?.witness, place !== -1 && !isStored);
    if (isLost) this.#handOut();
    this.#window.acknowledged(jobs, outcomes, this.#now, isStored ? -1 : place);
    if (isStored) {
      const sent = jobs[place];
      const heir = sent && this.#window.heir(sent.delivery, this.#now, witness, reply?.witness);
      this.#untold.push({ jobs, heir });
    }
    for (const { delivery } of jobs) {
      this.#acknowledgedAt.set(delivery, this.#now);
      // It was acknowledged by a server that has lost it by now.
      if (!this.#held.includes(delivery)) this.missing.add(delivery);
    }
  }

  #handOut(): void {
    for (const { jobs } of this.#window.freeze().batches) {
      for (const lost of jobs) {
        this.missing.delete(lost.delivery);
        this.#acknowledgedAt.delete(lost.delivery);
        this.#unknown.push({ ...lost, fate: 'unknown' });
      }
    }
  }
}

it('finds the second loss of a job that a straggler laid down behind a witness after the first', () => {
  const course = new Course();
  course.run([
    { do: 'send', jobs: 1 },
    { do: 'cut' },
    { do: 'send again', jobs: 1 },
    { do: 'execute', commands: 1 },
    { do: 'lose', commands: 1 },
    { do: 'send', jobs: 1 },
    { do: 'execute', commands: 1 },
    { do: 'answer', commands: 2 },
    { do: 'straggle', commands: 1 },
    { do: 'ask' },
    { do: 'execute', commands: 1 },
    { do: 'lose', commands: 1 },
    { do: 'answer', commands: 1 },
  ]);
  expect([...course.missing]).toEqual([]);
});

it('finds every loss of what was acknowledged within the window, whatever overlaps, fails or comes again', {
  timeout: 30_000 + RUNS,
}, () => {
  fc.assert(
    fc.property(steps, (some) => {
      const course = new Course();
      course.run(some);
      expect([...course.missing]).toEqual([]);
    }),
    { numRuns: RUNS, ...SEED },
  );
});
