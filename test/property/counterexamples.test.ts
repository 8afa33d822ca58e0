import { expect, test } from 'vitest';
import { happen, recount } from '../simulation/check-scenarios.js';
import type { Scenario } from '../simulation/scenario.js';

// What the property-based tests found, shrunk. The scenarios broke a promise once, and must not do so again.

const smallest: Scenario = {
  seed: 0,
  processes: 1,
  durability: 'fsynced',
  options: {
    deadlineMs: 200,
    attemptTimeoutMs: 80,
    backupDeadlineMs: 300,
    retry: { attempts: 0 },
    breaker: { failures: 1, probeAfterMs: 10, probeMaxMs: 1000 },
    replay: { batchSize: 1, leaseMs: 1000, pollMs: 500 },
    lossWindow: { ms: 1000 },
  },
  actions: [],
};
const rememberingOneJob = { ...smallest.options, lossWindow: { ms: 1000, jobs: 1 } };

async function keepsEveryPromise(scenario: Scenario): Promise<void> {
  const broken = await happen(scenario);
  expect(broken, broken.length > 0 ? await recount(scenario) : '').toEqual([]);
}

test('tells of an expired job that is dropped, although the store does not answer the acknowledgement', async () => {
  await keepsEveryPromise({
    ...smallest,
    actions: [
      { do: 'isolate', by: 0, ms: 100 },
      { do: 'enqueue', by: 0, jobs: [{ expiresInMs: 1 }] },
      { do: 'wait', ms: 50 },
      {
        do: 'store',
        by: 0,
        verdicts: [
          { kind: 'answered', afterMs: 1 },
          { kind: 'slow', effectMs: 1, afterMs: 100, answers: false },
        ],
      },
      { do: 'wait', ms: 60 },
    ],
  });
});

test('drops a job once that is in the backup while a late answer says that Redis has it', async () => {
  await keepsEveryPromise({
    ...smallest,
    actions: [
      { do: 'enqueue', by: 0, jobs: [{ id: 0 }] },
      { do: 'wait', ms: 10 },
      { do: 'stop server', ms: 200 },
      { do: 'enqueue', by: 0, jobs: [{ expiresInMs: 1 }] },
      { do: 'rollback', inFlight: 'dies', strayMs: 1 },
    ],
  });
});

test('says that a job was lost which a late answer, given after the loss, made it forget', async () => {
  await keepsEveryPromise({
    ...smallest,
    options: rememberingOneJob,
    actions: [
      { do: 'enqueue', by: 0, jobs: [{ id: 0 }] },
      { do: 'wait', ms: 10 },
      { do: 'stop server', ms: 200 },
      { do: 'enqueue', by: 0, jobs: [{ expiresInMs: 1 }] },
      { do: 'rollback', inFlight: 'dies', strayMs: 1 },
    ],
  });
});

test('says that a job was lost which it forgot while its witness was under way', async () => {
  await keepsEveryPromise({
    ...smallest,
    options: rememberingOneJob,
    actions: [
      { do: 'enqueue', by: 0, jobs: [{}] },
      { do: 'wait', ms: 10 },
      { do: 'network', by: 0, verdicts: [{ kind: 'swallowed' }] },
      { do: 'rollback', inFlight: 'dies', strayMs: 1 },
      { do: 'enqueue', by: 0, jobs: [{}] },
      { do: 'wait', ms: 10 },
      { do: 'enqueue', by: 0, jobs: [{ expiresInMs: 182 }] },
    ],
  });
});

test('says that a job was lost which was laid down together with one that it remembers', async () => {
  await keepsEveryPromise({
    ...smallest,
    processes: 2,
    options: {
      ...rememberingOneJob,
      deadlineMs: 1000,
      attemptTimeoutMs: 400,
      backupDeadlineMs: 500,
      replay: { batchSize: 256, leaseMs: 1000, pollMs: 500 },
    },
    actions: [
      { do: 'enqueue', by: 1, jobs: [{ id: 0 }] },
      { do: 'network', by: 0, verdicts: [{ kind: 'sent twice', afterMs: 10, againMs: 393 }] },
      { do: 'enqueue', by: 0, jobs: [{}] },
      { do: 'wait', ms: 253 },
      { do: 'rollback', inFlight: 'strays', strayMs: 149 },
      { do: 'isolate', by: 1, ms: 147 },
      { do: 'enqueue', by: 1, jobs: [{}] },
      { do: 'store', by: 0, verdicts: [] },
    ],
  });
});

