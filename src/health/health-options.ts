import type { Clock } from '../clock/clock.js';
import { boolean, checkOptions, clockOption, describe, integer, method } from '../options/option-checks.js';
import type { HealthProbe } from './health-result.js';
import type { QueueStatus } from './queue-status.js';

/**
 * How an answer is written.
 *
 * - `health+json`: `application/health+json` of the IETF draft (draft-inadarei-api-health-check-06), with `checks`.
 * - `simple`: `{ "status": "success" | "error", "message": … }`. The probe `redis` answers 500, not 503, when it fails.
 */
export type HealthFormat = 'health+json' | 'simple';

/** Options of {@link createHealth}. */
export interface HealthOptions {
  /**
   * The most a probe waits for Redis, ms, 1 to 600,000. Kubernetes gives a probe one second by default: half of that leaves time
   * for the way, so that a hung Redis does not take a service down that still takes jobs. @default 500
   */
  readonly timeoutMs?: number | undefined;
  /**
   * How long an answer is given again, ms, 0 to 60,000. A flood of probes then costs Redis four writes a second, and no answer is
   * older than a quarter of the shortest period that Kubernetes knows. @default 250
   */
  readonly cacheMs?: number | undefined;
  /**
   * Adds what is not for strangers: each queue's whole report, with the kind of the last failure, and why a queue could not say.
   * Also then no address, password or payload is in it. @default false
   */
  readonly details?: boolean | undefined;
  /** How answers are written, where nothing else is asked for. @default 'health+json' */
  readonly format?: HealthFormat | undefined;
  /**
   * What `retry-after` says of a 5xx, 1 to 86,400: by default, the longest that a queue takes to look again. @default 5
   */
  readonly retryAfterSeconds?: number | undefined;
  /** @default the machine's clock */
  readonly clock?: Clock | undefined;
}

/** Options with every default in place. */
export interface ResolvedHealthOptions {
  readonly timeoutMs: number;
  readonly cacheMs: number;
  readonly details: boolean;
  readonly format: HealthFormat;
  readonly retryAfterSeconds: number;
  readonly clock: Clock;
}

const defaults = Object.freeze({ timeoutMs: 500, cacheMs: 250, retryAfterSeconds: 5, format: 'health+json' });

const known = ['timeoutMs', 'cacheMs', 'details', 'format', 'retryAfterSeconds', 'clock'];
const probes: readonly unknown[] = ['liveness', 'readiness', 'startup', 'redis'] satisfies HealthProbe[];
const formats: readonly unknown[] = ['health+json', 'simple'] satisfies HealthFormat[];

/** Checks `options` and fills in the defaults. Throws `TypeError` or `RangeError` naming option, expectation and value. */
export function resolveHealthOptions(options: HealthOptions): ResolvedHealthOptions {
  checkOptions('createHealth()', options, known);
  const { retryAfterSeconds } = options;
  return {
    timeoutMs: integer('timeoutMs', options.timeoutMs, defaults.timeoutMs, 1, 600_000),
    cacheMs: integer('cacheMs', options.cacheMs, defaults.cacheMs, 0, 60_000),
    details: boolean('details', options.details, false),
    format: formatOption(options.format, 'health+json'),
    retryAfterSeconds: integer('retryAfterSeconds', retryAfterSeconds, defaults.retryAfterSeconds, 1, 86_400),
    clock: clockOption(options.clock),
  };
}

/** The queues, as a list of one at least. */
export function resolveQueues(queues: QueueStatus | readonly QueueStatus[]): readonly QueueStatus[] {
  const list: readonly QueueStatus[] = Array.isArray(queues) ? [...queues] : [queues];
  if (list.length === 0) throw new RangeError('createHealth() takes one queue at least, got none.');
  for (const queue of list) {
    for (const name of ['check', 'health']) method('queues', queue, name);
    if (typeof queue.name !== 'string') {
      throw new TypeError(`Option "queues" must have a name, got ${describe(queue.name)}.`);
    }
  }
  return list;
}

export function checkProbe(probe: unknown): void {
  const expected = `The probe must be one of ${probes.join(', ')}`;
  if (typeof probe !== 'string') throw new TypeError(`${expected}, got ${describe(probe)}.`);
  if (!probes.includes(probe)) throw new RangeError(`${expected}, got ${describe(probe)}.`);
}

/** A name for what is asked for; undefined where none was given. */
export function textOption<Text extends string>(name: string, value: Text | undefined): Text | undefined {
  if (value === undefined || typeof value === 'string') return value;
  throw new TypeError(`Option "${name}" must be a string, got ${describe(value)}.`);
}

export function formatOption(format: unknown, fallback: HealthFormat): HealthFormat {
  if (format === undefined) return fallback;
  const expected = `Option "format" must be ${formats.map((name) => `"${name}"`).join(' or ')}`;
  if (typeof format !== 'string') throw new TypeError(`${expected}, got ${describe(format)}.`);
  if (!formats.includes(format)) throw new RangeError(`${expected}, got ${describe(format)}.`);
  return format as HealthFormat;
}
