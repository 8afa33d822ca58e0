import { expect, it } from 'vitest';
import { Ledger } from '../../support/ledger.js';
import { runLoad, settleWithin } from '../../support/load.js';

const never = new Promise<never>(() => undefined);

it('offers every job that is due, however slow the calls', async () => {
  const ledger = new Ledger();
  const asked: number[] = [];
  const load = await runLoad({
    ...{ perSecond: 2_000, durationMs: 150, ledger, idOf: (n: number) => `job-${n}` },
    enqueue: (n) => {
      asked.push(n);
      return never;
    },
  });
  expect(load).toEqual({ offered: 300 });
  expect(asked).toEqual(Array.from({ length: 300 }, (_, n) => n));
  expect(ledger.unsettled).toBe(300);
  expect(await settleWithin(ledger, 20)).toBe(false);
});

it('offers steadily, not in one go', async () => {
  const ledger = new Ledger();
  const startedAt = performance.now();
  const times: number[] = [];
  await runLoad({
    ...{ perSecond: 500, durationMs: 200, ledger },
    enqueue: async (n) => {
      times.push(performance.now() - startedAt);
      return { id: `${n}`, outcome: 'enqueued' };
    },
  });
  expect(times).toHaveLength(100);
  const early = times.map((ms, n) => n * 2 - ms);
  expect(Math.max(...early)).toBeLessThan(3);
});

it('ends when aborted, also before it began', async () => {
  const ledger = new Ledger();
  const enqueue = async (n: number) => ({ id: `${n}`, outcome: 'enqueued' });
  const { offered } = await runLoad({ perSecond: 1_000, enqueue, ledger, signal: AbortSignal.timeout(100) });
  expect(offered).toBeGreaterThan(50);
  expect(offered).toBeLessThan(200);
  expect(await runLoad({ perSecond: 1_000, enqueue, ledger, signal: AbortSignal.abort() })).toEqual({
    offered: 0,
  });
});

it('takes a throw of enqueue() for a rejection', async () => {
  const ledger = new Ledger();
  await runLoad({
    ...{ perSecond: 1_000, durationMs: 10, ledger },
    enqueue: () => {
      throw new TypeError('thrown');
    },
  });
  expect(await settleWithin(ledger, 1_000)).toBe(true);
  expect(ledger.summary()).toMatchObject({ rejected: 10, errors: { TypeError: 10 } });
});

it('waits for calls in flight', async () => {
  const ledger = new Ledger();
  void ledger.track(
    'a',
    new Promise((resolve) => setTimeout(() => resolve({ id: 'a', outcome: 'enqueued' }), 40)),
  );
  expect(await settleWithin(ledger, 5_000)).toBe(true);
  expect(ledger.unsettled).toBe(0);
});

it('refuses a load without an end', () => {
  expect(() => runLoad({ perSecond: 1, enqueue: () => never, ledger: new Ledger() })).toThrow(TypeError);
});
