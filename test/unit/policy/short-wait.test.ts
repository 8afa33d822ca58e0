import { afterEach, beforeEach, expect, it, type MockInstance, vi } from 'vitest';
import { ShortWait } from '../../../src/policy/short-wait.js';

// Each turn asks for the next one: those that were asked for are those that were stayed awake for.
let asked: MockInstance<typeof setImmediate>;
const realTurn = setImmediate;
const turns = async (count: number) => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => realTurn(resolve));
};

beforeEach(() => {
  asked = vi.spyOn(globalThis, 'setImmediate');
});
afterEach(() => {
  asked.mockRestore();
});

it('stays awake for 64 turns, and then lets the process sleep', async () => {
  const wait = new ShortWait();
  wait.begin(0.05);
  await turns(200);
  expect(asked).toHaveBeenCalledTimes(64);
  wait.begin(0.05);
  await turns(200);
  expect(asked).toHaveBeenCalledTimes(128);
});

it('ends with the answer', async () => {
  const wait = new ShortWait();
  wait.begin(0.05);
  await turns(3);
  wait.end();
  await turns(100);
  expect(asked.mock.calls.length).toBeLessThan(8);
});

it('is one wait, however many are waited for', async () => {
  const wait = new ShortWait();
  for (let i = 0; i < 10; i++) wait.begin(0.05);
  await turns(200);
  expect(asked).toHaveBeenCalledTimes(64);
});

it.each([undefined, 0.21, 1, 400])('does not stay awake where the last answer took %s ms', async (lastMs) => {
  new ShortWait().begin(lastMs);
  await turns(3);
  expect(asked).not.toHaveBeenCalled();
});
