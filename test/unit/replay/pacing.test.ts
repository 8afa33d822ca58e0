import { describe, expect, it } from 'vitest';
import { Pacing } from '../../../src/replay/pacing.js';

const SLOW_MS = 200;
const make = (maxJobs = 256) => new Pacing(maxJobs, SLOW_MS);

/** The batch sizes after each of `steps`. */
function sizes(pacing: Pacing, steps: readonly (number | 'failed')[]): number[] {
  return steps.map((step) => {
    if (step === 'failed') pacing.failed();
    else pacing.answered(step);
    return pacing.jobs;
  });
}

describe('the batch', () => {
  it('begins small: Redis has just come up', () => {
    expect(make().jobs).toBe(16);
  });

  it('never is over the most it may be', () => {
    expect(make(5).jobs).toBe(5);
    expect(sizes(make(5), [1, 1])).toEqual([5, 5]);
    expect(sizes(make(100), [1, 1, 1, 1])).toEqual([32, 64, 100, 100]);
  });

  it('doubles with each quick answer, and halves with a slow one', () => {
    expect(sizes(make(), [1, SLOW_MS, SLOW_MS + 1, 1, SLOW_MS + 1, SLOW_MS + 1])).toEqual([
      32, 64, 32, 64, 32, 16,
    ]);
  });

  it('halves with each failure down to one job, which says whose the failure is', () => {
    expect(sizes(make(), ['failed', 'failed', 'failed', 'failed', 'failed', 'failed', 1])).toEqual([
      8, 4, 2, 1, 1, 1, 2,
    ]);
  });
});

describe('the breadth', () => {
  const atFullSpeed = () => {
    const pacing = make(64);
    sizes(pacing, [1, 1]);
    return pacing;
  };

  it('grows with what is left to replay', () => {
    const breadths = [1, 128, 129, 1024, 1025, 1_000_000].map((left) => atFullSpeed().breadth(left));
    const [one, two, four] = [
      { lanes: 1, batches: 1 },
      { lanes: 2, batches: 1 },
      { lanes: 4, batches: 4 },
    ];
    expect(breadths).toEqual([one, one, two, two, four, four]);
  });

  it('is narrow until the batches are as large as they may be, and again after a failure', () => {
    const pacing = make(64);
    expect(pacing.breadth(1_000_000)).toEqual({ lanes: 1, batches: 1 });
    sizes(pacing, [1, 1]);
    expect(pacing.breadth(1_000_000)).toEqual({ lanes: 4, batches: 4 });
    pacing.failed();
    expect(pacing.breadth(1_000_000)).toEqual({ lanes: 1, batches: 1 });
  });
});

describe('the next replay', () => {
  it('begins small again, and without the pauses of the last', () => {
    const pacing = make();
    sizes(pacing, [1, 1, 1]);
    pacing.pauseMs(1, false, false);
    pacing.begin();
    expect(pacing.jobs).toBe(16);
    expect(pacing.pauseMs(1, false, false)).toBe(100);
  });

  it('begins not larger than what failed last', () => {
    const pacing = make();
    sizes(pacing, ['failed', 'failed']);
    pacing.begin();
    expect(pacing.jobs).toBe(4);
  });
});

describe('the pause', () => {
  it('is none while jobs move and nobody else wants Redis', () => {
    expect(make().pauseMs(500, true, false)).toBe(0);
  });

  it('leaves live traffic as much time as replay took, 200 ms at most', () => {
    expect(make().pauseMs(0, true, true)).toBe(0);
    expect(make().pauseMs(7, true, true)).toBe(7);
    expect(make().pauseMs(3000, true, true)).toBe(200);
  });

  it('doubles up to 5 s while no job moves, whether Redis is busy or not', () => {
    const pacing = make();
    const pauses = Array.from({ length: 9 }, (_, n) => pacing.pauseMs(1, false, n % 2 === 0));
    expect(pauses).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
  });

  it('begins anew once a job has moved', () => {
    const pacing = make();
    for (let i = 0; i < 5; i++) pacing.pauseMs(1, false, false);
    expect(pacing.pauseMs(1, true, false)).toBe(0);
    expect(pacing.pauseMs(1, false, false)).toBe(100);
  });

  it('does not grow with failed batches of a lease of which others moved', () => {
    const pacing = make();
    for (let i = 0; i < 5; i++) pacing.failed();
    expect(pacing.pauseMs(1, true, false)).toBe(0);
  });

  it('stays finite after any number of passes', () => {
    const pacing = make();
    for (let i = 0; i < 5000; i++) pacing.pauseMs(1, false, false);
    expect(pacing.pauseMs(1, false, false)).toBe(5000);
  });
});
