import type { Added, BullMqJob, Producer } from './bullmq-queue.js';

/** BullMQ did not say that it laid the job down under its id. */
export class BullMqAnswerError extends Error {
  override readonly name = 'BullMqAnswerError';

  constructor(what: string) {
    super(`BullMQ did not answer with the job that was given to it: ${what}.`);
  }
}

/** Redis's reply that kept a job from being added; its message is the wire text, so it sorts like a reply of the client's. */
class ReplyError extends Error {
  override readonly name = 'ReplyError';
}

/**
 * Adds each of `jobs`, in one round trip. Resolves with what kept each from being added, undefined where BullMQ has it; rejects when
 * nothing is known of any.
 *
 * Not with `addBulk()`: of a batch that only says that one was refused, and not which; over node-redis it does not load a script again
 * that the server has lost; and with the many scripts that ioredis puts on every pipeline it takes half as long again.
 */
export async function addJobs(
  queue: Producer,
  jobs: readonly BullMqJob[],
): Promise<readonly (Error | undefined)[]> {
  const adding = jobs.map(async ({ name, data, opts }) => queue.add(name, data, opts));
  const answers = await Promise.allSettled(adding);
  const problems = answers.map((answer, i) => problemOf(jobs[i] as BullMqJob, answer));
  if (problems.every((problem) => problem !== undefined && !isOfOneJob(problem))) throw problems[0];
  return problems;
}

/** Whether Redis is well and refused a job, perhaps in the middle of adding it. */
export function isRefusal({ message }: Error): boolean {
  return /^(?:ERR|WRONGTYPE|NOPERM|CROSSSLOT)\b/.test(message);
}

function isOfOneJob(problem: Error): boolean {
  return problem instanceof BullMqAnswerError || isRefusal(problem);
}

function problemOf({ opts }: BullMqJob, answer: PromiseSettledResult<Added>): Error | undefined {
  if (answer.status === 'rejected') return errorOf(answer.reason);
  const { id } = answer.value ?? {};
  if (id === opts.jobId) return undefined;
  // Its scripts answer so before they write anything.
  if (typeof id === 'number' && id < 0)
    return new ReplyError(`ERR BullMQ refused the job with its code ${id}`);
  return new BullMqAnswerError(id === undefined ? 'there was no id' : 'it was another id');
}

/** What Redis replied, or why there was no reply. */
function errorOf(reason: unknown): Error {
  if (!(reason instanceof Error)) return new Error('BullMQ rejected a job without an Error.');
  if (!/^[A-Z][A-Z0-9]+\b/.test(reason.message)) return reason;
  // Redis 7 names the script that was refused, and the line of it.
  return new ReplyError(reason.message.replace(/ ?script: [0-9a-f]{40}.*$/s, ''));
}
