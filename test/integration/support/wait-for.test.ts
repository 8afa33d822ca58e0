import { expect, it } from 'vitest';
import { waitFor } from '../../support/wait-for.js';

it('resolves with the first truthy value, looking past errors', async () => {
  let looks = 0;
  const look = () => {
    looks++;
    if (looks === 1) throw new Error('too early');
    return looks === 2 ? Promise.reject(new Error('still')) : looks > 3 && `look ${looks}`;
  };
  expect(await waitFor(look, { what: 'a look', everyMs: 1 })).toBe('look 4');
});

it('names what it waited for and the last value', async () => {
  const waiting = waitFor(() => 0, { what: 'the backlog', timeoutMs: 30 });
  await expect(waiting).rejects.toThrow('Waited 30 ms for the backlog: the last value was 0');
});

it('names the last error, and keeps it as the cause', async () => {
  const cause = new Error('LOADING');
  const waiting = waitFor(() => Promise.reject(cause), { what: 'Redis', timeoutMs: 30 });
  await expect(waiting).rejects.toMatchObject({
    message: 'Waited 30 ms for Redis: the last error was LOADING',
    cause,
  });
});

it('does not wait longer for a condition that never settles', async () => {
  const waiting = waitFor(() => new Promise<never>(() => undefined), { what: 'a hung call', timeoutMs: 30 });
  await expect(waiting).rejects.toThrow(
    'Waited 30 ms for a hung call: nothing was seen, and the last look did not settle',
  );
});
