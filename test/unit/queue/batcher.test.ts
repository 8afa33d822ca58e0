import { describe, expect, it } from 'vitest';
import { Batcher } from '../../../src/queue/batcher.js';
import { PendingJob } from '../../../src/queue/pending-job.js';
import { VirtualClock } from '../../simulation/virtual-clock.js';
import { jobRecord } from '../support/job-record.js';

function makeBatcher(maxInFlight = 4) {
  const batches: { readonly ids: string[]; readonly end: () => void }[] = [];
  const givenUp: string[] = [];
  const clock = new VirtualClock();
  let jobs = 0;
  const batcher = new Batcher(
    clock,
    1000,
    maxInFlight,
    (batch) =>
      new Promise((end) => {
        batches.push({ ids: batch.map(({ record }) => record.id), end });
      }),
    (late) => void givenUp.push(...late.map(({ record }) => record.id)),
  );
  return {
    ...{ batcher, batches, givenUp, clock },
    /** Calls of one turn of the event loop. */
    async addInOneTurn(count: number, payload = '1') {
      for (let n = 0; n < count; n++)
        batcher.add(new PendingJob(jobRecord({ id: String(jobs++), payload }), clock.monotonicMs(), false));
      await new Promise(setImmediate);
    },
    async end(...numbers: number[]) {
      for (const number of numbers) batches[number]?.end();
      await new Promise(setImmediate);
    },
    sizes: () => batches.map(({ ids }) => ids.length),
    ids: () => batches.flatMap(({ ids }) => ids).map(Number),
  };
}
const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);

describe('the calls of one turn', () => {
  it.each([
    [1, [1]],
    [32, [32]],
    [33, [32, 1]],
    [100, [32, 32, 32, 4]],
    [128, [32, 32, 32, 32]],
    [256, [64, 64, 64, 64]],
    [257, [65, 64, 64, 64]],
    [1024, [256, 256, 256, 256]],
  ])('are shared out among the batches that may be under way: %i', async (count, sizes) => {
    const { addInOneTurn, sizes: sent, ids } = makeBatcher();
    await addInOneTurn(count);
    expect(sent()).toEqual(sizes);
    expect(ids()).toEqual(upTo(count));
  });

  it('are cut at 256 jobs, and the rest goes as soon as there is room', async () => {
    const { addInOneTurn, sizes, ids, end } = makeBatcher();
    await addInOneTurn(1500);
    expect(sizes()).toEqual([256, 256, 256, 256]);
    await end(1);
    expect(sizes()).toEqual([256, 256, 256, 256, 256]);
    await end(0, 2);
    expect(sizes()).toEqual([256, 256, 256, 256, 256, 220]);
    expect(ids()).toEqual(upTo(1500));
  });

  it('are one batch where only one may be under way', async () => {
    const { addInOneTurn, sizes, ids, end } = makeBatcher(1);
    await addInOneTurn(200);
    await addInOneTurn(300);
    expect(sizes()).toEqual([200]);
    await end(0);
    expect(sizes()).toEqual([200, 256]);
    await end(1);
    expect(sizes()).toEqual([200, 256, 44]);
    expect(ids()).toEqual(upTo(500));
  });

  it('leave room to those of the next turns', async () => {
    const { addInOneTurn, sizes } = makeBatcher();
    await addInOneTurn(1);
    await addInOneTurn(1);
    await addInOneTurn(200);
    expect(sizes()).toEqual([1, 1, 100, 100]);
    await addInOneTurn(7);
    expect(sizes()).toHaveLength(4);
  });

  it('are cut at a mebibyte, also within a share', async () => {
    const { addInOneTurn, sizes } = makeBatcher(2);
    await addInOneTurn(6, JSON.stringify('x'.repeat(300 * 1024)));
    expect(sizes()).toEqual([3, 3]);
  });

  it('are cut smaller after a timeout, and grow again with each answer', async () => {
    const { batcher, addInOneTurn, sizes, end } = makeBatcher();
    for (let n = 0; n < 4; n++) batcher.limits.halve();
    await addInOneTurn(60);
    expect(sizes()).toEqual([16, 16, 16, 12]);
    await end(0, 1, 2, 3);
    for (let n = 0; n < 9; n++) batcher.limits.double();
    await addInOneTurn(60);
    expect(sizes().slice(4)).toEqual([32, 28]);
  });

  it('are given up in the line at their deadline', async () => {
    const { addInOneTurn, givenUp, clock, end, sizes } = makeBatcher(1);
    await addInOneTurn(1);
    await addInOneTurn(3);
    await clock.advance(999);
    expect(givenUp).toEqual([]);
    await clock.advance(1);
    expect(givenUp).toEqual(['1', '2', '3']);
    await end(0);
    expect(sizes()).toEqual([1]);
  });
});
