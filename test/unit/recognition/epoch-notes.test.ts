import { expect, it } from 'vitest';
import { EpochNotes } from '../../../src/recognition/epoch-notes.js';
import { FakeClock } from '../support/fake-clock.js';

it('knows an epoch as noted for a minute, and no other', () => {
  const clock = new FakeClock();
  const notes = new EpochNotes(clock);
  expect(notes.isFresh('a')).toBe(false);
  notes.noted(['a', 'b']);
  expect([notes.isFresh('a'), notes.isFresh('b'), notes.isFresh('c')]).toEqual([true, true, false]);
  clock.advance(59_999);
  expect(notes.isFresh('a')).toBe(true);
  notes.noted(['b']);
  clock.advance(1);
  expect([notes.isFresh('a'), notes.isFresh('b')]).toEqual([false, true]);
});

it('forgets them all when Redis may have', () => {
  const notes = new EpochNotes(new FakeClock());
  notes.noted(['a']);
  notes.forget();
  expect(notes.isFresh('a')).toBe(false);
});
