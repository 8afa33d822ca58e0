import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { systemClock } from '../../../src/clock/clock.js';
import { Timeouts } from '../../../src/policy/timeouts.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const now = () => systemClock.monotonicMs();

it('calls back when the time is up, and not before', async () => {
  const timeouts = new Timeouts(systemClock);
  const onTimeout = vi.fn();
  timeouts.start(now(), 400, onTimeout);
  await vi.advanceTimersByTimeAsync(398);
  expect(onTimeout).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(3);
  expect(onTimeout).toHaveBeenCalledOnce();
  expect(vi.getTimerCount()).toBe(0);
});

it('does not call back what has ended, and says whether it was in time', async () => {
  const timeouts = new Timeouts(systemClock);
  const onTimeout = vi.fn();
  const early = timeouts.start(now(), 400, onTimeout);
  const late = timeouts.start(now(), 100, () => {});
  expect(timeouts.end(early)).toBe(true);
  await vi.advanceTimersByTimeAsync(1000);
  expect(onTimeout).not.toHaveBeenCalled();
  expect(timeouts.end(late)).toBe(false);
});

it('keeps each of several limits, whatever their order', async () => {
  const timeouts = new Timeouts(systemClock);
  const startedAt = now();
  const calls: string[] = [];
  const note = (name: string) => () => calls.push(`${name} after ${Math.round(now() - startedAt)}`);
  timeouts.start(startedAt, 1000, note('long'));
  timeouts.start(startedAt, 200, note('short'));
  await vi.advanceTimersByTimeAsync(150);
  timeouts.start(now(), 400, note('middle'));
  await vi.advanceTimersByTimeAsync(1500);
  expect(calls.map((call) => call.split(' ')[0])).toEqual(['short', 'middle', 'long']);
  const ms = calls.map((call) => Number(call.split(' ')[2]));
  expect(ms[0]).toBeGreaterThanOrEqual(199);
  expect(ms[0]).toBeLessThanOrEqual(203);
  expect(ms[1]).toBeLessThanOrEqual(553);
  expect(ms[2]).toBeLessThanOrEqual(1003);
});

it('sets one timer for any number of limits that end in time', async () => {
  const set = vi.spyOn(globalThis, 'setTimeout');
  const timeouts = new Timeouts(systemClock);
  for (let i = 0; i < 1000; i++) timeouts.end(timeouts.start(now(), 400, () => {}));
  expect(set).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(1000);
  expect(vi.getTimerCount()).toBe(0);
  set.mockRestore();
});

it('lets an answer win that is there when a blocked event loop goes on', async () => {
  const timeouts = new Timeouts(systemClock);
  const onTimeout = vi.fn();
  const timeout = timeouts.start(now(), 400, onTimeout);
  vi.advanceTimersToNextTimer(); // sockets are read between a timer and the callbacks of setImmediate
  expect(timeouts.end(timeout)).toBe(true);
  await vi.advanceTimersByTimeAsync(10);
  expect(onTimeout).not.toHaveBeenCalled();
});

it('leaves no timer behind when it is stopped', () => {
  const timeouts = new Timeouts(systemClock);
  timeouts.start(now(), 400, () => {});
  timeouts.stop();
  expect(vi.getTimerCount()).toBe(0);
});