test('says that jobs were lost, although the attempt that laid them down again had no answer', async () => {
  await keepsEveryPromise({
    ...smallest,
    options: rememberingOneJob,
    actions: [
      { do: 'enqueue', by: 0, jobs: [{ id: 0 }, {}] },
      { do: 'wait', ms: 10 },
      { do: 'rollback', inFlight: 'dies', strayMs: 1 },
      {
        do: 'network',
        by: 0,
        verdicts: [
          { kind: 'answered', afterMs: 1 },
          { kind: 'late', afterMs: 100, ends: 'answered' },
        ],
      },
      { do: 'wait', ms: 1183 },
      { do: 'stop server', ms: 279 },
      { do: 'network', by: 0, verdicts: [] },
    ],
  });
});

test('does not say that a job is nowhere of which a refusal came only the second time that it was sent', async () => {
  await keepsEveryPromise({
    ...smallest,
    actions: [
      { do: 'network', by: 0, verdicts: [{ kind: 'sent twice', afterMs: 1, againMs: 70 }] },
      { do: 'enqueue', by: 0, jobs: [{}] },
      { do: 'wait', ms: 2 },
      { do: 'deny', commands: ['ZADD', 'BITFIELD'] },
      { do: 'wait', ms: 100 },
    ],
  });
});

test('tells once of an expired job that Redis lost, although the store does not answer', async () => {
  await keepsEveryPromise({
    ...smallest,
    actions: [
      { do: 'rollback', inFlight: 'strays', strayMs: 2 },
      { do: 'store', by: 0, verdicts: [{ kind: 'unsure', afterMs: 1, tookEffect: true }] },
      { do: 'enqueue', by: 0, jobs: [{ expiresInMs: 1 }] },
      { do: 'wait', ms: 1002 },
      { do: 'rollback', inFlight: 'dies', strayMs: 0 },
    ],
  });
});

test('tells once of a lost job that was acknowledged twice', async () => {
  await keepsEveryPromise({
    ...smallest,
    options: {
      ...smallest.options,
      retry: { attempts: 1 },
      breaker: { ...smallest.options.breaker, failures: 2 },
    },
    actions: [
      { do: 'stop server', ms: 95 },
      { do: 'rollback', inFlight: 'strays', strayMs: 98 },
      { do: 'enqueue', by: 0, jobs: [{ expiresInMs: 1 }, { abortInMs: 0 }] },
      { do: 'rollback', inFlight: 'dies', strayMs: 0 },
    ],
  });
});

test('says that a job was lost, although what it remembers was laid down again by callers', async () => {
  await keepsEveryPromise({
    ...smallest,
    options: { ...smallest.options, lossWindow: { ms: 1000, jobs: 2 } },
    actions: [
      { do: 'store', by: 0, verdicts: [{ kind: 'unsure', afterMs: 1, tookEffect: false }] },
      { do: 'enqueue', by: 0, jobs: [{}] },
      { do: 'wait', ms: 10 },
      { do: 'enqueue', by: 0, jobs: [{}] },
      { do: 'stop server', ms: 200 },
      { do: 'wait', ms: 200 },
      { do: 'enqueue', by: 0, jobs: [{ id: 2 }, { again: 0 }] },
      { do: 'wait', ms: 1 },
      { do: 'enqueue', by: 0, jobs: [{ id: 2 }, { again: 0 }] },
      { do: 'rollback', inFlight: 'dies', strayMs: 0 },
      { do: 'wait', ms: 500 },
    ],
  });
});

