import { type Clock, systemClock } from '../clock/clock.js';

// Each throws a TypeError or RangeError that names the option, what is expected and what was given.

/** A whole number from `min` to `max`. */
export function integer(name: string, value: unknown, fallback: number, min: number, max: number): number {
  if (value === undefined) return fallback;
  const expected = `Option "${name}" must be a whole number from ${min} to ${max}`;
  if (typeof value !== 'number') throw new TypeError(`${expected}, got ${describe(value)}.`);
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`${expected}, got ${value}.`);
  }
  return value;
}

export function boolean(name: string, value: unknown, fallback: boolean): boolean {
  if (value === undefined) return fallback;
  if (typeof value !== 'boolean') {
    throw new TypeError(`Option "${name}" must be true or false, got ${describe(value)}.`);
  }
  return value;
}

/** The given clock, or the machine's. */
export function clockOption(clock: unknown): Clock {
  if (clock === undefined) return systemClock;
  for (const name of ['now', 'monotonicMs', 'setTimeout', 'clearTimeout']) method('clock', clock, name);
  return clock as Clock;
}

/** Throws a `TypeError` for what is no object, or has something else in it than the `known` options. */
export function checkOptions(of: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`The options of ${of} must be an object, got ${describe(options)}.`);
  }
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const those = known.length === 1 ? 'the only option is' : 'the options are';
    throw new TypeError(`Unknown option "${name}"; ${those} ${known.join(', ')}.`);
  }
}

/** Throws a `TypeError` for what is given as a signal and is none. */
export function checkSignal(signal: unknown): void {
  if (signal === undefined) return;
  for (const name of ['throwIfAborted', 'addEventListener', 'removeEventListener']) {
    method('signal', signal, name);
  }
}

export function method(option: string, value: unknown, name: string): void {
  const found =
    typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
  if (typeof found !== 'function') {
    throw new TypeError(`Option "${option}" must have a method ${name}(), got ${describe(value)}.`);
  }
}

/** What was given, without what it holds: a client's options have a password in them. */
export function describe(value: unknown): string {
  if (value === null) return 'null';
  // A string may be a URL with a password in it; a plain word is none.
  if (typeof value === 'string') return /^[\w-]{0,20}$/.test(value) ? JSON.stringify(value) : 'a string';
  if (typeof value === 'object') return `an object (${value.constructor?.name ?? 'without prototype'})`;
  if (typeof value === 'function') return 'a function';
  return String(value);
}
