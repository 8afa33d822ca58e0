import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { FillRate } from '../../../src/health/fill-rate.js';
import { createHealth } from '../../../src/health/index.js';
import { VirtualClock } from '../../simulation/virtual-clock.js';
import { ScriptedQueue } from '../support/scripted-queue.js';

const SECOND = 1000;

/** A queue whose backup is looked at after each step. */
function open(capacity: number) {
  const clock = new VirtualClock();
  const queue = new ScriptedQueue();
  queue.capacity = capacity;
  queue.status = 'degraded';
  const health = createHealth(queue, { clock, cacheMs: 0 });
  return async (afterMs: number, pending: number) => {
    await clock.advance(afterMs);
    queue.pending = pending;
    const { queues } = await health.check('readiness');
    return { jobsLeft: queues[0]?.backup?.jobsLeft, secondsUntilFull: queues[0]?.backup?.secondsUntilFull };
  };
}

it('says how many jobs are left, and how long that lasts at the present rate', async () => {
  const look = open(1000);
  expect(await look(0, 0)).toEqual({ jobsLeft: 1000, secondsUntilFull: undefined });
  expect(await look(10 * SECOND, 100)).toEqual({ jobsLeft: 900, secondsUntilFull: 90 });
  expect(await look(10 * SECOND, 400)).toEqual({ jobsLeft: 600, secondsUntilFull: 30 });
  expect(await look(10 * SECOND, 1000)).toEqual({ jobsLeft: 0, secondsUntilFull: 0 });
  // Nothing is added to it any more.
  for (let minute = 0; minute < 3; minute++) {
    expect(await look(60 * SECOND, 1000)).toEqual({ jobsLeft: 0, secondsUntilFull: 0 });
  }
});

it('says of one that was full when it was first looked at that no time is left', async () => {
  expect(await open(1000)(0, 1000)).toEqual({ jobsLeft: 0, secondsUntilFull: 0 });
});

it('goes by the last minute', async () => {
  const look = open(10_000);
  await look(0, 0);
  await look(60 * SECOND, 6000); // 100 a second
  await look(60 * SECOND, 6060); // 1 a second
  expect(await look(10 * SECOND, 6070)).toEqual({ jobsLeft: 3930, secondsUntilFull: 3930 });
});

it('compares with the look before when looks are rarer than that', async () => {
  const look = open(1000);
  await look(0, 0);
  await look(600 * SECOND, 0);
  expect(await look(600 * SECOND, 600)).toEqual({ jobsLeft: 400, secondsUntilFull: 400 });
});

it('says nothing of a backup that does not fill', async () => {
  const look = open(1000);
  await look(0, 500);
  expect(await look(10 * SECOND, 500)).toEqual({ jobsLeft: 500, secondsUntilFull: undefined });
});

it('begins anew when the backlog shrinks', async () => {
  const look = open(1000);
  await look(0, 0);
  expect(await look(10 * SECOND, 900)).toEqual({ jobsLeft: 100, secondsUntilFull: 1 });
  expect(await look(10 * SECOND, 500)).toEqual({ jobsLeft: 500, secondsUntilFull: undefined });
  expect(await look(10 * SECOND, 510)).toEqual({ jobsLeft: 490, secondsUntilFull: 490 });
});

it('makes no rate of what happened within a second', async () => {
  const look = open(1000);
  await look(0, 0);
  expect(await look(SECOND - 1, 500)).toEqual({ jobsLeft: 500, secondsUntilFull: undefined });
  expect(await look(1, 500)).toEqual({ jobsLeft: 500, secondsUntilFull: 1 });
});

it('leaves nothing of a backup that holds more than it may', async () => {
  const look = open(10);
  await look(0, 0);
  expect(await look(10 * SECOND, 12)).toEqual({ jobsLeft: 0, secondsUntilFull: 0 });
});

it('leaves nothing of a backup that refuses, however few jobs it has', async () => {
  const queue = Object.assign(new ScriptedQueue(), { status: 'down', pending: 10 });
  const { queues } = await createHealth(queue).check('readiness');
  expect(queues[0]?.backup).toMatchObject({ pending: 10, capacity: 100, jobsLeft: 0, secondsUntilFull: 0 });
});

it('goes by the last minute also when it is looked at all the time, and keeps no more for it', () => {
  const collect = garbageCollector();
  const rate = new FillRate();
  let at = 0;
  const look = (seconds: number, jobsEach: number, pending: number) => {
    for (let n = 1; n <= seconds * 10_000; n++) {
      at += 0.1;
      rate.saw(Math.floor(pending + (n / 10_000) * jobsEach), at);
    }
  };
  collect();
  const before = process.memoryUsage().heapUsed;
  look(40, 1000, 0);
  collect();
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(2 ** 20);
  expect(Math.abs((rate.secondsUntilFull(100_000) ?? 0) - 100)).toBeLessThanOrEqual(2);
  look(62, 10, 40_000);
  expect(Math.abs((rate.secondsUntilFull(1000) ?? 0) - 100)).toBeLessThanOrEqual(2);
});

function garbageCollector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}