test('counts a lost job that expired while the attempt that laid it down again had no answer', async () => {
  await keepsEveryPromise({
    ...smallest,
    actions: [
      { do: 'enqueue', by: 0, jobs: [{ expiresInMs: 23 }] },
      { do: 'wait', ms: 0 },
      { do: 'enqueue', by: 0, jobs: [{ again: 0 }] },
      {
        do: 'network',
        by: 0,
        verdicts: [
          { kind: 'late', afterMs: 100, ends: 'timeout' },
          { kind: 'answered', afterMs: 1 },
          { kind: 'answered', afterMs: 1 },
          { kind: 'answered', afterMs: 10 },
        ],
      },
      { do: 'wait', ms: 1 },
      { do: 'rollback', inFlight: 'dies', strayMs: 0 },
      { do: 'wait', ms: 31 },
    ],
  });
});

test('takes no job for expired that it has delivered, although the store did not hear of it', async () => {
  const scenario: Scenario = {
    ...smallest,
    actions: [
      { do: 'isolate', by: 0, ms: 100 },
      { do: 'enqueue', by: 0, jobs: [{ expiresInMs: 400 }] },
      { do: 'wait', ms: 99 },
      // The acknowledgement, and what comes after it.
      {
        do: 'store',
        by: 0,
        verdicts: [{ kind: 'answered', afterMs: 0 }, { kind: 'silent' }, { kind: 'silent' }],
      },
      { do: 'wait', ms: 306 },
    ],
  };
  await keepsEveryPromise(scenario);
  expect(await recount(scenario)).not.toContain('event dropped');
});

test('finds a loss although an attempt that was given up lays the witness down again', async () => {
  await keepsEveryPromise({
    ...smallest,
    actions: [
      { do: 'rollback', inFlight: 'strays', strayMs: 94 },
      { do: 'network', by: 0, verdicts: [{ kind: 'sent twice', afterMs: 92, againMs: 100 }] },
      { do: 'enqueue', by: 0, jobs: [{ id: 0 }] },
      { do: 'wait', ms: 0 },
      { do: 'enqueue', by: 0, jobs: [{ again: 0 }] },
    ],
  });
});

test('keeps the order although a predecessor’s last call takes effect after its death', async () => {
  await keepsEveryPromise({
    ...smallest,
    options: {
      ...{ deadlineMs: 1000, attemptTimeoutMs: 400, backupDeadlineMs: 500, retry: { attempts: 0 } },
      ...{ breaker: { failures: 2, probeAfterMs: 10, probeMaxMs: 1000 }, backupLimit: { jobs: 3 } },
      ...{
        replay: { batchSize: 1, leaseMs: 1000, pollMs: 500 },
        lossWindow: { ms: 1000 },
        ordering: 'queue',
      },
    },
    actions: [
      { do: 'network', by: 0, verdicts: [{ kind: 'late', afterMs: 400, ends: 'answered' }] },
      { do: 'enqueue', by: 0, jobs: [{ id: 0 }] },
      { do: 'wait', ms: 38 },
      { do: 'replay', by: 0 },
      { do: 'store', by: 0, verdicts: [{ kind: 'answered', afterMs: 7 }] },
      {
        do: 'store',
        by: 0,
        verdicts: [
          { kind: 'answered', afterMs: 5 },
          { kind: 'slow', effectMs: 41, afterMs: 432, answers: true },
          { kind: 'answered', afterMs: 1 },
        ],
      },
      { do: 'enqueue', by: 0, jobs: [{}, {}] },
      { do: 'wait', ms: 363 },
      { do: 'store', by: 0, verdicts: [{ kind: 'answered', afterMs: 148 }] },
      { do: 'wait', ms: 143 },
      { do: 'crash', by: 0, downMs: 126 },
    ],
  });
});

test('keeps the order although the job behind one that is held back is laid down without an answer', async () => {
  await keepsEveryPromise({
    ...smallest,
    options: {
      ...{ deadlineMs: 100, attemptTimeoutMs: 100, backupDeadlineMs: 1000, retry: { attempts: 0 } },
      ...{ breaker: { failures: 1, probeAfterMs: 10, probeMaxMs: 1000 } },
      ...{
        replay: { batchSize: 3, leaseMs: 1000, pollMs: 500 },
        lossWindow: { ms: 1000 },
        ordering: 'queue',
      },
    },
    actions: [
      { do: 'enqueue', by: 0, jobs: [{}] },
      { do: 'deny', commands: ['TIME'] },
      {
        do: 'network',
        by: 0,
        verdicts: [
          { kind: 'sent twice', afterMs: 10, againMs: 100 },
          { kind: 'answered', afterMs: 1 },
          { kind: 'answered', afterMs: 1 },
          { kind: 'answered', afterMs: 99 },
        ],
      },
      { do: 'enqueue', by: 0, jobs: [{}] },
      { do: 'wait', ms: 3926 },
      { do: 'network', by: 0, verdicts: [] },
    ],
  });
});

