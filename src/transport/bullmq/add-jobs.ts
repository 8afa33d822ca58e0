import type { Added, BulkJob, Producer } from './bullmq-queue.js';

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

/** What kept each job from being added, undefined where BullMQ has it. */
export interface Attempt {
  readonly problems: readonly (Error | undefined)[];
  /** BullMQ only says that some job was refused, and not which: others may be there, or have been refused for another reason. */
  readonly isOfOne: boolean;
}

/** Adds `jobs` in one round trip. Rejects when nothing is known of any, as BullMQ does. */
export async function addTogether(queue: Producer, jobs: readonly BulkJob[]): Promise<Attempt> {
  let answers: readonly Added[];
  try {
    // For a lone one, ioredis takes as long to make a pipeline as for all the rest.
    answers = jobs.length === 1 ? [await addOne(queue, jobs[0] as BulkJob)] : await queue.addBulk(jobs);
  } catch (error) {
    const reply = replyOf(error);
    if (!reply || !(isRefusal(reply) || isLostScript(reply))) throw reply ?? error;
    return { problems: jobs.map(() => reply), isOfOne: jobs.length > 1 || isLostScript(reply) };
  }
  return { problems: jobs.map((job, i) => problemOf(job, answers?.[i])), isOfOne: false };
}

/** Adds each of `jobs` on its own, so that each has its own answer. Never rejects. */
export async function addOneByOne(queue: Producer, jobs: readonly BulkJob[]): Promise<Attempt> {
  const added = await Promise.allSettled(jobs.map((job) => addOne(queue, job)));
  const problems = added.map((answer, i) => {
    if (answer.status === 'fulfilled') return problemOf(jobs[i] as BulkJob, answer.value);
    return replyOf(answer.reason) ?? (answer.reason instanceof Error ? answer.reason : new Error());
  });
  return { problems, isOfOne: false };
}

function addOne(queue: Producer, { name, data, opts }: BulkJob): Promise<Added> {
  return queue.add(name, data, opts);
}

/** Whether Redis is well and refused a job, perhaps in the middle of adding it. */
export function isRefusal({ message }: Error): boolean {
  return /^(?:ERR|WRONGTYPE|NOPERM|CROSSSLOT)\b/.test(message);
}

/** Over node-redis BullMQ does not load a script again that the server has lost, except with `add()`. */
function isLostScript({ message }: Error): boolean {
  return message.startsWith('NOSCRIPT');
}

function problemOf({ opts }: BulkJob, answer: Added): Error | undefined {
  if (answer?.id === opts.jobId) return undefined;
  if (typeof answer?.id === 'number' && answer.id < 0) {
    // Its scripts answer so before they write anything.
    return new ReplyError(`ERR BullMQ refused the job with its code ${answer.id}`);
  }
  return new BullMqAnswerError(answer?.id === undefined ? 'there was no id' : 'it was another id');
}

/** What Redis replied; undefined where it was no reply. */
function replyOf(error: unknown): Error | undefined {
  if (!(error instanceof Error)) return undefined;
  // node-redis has the replies of a MULTI in a list, and only says how many of them are errors.
  const replies: unknown = 'replies' in error ? error.replies : undefined;
  const reply: unknown = Array.isArray(replies) ? replies.find((one) => one instanceof Error) : error;
  if (!(reply instanceof Error) || !/^[A-Z][A-Z0-9]+\b/.test(reply.message)) return undefined;
  // Redis 7 names the script that was refused, and the line of it.
  return new ReplyError(reply.message.replace(/ ?script: [0-9a-f]{40}.*$/s, ''));
}
