import { type ErrorCode, ResilientQueueError } from '../../errors/resilient-queue-error.js';
import type { JobRecord } from '../../job/job-record.js';
import type { Producer } from './bullmq-queue.js';
import { optionsProblem } from './job-options.js';

const integer = /^(?:0|-?[1-9]\d*)$/;
// BullMQ's own test, which 'NaN' passes as well, and long numbers do not.
const isNumberToBullMq = (id: string) => `${Number.parseInt(id, 10)}` === id;

/** Throws a {@link ResilientQueueError} for a job that BullMQ would refuse, with its whole batch, or lose. */
export function checkBullMqJob(queue: Producer, job: JobRecord, options: unknown): void {
  const refuse = (code: ErrorCode, problem: string) => {
    throw new ResilientQueueError(`${problem}.`, { code, fate: 'not-delivered', jobId: job.id });
  };
  if (job.id !== job.delivery) {
    const problem = idProblem(queue, job.id);
    if (problem !== undefined) refuse('ID_INVALID', problem);
  }
  if (options !== undefined) {
    const problem = optionsProblem(options);
    if (problem !== undefined) refuse('OPTION_UNSUPPORTED', problem);
  }
  const { timestamp } = (job.transportOptions ?? {}) as { readonly timestamp?: number };
  if (timestamp !== undefined && timestamp > (job.runAt ?? timestamp)) {
    refuse('OPTION_UNSUPPORTED', 'BullMQ\'s option "timestamp" must not be after options.runAt');
  }
  const { sizeLimit } = { ...queue.defaultJobOptions, ...(job.transportOptions as object | undefined) };
  if (typeof sizeLimit !== 'number' || sizeLimit <= 0) return;
  const bytes = Buffer.byteLength(job.payload);
  if (bytes > sizeLimit) {
    refuse(
      'PAYLOAD_TOO_LARGE',
      `The payload is ${bytes} bytes of JSON, over BullMQ's sizeLimit (${sizeLimit})`,
    );
  }
}

function idProblem(queue: Producer, id: string): string | undefined {
  if (integer.test(id) || isNumberToBullMq(id))
    return 'options.id must not be a whole number, nor NaN: BullMQ numbers jobs without an id of their own';
  // BullMQ takes some of these, and may find other keys under them.
  if (id.includes(':')) return 'options.id must have no ":", which separates the names of BullMQ\'s keys';
  // It would be taken for a job that is there already, and never run.
  if (Object.hasOwn(queue.keys, id)) return 'options.id must not be the name of a key of the queue itself';
  return undefined;
}