test('tells once of an expired job that the store forgets after the queue has given it back', async () => {
  await keepsEveryPromise({
    ...smallest,
    options: {
      ...{ deadlineMs: 200, attemptTimeoutMs: 80, backupDeadlineMs: 300, retry: { attempts: 0 } },
      ...{ breaker: { failures: 1, probeAfterMs: 10, probeMaxMs: 1000 } },
      ...{ replay: { batchSize: 1, leaseMs: 1000, pollMs: 500 }, lossWindow: { ms: 1000 } },
    },
    actions: [
      {
        do: 'store',
        by: 0,
        verdicts: [
          { kind: 'answered', afterMs: 10 },
          { kind: 'slow', effectMs: 302, afterMs: 100, answers: true },
        ],
      },
      { do: 'enqueue', by: 0, jobs: [{ expiresInMs: 1 }, {}] },
      { do: 'isolate', by: 0, ms: 500 },
      { do: 'enqueue', by: 0, jobs: [{ id: 0 }] },
      { do: 'wait', ms: 2820 },
      { do: 'isolate', by: 0, ms: 403 },
    ],
  });
});

test('tells once of an expired job that the store has before it says that it took it', async () => {
  await keepsEveryPromise({
    ...smallest,
    options: {
      ...{ deadlineMs: 1000, attemptTimeoutMs: 400, backupDeadlineMs: 500, retry: { attempts: 0 } },
      ...{ breaker: { failures: 1, probeAfterMs: 10, probeMaxMs: 1000 } },
      ...{ replay: { batchSize: 1, leaseMs: 1000, pollMs: 500 }, lossWindow: { ms: 1000 } },
    },
    actions: [
      { do: 'enqueue', by: 0, jobs: [{ expiresInMs: 1 }] },
      { do: 'network', by: 0, verdicts: [{ kind: 'swallowed' }] },
      {
        do: 'store',
        by: 0,
        verdicts: [
          { kind: 'slow', effectMs: 1, afterMs: 122, answers: true },
          { kind: 'answered', afterMs: 1 },
          { kind: 'failed', afterMs: 1 },
        ],
      },
      { do: 'wait', ms: 0 },
      { do: 'enqueue', by: 0, jobs: [{}] },
      {
        do: 'network',
        by: 0,
        verdicts: [
          { kind: 'reply lost', afterMs: 10, rejects: 'never' },
          { kind: 'answered', afterMs: 10 },
        ],
      },
      { do: 'wait', ms: 500 },
      { do: 'wait', ms: 22 },
      { do: 'enqueue', by: 0, jobs: [{ id: 0 }] },
    ],
  });
});

test('inherits a job of an id that was enqueued twice while the store did not say which it has', async () => {
  await keepsEveryPromise({
    ...smallest,
    options: {
      ordering: 'queue',
      ...{ deadlineMs: 200, attemptTimeoutMs: 80, backupDeadlineMs: 300, retry: { attempts: 0 } },
      ...{ breaker: { failures: 1, probeAfterMs: 10, probeMaxMs: 1000 } },
      ...{ replay: { batchSize: 1, leaseMs: 1000, pollMs: 500 }, lossWindow: { ms: 1000 } },
    },
    actions: [
      { do: 'enqueue', by: 0, jobs: [{ id: 3 }, {}] },
      { do: 'enqueue', by: 0, jobs: [{ id: 3 }, {}] },
      { do: 'store', by: 0, verdicts: [{ kind: 'answered', afterMs: 300 }] },
      { do: 'network', by: 0, verdicts: [{ kind: 'reply lost', afterMs: 1, rejects: 'cut' }] },
      { do: 'wait', ms: 500 },
      { do: 'away', by: 0, ms: 1, isQuiet: false },
    ],
  });
});

