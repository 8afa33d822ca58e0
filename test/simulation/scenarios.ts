import fc from 'fast-check';
import type {
  Action,
  JobPlan,
  Place,
  RefusalText,
  Scenario,
  SimulatedOptions,
  StoreVerdict,
  Verdict,
  WriteRefusal,
} from './scenario.js';

/** Which kinds of trouble a scenario may have. */
export interface Troubles {
  readonly processes?: 1 | 2;
  readonly crashes?: boolean;
  readonly rollbacks?: boolean;
  readonly ordered?: boolean;
}

const delay = fc.oneof(
  { arbitrary: fc.integer({ min: 1, max: 10 }), weight: 4 },
  { arbitrary: fc.integer({ min: 10, max: 300 }), weight: 2 },
);
const longDelay = fc.integer({ min: 100, max: 4000 });

const refusals: RefusalText[] = [
  'ECONNREFUSED',
  'LOADING Redis is loading the dataset in memory',
  'BUSY Redis is busy running a script.',
  'ERR max number of clients reached',
  'TRYAGAIN Multiple keys request during rehashing of slot',
  'NOSCRIPT No matching script.',
];

const verdict: fc.Arbitrary<Verdict> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('answered' as const), afterMs: delay }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('reply lost' as const),
      afterMs: delay,
      rejects: fc.constantFrom('cut' as const, 'timeout' as const, 'never' as const),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('late' as const),
      afterMs: longDelay,
      ends: fc.constantFrom('answered' as const, 'never' as const, 'timeout' as const, 'cut' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('refused' as const),
      afterMs: delay,
      error: fc.constantFrom(...refusals),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('sent twice' as const), afterMs: delay, againMs: longDelay }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'swallowed' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('garbled' as const),
      afterMs: delay,
      isExecuted: fc.boolean(),
    }),
  },
);

const storeVerdict = (mayBeLate: boolean): fc.Arbitrary<StoreVerdict> =>
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ kind: fc.constant('answered' as const), afterMs: delay }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('failed' as const), afterMs: delay }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('unsure' as const),
        afterMs: delay,
        tookEffect: fc.boolean(),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('slow' as const),
        effectMs: mayBeLate ? fc.oneof(delay, longDelay) : fc.integer({ min: 1, max: 50 }),
        afterMs: longDelay,
        answers: fc.boolean(),
      }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: 'silent' as const }) },
  );

const jobPlan = (mayGiveBack: boolean): fc.Arbitrary<JobPlan> =>
  fc.oneof(
    { weight: 6, arbitrary: fc.constant({}) },
    { weight: 3, arbitrary: fc.record({ id: fc.nat({ max: 3 }) }) },
    { weight: mayGiveBack ? 2 : 0, arbitrary: fc.record({ again: fc.nat({ max: 3 }) }) },
    { weight: 1, arbitrary: fc.record({ expiresInMs: fc.integer({ min: 1, max: 2000 }) }) },
    { weight: 1, arbitrary: fc.record({ abortInMs: fc.nat({ max: 50 }) }) },
  );

const wait: fc.Arbitrary<Action> = fc.record({
  do: fc.constant('wait' as const),
  ms: fc.oneof(
    { weight: 3, arbitrary: fc.nat({ max: 10 }) },
    { weight: 3, arbitrary: fc.integer({ min: 10, max: 500 }) },
    { weight: 2, arbitrary: fc.integer({ min: 500, max: 5000 }) },
  ),
});

const writeRefusals: WriteRefusal[] = [
  "READONLY You can't write against a read only replica.",
  "OOM command not allowed when used memory > 'maxmemory'.",
  'NOREPLICAS Not enough good replicas to write.',
  'ODD something that nobody has heard of',
];

// Without the rights to markers some jobs of a batch are refused, and those behind them are laid down.
const deniableInOrder = ['XADD', 'BITFIELD', 'ZADD', 'TIME'];
const deniable = [...deniableInOrder, 'GET', 'SET'];

