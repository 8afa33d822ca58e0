import type { AddOptions, BullMqQueue } from './bullmq-queue.js';

/**
 * `options.transport` of a job for BullMQ's workers: those of the options of your queue's `add()` with which a job sent again is still
 * one job.
 */
export type BullMqJobOptions<Q extends BullMqQueue> = Pick<
  AddOptions<Q>,
  Extract<keyof AddOptions<Q>, Honoured>
>;

type Honoured =
  | 'attempts'
  | 'backoff'
  | 'keepLogs'
  | 'lifo'
  | 'priority'
  | 'removeOnComplete'
  | 'removeOnFail'
  | 'sizeLimit'
  | 'stackTraceLimit'
  | 'telemetry'
  | 'timestamp';

/** The largest that BullMQ takes. */
const MAX_PRIORITY = 2 ** 21 - 1;

type Check = (value: unknown) => string | undefined;

const asBullMqTakesIt: Check = () => undefined;

// BullMQ refuses a whole batch for one job, so what it would refuse has to be found before. The rest is as it takes it.
const checks: Readonly<Record<Honoured, Check>> = {
  attempts: countProblem,
  backoff: backoffProblem,
  keepLogs: countProblem,
  lifo: asBullMqTakesIt,
  priority: wholeProblem(0, MAX_PRIORITY),
  removeOnComplete: asBullMqTakesIt,
  removeOnFail: asBullMqTakesIt,
  sizeLimit: countProblem,
  stackTraceLimit: countProblem,
  telemetry: asBullMqTakesIt,
  timestamp: wholeProblem(1, Number.MAX_SAFE_INTEGER),
};

const ofFlows = 'it belongs to the children of a flow, which are added together with their parent';

const refused: Readonly<Record<string, string>> = {
  jobId: 'give options.id',
  delay: 'give options.runAt, which stays what it is when the job is replayed later',
  deduplication: 'the transport knows a job that comes again by its own',
  debounce: 'the transport knows a job that comes again by its deduplication',
  parent: ofFlows,
  failParentOnFailure: ofFlows,
  continueParentOnFailure: ofFlows,
  ignoreDependencyOnFailure: ofFlows,
  removeDependencyOnFailure: ofFlows,
  repeat: 'use upsertJobScheduler(), which may be called again',
  repeatJobKey: 'it belongs to repeated jobs',
  prevMillis: 'it belongs to repeated jobs',
};

/** Why one of BullMQ's options cannot be had; undefined for any other. */
export function reasonToRefuse(option: string): string | undefined {
  return Object.hasOwn(refused, option) ? refused[option] : undefined;
}

/** Why `options`, as they were given, cannot be honoured, naming the one that cannot; undefined when they can. */
export function optionsProblem(options: unknown): string | undefined {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    return 'options.transport must be an object';
  }
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    const why = reasonToRefuse(name);
    if (why !== undefined) return `BullMQ's option "${name}" cannot be given: ${why}`;
    if (!Object.hasOwn(checks, name)) {
      return `"${name}" is no option of BullMqTransport; there are ${Object.keys(checks).join(', ')}`;
    }
    const problem = valueProblem(name, value);
    if (problem !== undefined) return `BullMQ's option "${name}" must be ${problem}`;
  }
  return undefined;
}

/** What the value of one of BullMQ's options must be, and is not; undefined for an option that is not known here. */
export function valueProblem(option: string, value: unknown): string | undefined {
  const problem = Object.hasOwn(checks, option) ? checks[option as Honoured](value) : undefined;
  // JSON would make null of others, and Redis, which has to write them, refuses the job when half of it is written.
  return (
    problem ?? (hasOnlyFinite(value) ? undefined : 'of finite numbers: take a large one in place of Infinity')
  );
}

function hasOnlyFinite(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  return typeof value !== 'object' || value === null || Object.values(value).every(hasOnlyFinite);
}

function countProblem(value: unknown): string | undefined {
  const problem = wholeProblem(0, Number.MAX_SAFE_INTEGER)(value);
  return problem && `${problem}, without Infinity`;
}

function wholeProblem(min: number, max: number): Check {
  return (value) =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max
      ? undefined
      : `a whole number from ${min} to ${max}`;
}

function backoffProblem(value: unknown): string | undefined {
  const jitter: unknown = (value as { readonly jitter?: unknown } | null)?.jitter;
  const isRight = jitter === undefined || (typeof jitter === 'number' && jitter >= 0 && jitter <= 1);
  return isRight ? undefined : 'one with a jitter from 0 to 1';
}