test('tells once of an expired job that Redis lost, and that the store kept without saying so', async () => {
  await keepsEveryPromise({
    ...smallest,
    actions: [
      { do: 'enqueue', by: 0, jobs: [{ expiresInMs: 13 }, {}] },
      { do: 'rollback', inFlight: 'strays', strayMs: 2 },
      { do: 'wait', ms: 10 },
      { do: 'deny', commands: ['XADD'] },
      { do: 'store', by: 0, verdicts: [{ kind: 'unsure', afterMs: 1, tookEffect: true }] },
      { do: 'check', by: 0, timeoutMs: 0 },
      { do: 'wait', ms: 500 },
    ],
  });
});

test('tells of an expired job that one loss spared and the next one took', async () => {
  await keepsEveryPromise({
    ...smallest,
    options: {
      ...{ deadlineMs: 200, attemptTimeoutMs: 80, backupDeadlineMs: 300, retry: { attempts: 0 } },
      ...{ breaker: { failures: 1, probeAfterMs: 10, probeMaxMs: 1000 } },
      ...{ replay: { batchSize: 1, leaseMs: 1000, pollMs: 500 }, lossWindow: { ms: 1000 } },
    },
    actions: [
      { do: 'network', by: 0, verdicts: [{ kind: 'sent twice', afterMs: 1, againMs: 100 }] },
      { do: 'wait', ms: 61 },
      { do: 'enqueue', by: 0, jobs: [{ id: 0 }] },
      { do: 'wait', ms: 1 },
      { do: 'network', by: 0, verdicts: [] },
      { do: 'wait', ms: 417 },
      { do: 'enqueue', by: 0, jobs: [{ expiresInMs: 1 }] },
      { do: 'rollback', inFlight: 'dies', strayMs: 0 },
      { do: 'rollback', inFlight: 'strays', strayMs: 527 },
      { do: 'enqueue', by: 0, jobs: [{}] },
    ],
  });
});

test('keeps the order although the process dies while the job behind one that is held back is laid down', async () => {
  await keepsEveryPromise({
    ...smallest,
    options: {
      ordering: 'queue',
      ...{ deadlineMs: 200, attemptTimeoutMs: 80, backupDeadlineMs: 300, retry: { attempts: 0 } },
      ...{ breaker: { failures: 1, probeAfterMs: 10, probeMaxMs: 1000 } },
      ...{ replay: { batchSize: 1, leaseMs: 1000, pollMs: 500 }, lossWindow: { ms: 1000 } },
    },
    actions: [
      { do: 'stop server', ms: 200 },
      { do: 'enqueue', by: 0, jobs: [{ again: 0 }] },
      { do: 'deny', commands: ['BITFIELD'] },
      { do: 'wait', ms: 1103 },
      { do: 'enqueue', by: 0, jobs: [{}] },
      { do: 'wait', ms: 1 },
      { do: 'crash', by: 0, downMs: 200 },
    ],
  });
});

test('tells that more is lost than it remembers, although a late attempt laid down again what it does', async () => {
  await keepsEveryPromise({
    ...smallest,
    options: rememberingOneJob,
    actions: [
      { do: 'network', by: 0, verdicts: [{ kind: 'reply lost', afterMs: 1, rejects: 'cut' }] },
      { do: 'enqueue', by: 0, jobs: [{}] },
      { do: 'wait', ms: 802 },
      { do: 'network', by: 0, verdicts: [] },
      { do: 'enqueue', by: 0, jobs: [{}] },
      {
        do: 'store',
        by: 0,
        verdicts: [
          { kind: 'answered', afterMs: 10 },
          { kind: 'failed', afterMs: 136 },
        ],
      },
      { do: 'wait', ms: 1199 },
      { do: 'rollback', inFlight: 'dies', strayMs: 1 },
      { do: 'stop server', ms: 313 },
      { do: 'network', by: 0, verdicts: [] },
    ],
  });
});

