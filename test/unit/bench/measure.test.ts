import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { keepCalling } from '../../../bench/measure/keep-calling.js';
import { inRounds } from '../../../bench/measure/rounds.js';

it('keeps as many calls under way as there are callers', async () => {
  let underWay = 0;
  let most = 0;
  let settled = 0;
  const calls = await keepCalling(
    async () => {
      underWay += 1;
      most = Math.max(most, underWay);
      await turn();
      underWay -= 1;
      settled += 1;
    },
    7,
    30,
  );
  expect(most).toBe(7);
  expect(settled, 'nothing is under way any more').toBe(calls.count);
  expect(calls.count).toBeGreaterThan(7);
});

it('ends also when calls never leave the present turn of the event loop', async () => {
  const startedAt = performance.now();
  const { count, perSecond } = await keepCalling(() => Promise.resolve(), 4, 20);
  const tookMs = performance.now() - startedAt;
  expect(tookMs).toBeGreaterThanOrEqual(20);
  expect(perSecond).toBeGreaterThanOrEqual((count / tookMs) * 1000);
});

it('gives what a call rejects with', async () => {
  await expect(keepCalling(() => Promise.reject(new Error('refused')), 2, 20)).rejects.toThrow('refused');
});

it('measures each contestant once a round, and begins each round with another', async () => {
  const order: string[] = [];
  const samples = await inRounds(['a', 'b', 'c'], 3, async (contestant, round) => {
    order.push(contestant);
    return `${contestant}${round}`;
  });
  expect(order.join('')).toBe('abcbcacab');
  expect(samples.get('b')).toEqual(['b0', 'b1', 'b2']);
});
