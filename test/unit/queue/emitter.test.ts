import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { QueueEvents } from '../../../src/index.js';
import { Emitter } from '../../../src/queue/emitter.js';

const enqueued: QueueEvents['enqueued'] = { queue: 'q', ids: ['a'] };
const trouble = (kind: QueueEvents['error']['kind'], text = 'boom'): QueueEvents['error'] => ({
  queue: 'q',
  kind,
  error: new Error(text),
});
const settle = () => new Promise(setImmediate);

let warnings: string[];
beforeEach(() => {
  warnings = [];
  vi.spyOn(process, 'emitWarning').mockImplementation((warning, type) => {
    warnings.push(`${String(type)}: ${String(warning)}`);
  });
});
afterEach(() => {
  vi.restoreAllMocks();
});

function makeEmitter() {
  const emitter = new Emitter('q');
  const errors: QueueEvents['error'][] = [];
  return { emitter, errors, listen: () => emitter.on('error', (event) => errors.push(event), false) };
}

describe('on, once and off', () => {
  it('call every listener, in order, with the event', () => {
    const { emitter } = makeEmitter();
    const heard: unknown[] = [];
    emitter.on('enqueued', (event) => heard.push(['first', event]), false);
    emitter.on('enqueued', (event) => heard.push(['second', event]), false);
    emitter.on('backed-up', () => heard.push('other'), false);
    emitter.emit('enqueued', enqueued);
    expect(heard).toEqual([
      ['first', enqueued],
      ['second', enqueued],
    ]);
  });

  it('call a once listener once, also when it emits the event itself', () => {
    const { emitter } = makeEmitter();
    let calls = 0;
    emitter.on(
      'enqueued',
      () => {
        calls += 1;
        if (calls < 5) emitter.emit('enqueued', enqueued);
      },
      true,
    );
    emitter.emit('enqueued', enqueued);
    emitter.emit('enqueued', enqueued);
    expect(calls).toBe(1);
    expect(emitter.has('enqueued')).toBe(false);
  });

  it('stop calling what is taken off, on or once', () => {
    const { emitter } = makeEmitter();
    const listener = vi.fn();
    emitter.on('enqueued', listener, false);
    emitter.off('enqueued', listener);
    emitter.on('enqueued', listener, true);
    emitter.off('enqueued', listener);
    emitter.emit('enqueued', enqueued);
    expect(listener).not.toHaveBeenCalled();
  });

  it('count a listener as often as it was added', () => {
    const { emitter } = makeEmitter();
    const listener = vi.fn();
    emitter.on('enqueued', listener, false);
    emitter.on('enqueued', listener, false);
    emitter.off('enqueued', listener);
    emitter.emit('enqueued', enqueued);
    expect(listener).toHaveBeenCalledTimes(1);
  });

  it.each([
    [true, false],
    [false, true],
  ])('keep apart the same listener added for once (%s) and for good', (isFirstOnce, isSecondOnce) => {
    const { emitter } = makeEmitter();
    const listener = vi.fn();
    emitter.on('enqueued', listener, isFirstOnce);
    emitter.on('enqueued', listener, isSecondOnce);
    const calls = [1, 2, 3].map(() => {
      listener.mockClear();
      emitter.emit('enqueued', enqueued);
      return listener.mock.calls.length;
    });
    expect(calls).toEqual([2, 1, 1]);
  });

  it('take off what was never added without an error', () => {
    const { emitter } = makeEmitter();
    expect(() => emitter.off('enqueued', () => {})).not.toThrow();
  });

  it('refuse what is no function', () => {
    const { emitter } = makeEmitter();
    expect(() => emitter.on('health', undefined as unknown as () => void, false)).toThrow(TypeError);
    expect(emitter.has('health')).toBe(false);
  });

  it('say whether anybody listens', () => {
    const { emitter } = makeEmitter();
    const listener = () => {};
    expect(emitter.has('health')).toBe(false);
    emitter.on('health', listener, false);
    expect(emitter.has('health')).toBe(true);
    emitter.off('health', listener);
    expect(emitter.has('health')).toBe(false);
  });

  it('end with clear', () => {
    const { emitter } = makeEmitter();
    const listener = vi.fn();
    emitter.on('enqueued', listener, false);
    emitter.clear();
    emitter.emit('enqueued', enqueued);
    expect(listener).not.toHaveBeenCalled();
  });
});

describe('a listener that fails', () => {
  const boom = new Error('boom');
  const failures: readonly (readonly [string, () => unknown])[] = [
    [
      'throws',
      () => {
        throw boom;
      },
    ],
    ['rejects', async () => Promise.reject(boom)],
    [
      'returns a thenable that rejects',
      // biome-ignore lint/suspicious/noThenProperty: a promise of another library
      () => ({ then: (_: unknown, reject: (e: unknown) => void) => reject(boom) }),
    ],
    [
      'returns a thenable that throws',
      () => ({
        // biome-ignore lint/suspicious/noThenProperty: a promise of another library
        then() {
          throw boom;
        },
      }),
    ],
  ];

  it.each(failures)('changes nothing but is an error event: it %s', async (_, listener) => {
    const { emitter, errors, listen } = makeEmitter();
    listen();
    const after = vi.fn();
    emitter.on('enqueued', listener, false);
    emitter.on('enqueued', after, false);
    expect(() => emitter.emit('enqueued', enqueued)).not.toThrow();
    await settle();
    expect(after).toHaveBeenCalledTimes(1);
    expect(errors).toEqual([{ queue: 'q', kind: 'listener', error: boom }]);
    expect(warnings).toEqual([]);
  });

  it('is told as an Error whatever it threw', () => {
    const { emitter, errors, listen } = makeEmitter();
    listen();
    emitter.on(
      'enqueued',
      () => {
        throw 'text';
      },
      false,
    );
    emitter.emit('enqueued', enqueued);
    expect(errors[0]?.error).toBeInstanceOf(Error);
  });

  it.each(failures)(
    'of errors is a warning, once, and not called for itself for ever: it %s',
    async (_, listener) => {
      const { emitter } = makeEmitter();
      const calls = vi.fn(listener);
      emitter.on('error', calls, false);
      emitter.emit('error', trouble('backup'));
      emitter.emit('error', trouble('backup'));
      await settle();
      expect(calls).toHaveBeenCalledTimes(2);
      expect(warnings).toEqual(['ResilientQueueWarning: Queue "q" (listener): boom']);
    },
  );
});

describe('an error without a listener', () => {
  it('is a process warning, once a kind', () => {
    const { emitter } = makeEmitter();
    emitter.emit('error', trouble('backup', 'first'));
    emitter.emit('error', trouble('backup', 'second'));
    emitter.emit('error', trouble('auth', 'third'));
    expect(warnings).toEqual([
      'ResilientQueueWarning: Queue "q" (backup): first',
      'ResilientQueueWarning: Queue "q" (auth): third',
    ]);
  });

  it('is none with a listener', () => {
    const { emitter, errors, listen } = makeEmitter();
    listen();
    emitter.emit('error', trouble('backup'));
    expect(errors).toHaveLength(1);
    expect(warnings).toEqual([]);
  });

  it('is one again when the listener is gone', () => {
    const { emitter } = makeEmitter();
    const listener = () => {};
    emitter.on('error', listener, false);
    emitter.off('error', listener);
    emitter.emit('error', trouble('backup'));
    expect(warnings).toHaveLength(1);
  });

  it('is no warning for events that are no errors', () => {
    makeEmitter().emitter.emit('enqueued', enqueued);
    expect(warnings).toEqual([]);
  });
});