test.each([1, 10])(
  'finds that jobs are lost although an attempt without an answer laid down again the last of them, remembering %s',
  async (jobs) => {
    await keepsEveryPromise({
      ...smallest,
      options: {
        ...smallest.options,
        breaker: { failures: 3, probeAfterMs: 10, probeMaxMs: 1000 },
        lossWindow: { ms: 60_000, jobs },
      },
      actions: [
        { do: 'enqueue', by: 0, jobs: [{}] },
        { do: 'wait', ms: 100 },
        { do: 'isolate', by: 0, ms: 100 },
        { do: 'enqueue', by: 0, jobs: [{}] },
        // The store does not hear that the second one is laid down, and gives it out again.
        {
          do: 'store',
          by: 0,
          verdicts: [
            { kind: 'answered', afterMs: 10 },
            { kind: 'answered', afterMs: 1 },
            { kind: 'failed', afterMs: 136 },
          ],
        },
        { do: 'wait', ms: 345 },
        { do: 'rollback', inFlight: 'dies', strayMs: 1 },
        {
          do: 'network',
          by: 0,
          verdicts: [
            { kind: 'answered', afterMs: 1 },
            { kind: 'reply lost', afterMs: 1, rejects: 'cut' },
            ...Array<{ kind: 'answered'; afterMs: number }>(20).fill({ kind: 'answered', afterMs: 1 }),
          ],
        },
        { do: 'wait', ms: 700 },
        { do: 'network', by: 0, verdicts: [] },
      ],
    });
  },
);

test('tells that more is lost than it remembers, although the oldest that it remembers is there: it was only recognised', async () => {
  await keepsEveryPromise({
    ...smallest,
    options: { ...smallest.options, lossWindow: { ms: 1000, jobs: 2 } },
    actions: [
      { do: 'enqueue', by: 0, jobs: [{}] },
      { do: 'network', by: 0, verdicts: [{ kind: 'answered', afterMs: 81 }] },
      { do: 'wait', ms: 500 },
      {
        do: 'network',
        by: 0,
        verdicts: [
          { kind: 'answered', afterMs: 1 },
          { kind: 'answered', afterMs: 2 },
        ],
      },
      { do: 'enqueue', by: 0, jobs: [{}, { again: 0 }] },
      { do: 'snapshot' },
      { do: 'rollback', inFlight: 'strays', strayMs: 73 },
      { do: 'wait', ms: 72 },
      { do: 'enqueue', by: 0, jobs: [{ id: 0 }] },
    ],
  });
});

test('tells that more is lost than it remembers, although the rest of their batch was laid down again', async () => {
  await keepsEveryPromise({
    ...smallest,
    options: {
      ...smallest.options,
      ...{ replay: { batchSize: 3, leaseMs: 1000, pollMs: 500 }, lossWindow: { ms: 5000, jobs: 1 } },
    },
    actions: [
      { do: 'network', by: 0, verdicts: [{ kind: 'late', afterMs: 100, ends: 'answered' }] },
      { do: 'enqueue', by: 0, jobs: [{ expiresInMs: 92 }] },
      { do: 'enqueue', by: 0, jobs: [{}] },
      { do: 'wait', ms: 80 },
      {
        do: 'store',
        by: 0,
        verdicts: [
          { kind: 'answered', afterMs: 1 },
          { kind: 'unsure', afterMs: 10, tookEffect: false },
        ],
      },
      { do: 'network', by: 0, verdicts: [] },
      { do: 'wait', ms: 500 },
      { do: 'rollback', inFlight: 'dies', strayMs: 0 },
      { do: 'wait', ms: 0 },
    ],
  });
});

test('counts a job once that its caller enqueues again in an append that the store answers too late', async () => {
  await keepsEveryPromise({
    ...smallest,
    options: { ...smallest.options, ordering: 'queue' },
    actions: [
      { do: 'network', by: 0, verdicts: [{ kind: 'sent twice', afterMs: 10, againMs: 100 }] },
      { do: 'enqueue', by: 0, jobs: [{}] },
      { do: 'wait', ms: 500 },
      { do: 'store', by: 0, verdicts: [{ kind: 'answered', afterMs: 150 }] },
      { do: 'enqueue', by: 0, jobs: [...Array.from({ length: 8 }, () => ({})), { again: 0 }, {}] },
      { do: 'wait', ms: 237 },
    ],
  });
});
