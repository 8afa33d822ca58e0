import { type ErrorCode, ResilientQueueError } from '../../errors/resilient-queue-error.js';
import type { JobRecord } from '../../job/job-record.js';
import { optionsProblem } from './job-options.js';
import { callOf } from './python-call.js';
import { type JsonValue, pythonProblem } from './python-value.js';
import { ttlEndsAt } from './ttl.js';

/** What every RQ takes: 2.x loses an id with a colon, and 2.10's worker ends at any other character. */
const id = /^[\w-]+$/;
const dotted = /^[\p{XID_Start}_]\p{XID_Continue}*(?:\.[\p{XID_Start}_]\p{XID_Continue}*)+$/u;

/** Throws a {@link ResilientQueueError} for a job that a worker would choke on, lose, or run with other arguments than given. */
export function checkRqJob(job: JobRecord, options: unknown, payload: unknown): void {
  const refuse = (code: ErrorCode, problem: string) => {
    throw new ResilientQueueError(`${problem}.`, { code, fate: 'not-delivered', jobId: job.id });
  };
  if (!dotted.test(job.name)) {
    refuse(
      'NAME_INVALID',
      "The job's name must be a Python function with its module: package.module.function",
    );
  }
  if (!id.test(job.id)) {
    refuse('ID_INVALID', 'options.id must be of letters, digits, "_" and "-" only: RQ loses others');
  }
  const value = JSON.parse(job.payload) as JsonValue;
  if (callOf(value) === undefined || (value === null && payload !== undefined)) {
    refuse(
      'PAYLOAD_INVALID',
      'The payload must be the list of arguments, or { args?: [...], kwargs?: {...} }',
    );
  }
  const problem = readably('payload', () => pythonProblem(value, payload, 'payload'));
  if (problem !== undefined)
    refuse('PAYLOAD_INVALID', `Python would not get the payload as it is: ${problem}`);
  if (options === undefined) return;
  const optionProblem = readably('options.transport', () => optionsProblem(job.transportOptions, options));
  if (optionProblem !== undefined) refuse('OPTION_UNSUPPORTED', optionProblem);
  if ((ttlEndsAt(job) ?? Number.POSITIVE_INFINITY) <= (job.runAt ?? 0)) {
    refuse(
      'OPTION_UNSUPPORTED',
      'options.transport.ttlSeconds ends before options.runAt: the job would never run',
    );
  }
}

/** What `find` finds in what the caller gave, which JSON has read before. */
function readably(what: string, find: () => string | undefined): string | undefined {
  try {
    return find();
  } catch {
    // The error is the caller's own, and may say what is there.
    return `${what} could be read only once: a getter in it throws`;
  }
}