function action({
  processes = 1,
  crashes = false,
  rollbacks = false,
  ordered = false,
}: Troubles): fc.Arbitrary<Action> {
  const by: fc.Arbitrary<Place> =
    processes === 1 ? fc.constant(0 as const) : fc.constantFrom(0 as const, 1 as const);
  const ms = fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 200, max: 3000 }));
  // A loss may stay hidden from one process where another lays down the very delivery that tells of it.
  const plan = jobPlan(processes === 1 || !rollbacks);
  const enqueue = fc.record({
    do: fc.constant('enqueue' as const),
    by,
    jobs: fc.oneof(
      { weight: 9, arbitrary: fc.array(plan, { minLength: 1, maxLength: 4 }) },
      // Enough for a backlog that is replayed in several lanes.
      { weight: 1, arbitrary: fc.array(plan, { minLength: 20, maxLength: 40, size: 'max' }) },
    ),
  });
  const network = fc.record({
    do: fc.constant('network' as const),
    by,
    verdicts: fc.array(verdict, { maxLength: 4 }),
  });
  const store = fc.record({
    do: fc.constant('store' as const),
    by,
    // A lease that is taken long after its call was given up breaks the order: nobody can know of it.
    verdicts: fc.array(storeVerdict(!ordered), { maxLength: 4 }),
  });
  const rare: fc.Arbitrary<Action> = fc.oneof(
    fc.record({ do: fc.constant('away' as const), by, ms, isQuiet: fc.boolean() }),
    fc.record({ do: fc.constant('stop server' as const), ms }),
    fc.record({
      do: fc.constant('refuse writes' as const),
      text: fc.option(fc.constantFrom(...writeRefusals), { nil: undefined }),
    }),
    fc.record({
      do: fc.constant('deny' as const),
      commands: fc.subarray(ordered ? deniableInOrder : deniable, { maxLength: 2 }),
    }),
    fc.constant({ do: 'restart server' as const }),
    fc.record({ do: fc.constant('isolate' as const), by, ms }),
    fc.record({ do: fc.constant('replay' as const), by }),
    fc.record({ do: fc.constant('check' as const), by, timeoutMs: fc.integer({ min: 0, max: 1000 }) }),
    fc.record({
      do: fc.constant('close' as const),
      by,
      timeoutMs: fc.integer({ min: 0, max: 2000 }),
      downMs: ms,
    }),
  );
  const crash: fc.Arbitrary<Action> = fc.record({ do: fc.constant('crash' as const), by, downMs: ms });
  const rollback: fc.Arbitrary<Action> = fc.oneof(
    fc.constant({ do: 'snapshot' as const }),
    fc.record({
      do: fc.constant('rollback' as const),
      inFlight: fc.constantFrom('dies' as const, 'moves' as const, 'strays' as const),
      strayMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 900 })),
    }),
  );
  return fc.oneof(
    { weight: 9, arbitrary: wait },
    { weight: 8, arbitrary: enqueue },
    { weight: 4, arbitrary: network },
    { weight: 3, arbitrary: store },
    { weight: 4, arbitrary: rare },
    { weight: crashes ? 2 : 0, arbitrary: crash },
    { weight: rollbacks ? 4 : 0, arbitrary: rollback },
  );
}

function options({ rollbacks = false, ordered = false }: Troubles): fc.Arbitrary<SimulatedOptions> {
  const deadlines = fc.constantFrom(
    { deadlineMs: 200, attemptTimeoutMs: 80, backupDeadlineMs: 300 },
    { deadlineMs: 100, attemptTimeoutMs: 100, backupDeadlineMs: 1000 },
    { deadlineMs: 1000, attemptTimeoutMs: 400, backupDeadlineMs: 500 },
  );
  const few = fc.option(fc.integer({ min: 2, max: 8 }), { nil: undefined });
  return fc
    .record({
      deadlines,
      attempts: fc.nat({ max: 2 }),
      failures: fc.integer({ min: 1, max: 3 }),
      probeAfterMs: fc.constantFrom(10, 100, 400),
      limit: few,
      batchSize: fc.constantFrom(1, 3, 256),
      leaseMs: fc.constantFrom(1000, 4000),
      pollMs: fc.constantFrom(500, 3000),
      windowMs: fc.constantFrom(1000, 5000),
      windowJobs: rollbacks
        ? fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined, freq: 4 })
        : fc.constant(undefined),
    })
    .map((some) => ({
      ...some.deadlines,
      retry: { attempts: some.attempts },
      breaker: { failures: some.failures, probeAfterMs: some.probeAfterMs, probeMaxMs: 1000 },
      ...(some.limit !== undefined && { backupLimit: { jobs: some.limit } }),
      replay: { batchSize: some.batchSize, leaseMs: some.leaseMs, pollMs: some.pollMs },
      lossWindow: { ms: some.windowMs, ...(some.windowJobs !== undefined && { jobs: some.windowJobs }) },
      ...(ordered && { ordering: 'queue' as never }),
    }));
}

/** Any scenario with these kinds of trouble. */
export function scenarios(troubles: Troubles = {}): fc.Arbitrary<Scenario> {
  const { processes = 1, crashes = false } = troubles;
  return (
    fc
      .record({
        seed: fc.nat({ max: 2 ** 31 - 1 }),
        processes: fc.constant(processes),
        // A memory does not survive a crash: nothing is promised then.
        durability:
          processes === 1 && !crashes
            ? fc.constantFrom('fsynced' as const, 'memory' as const)
            : fc.constant('fsynced' as const),
        options: options(troubles),
        actions: fc.array(action(troubles), { minLength: 1, maxLength: 24, size: 'max' }),
      })
      // A memory does not fail either.
      .map((scenario) =>
        scenario.durability === 'fsynced'
          ? scenario
          : { ...scenario, actions: scenario.actions.filter((some) => some.do !== 'store') },
      )
  );
}

/** Scenarios of every kind that a property is tried with; each has a file in `test/property/`, and the soak runs them all. */
export const themes = {
  oneProcess: scenarios(),
  crashes: scenarios({ crashes: true }),
  twoProcesses: scenarios({ processes: 2, crashes: true }),
  dataLoss: scenarios({ rollbacks: true, crashes: true }),
  ordering: scenarios({ ordered: true, crashes: true }),
} as const;
