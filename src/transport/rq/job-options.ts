import { type JsonValue, pythonProblem } from './python-value.js';

/** `options.transport` of a job for RQ's workers. */
export interface RqJobOptions {
  /** The longest the function may run, 1 to 2^31 - 1; -1: as long as it takes. @default 180, as RQ's */
  readonly timeoutSeconds?: number | undefined;
  /**
   * Counted from `enqueue()`: a job that no worker has begun by then is never run. In the backup it is dropped, and reported
   * (`expired`); in RQ it expires silently, as RQ's own do. With `runAt` it has to end after that, and what is left then begins when
   * RQ's scheduler puts the job in line: a scheduler that comes late lets it run later. 1 to 2^31 - 1. @default none
   */
  readonly ttlSeconds?: number | undefined;
  /** How long the result is kept; 0: not at all, -1: for ever. @default the worker's, 500 */
  readonly resultTtlSeconds?: number | undefined;
  /** How long a failed job is kept; 0: not at all, -1: for ever. @default RQ's, a year */
  readonly failureTtlSeconds?: number | undefined;
  /** What RQ's tools and the worker's log call the job, 1 to 1000 characters. @default the job's name */
  readonly description?: string | undefined;
  /** Tries after the first, `max` 1 to 1000; a list of intervals is used in turn. A worker with a scheduler has to wait for them. @default none */
  readonly retry?:
    | { readonly max: number; readonly intervalSeconds?: number | readonly number[] | undefined }
    | undefined;
  /** What the function finds in `job.meta`, at most 64 KiB of JSON. @default none */
  readonly meta?: { readonly [key: string]: unknown } | undefined;
  /** Stands before the jobs that wait, also with `ordering: 'queue'`. @default false */
  readonly atFront?: boolean | undefined;
}

/** Beyond it Python's alarm() overflows; 68 years. */
const MAX_SECONDS = 2 ** 31 - 1;
const MAX_RETRIES = 1000;
const MAX_DESCRIPTION = 1000;
const MAX_META_BYTES = 64 * 1024;

type Check = (value: unknown, option: string, given: unknown) => string | undefined;

const checks: Readonly<Record<keyof RqJobOptions, Check>> = {
  timeoutSeconds: (value, option) => secondsProblem(value, option, 1, true),
  ttlSeconds: (value, option) => secondsProblem(value, option, 1, false),
  resultTtlSeconds: (value, option) => secondsProblem(value, option, 0, true),
  failureTtlSeconds: (value, option) => secondsProblem(value, option, 0, true),
  description(value, option) {
    if (
      typeof value === 'string' &&
      value !== '' &&
      value.length <= MAX_DESCRIPTION &&
      value.isWellFormed()
    ) {
      return undefined;
    }
    return `${option} must be 1 to ${MAX_DESCRIPTION} characters of valid Unicode`;
  },
  retry: retryProblem,
  meta: metaProblem,
  atFront: (value, option) => (typeof value === 'boolean' ? undefined : `${option} must be true or false`),
};

/**
 * Why `options` are none that can be honoured, naming the one that is not; undefined when they are. They are what JSON made of those
 * that were `given`.
 */
export function optionsProblem(options: unknown, given: unknown): string | undefined {
  if (!isObject(options)) return 'options.transport must be an object';
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(checks, name)) {
      return `options.transport.${name} is no option of RqTransport; there are ${Object.keys(checks).join(', ')}`;
    }
    const option = name as keyof RqJobOptions;
    const problem = checks[option](value, `options.transport.${name}`, (given as RqJobOptions)[option]);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function secondsProblem(value: unknown, option: string, min: number, mayBeEver: boolean): string | undefined {
  if (isWhole(value, min, MAX_SECONDS) || (mayBeEver && value === -1)) return undefined;
  return `${option} must be a whole number from ${min} to ${MAX_SECONDS}${mayBeEver ? ', or -1' : ''}`;
}

function retryProblem(value: unknown, option: string): string | undefined {
  if (!isObject(value)) return `${option} must be { max, intervalSeconds? }`;
  const { max, intervalSeconds = 0, ...others } = value;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) return `${option}.${unknown} is no option; there are max and intervalSeconds`;
  if (!isWhole(max, 1, MAX_RETRIES)) return `${option}.max must be a whole number from 1 to ${MAX_RETRIES}`;
  const intervals: readonly unknown[] = Array.isArray(intervalSeconds) ? intervalSeconds : [intervalSeconds];
  if (isWhole(intervals.length, 1, MAX_RETRIES) && intervals.every((some) => isWhole(some, 0, MAX_SECONDS))) {
    return undefined;
  }
  return `${option}.intervalSeconds must be a whole number from 0 to ${MAX_SECONDS}, or 1 to ${MAX_RETRIES} of them`;
}

function metaProblem(value: unknown, option: string, given: unknown): string | undefined {
  if (!isObject(value)) return `${option} must be an object`;
  if (Buffer.byteLength(JSON.stringify(value)) > MAX_META_BYTES) {
    return `${option} must be at most ${MAX_META_BYTES} bytes of JSON`;
  }
  return pythonProblem(value as JsonValue, given, option);
}

function isWhole(value: unknown, min: number, max: number): value is number {
  return Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
