import { type Clock, systemClock } from '../../clock/clock.js';

/** Options of an `LmdbBackupStore`. */
export interface LmdbBackupOptions {
  /**
   * The folder for the backup's files, on a disk of this machine that outlives the process. Made, with mode 0700, if it is not
   * there. Several queues, processes and threads may use one folder; processes in different containers only if these share
   * their process ids.
   */
  readonly path: string;
  /** Whose `now()` leases are timed by: it must be one that all processes on this folder agree on. @default the machine's clock */
  readonly clock?: Clock | undefined;
}

/** Options with every default in place. */
export interface ResolvedLmdbOptions {
  readonly path: string;
  readonly clock: Clock;
}

const known = ['path', 'clock'];
const MAX_PATH_BYTES = 4000;

/** Checks `options` and fills in the defaults. Throws `TypeError` or `RangeError` naming option, expectation and value. */
export function resolveLmdbOptions(options: LmdbBackupOptions): ResolvedLmdbOptions {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`The options must be an object with "path", got ${describe(options)}.`);
  }
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) {
      throw new TypeError(`Unknown option "${name}"; the options are ${known.join(', ')}.`);
    }
  }
  return { path: resolvePath(options.path), clock: resolveClock(options.clock) };
}

function resolvePath(path: unknown): string {
  const expected = 'Option "path" must be the path of a folder';
  if (typeof path !== 'string') throw new TypeError(`${expected}, got ${describe(path)}.`);
  if (path === '') throw new RangeError(`${expected}, got an empty string.`);
  if (path.includes('\0')) throw new RangeError(`${expected}, got one with a zero character.`);
  const bytes = Buffer.byteLength(path);
  if (bytes > MAX_PATH_BYTES) {
    throw new RangeError(`${expected} of at most ${MAX_PATH_BYTES} bytes, got ${bytes} bytes.`);
  }
  return path;
}

function resolveClock(clock: unknown): Clock {
  if (clock === undefined) return systemClock;
  const now = typeof clock === 'object' && clock !== null && 'now' in clock ? clock.now : undefined;
  if (typeof now !== 'function') {
    throw new TypeError(`Option "clock" must have a method now(), got ${describe(clock)}.`);
  }
  return clock as Clock;
}

function describe(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'object') return `an object (${value.constructor?.name ?? 'without prototype'})`;
  if (typeof value === 'string') return 'a string';
  if (typeof value === 'function') return 'a function';
  return String(value);
}
