import type { JobRecord } from '../../job/job-record.js';
import type { RedisConnection } from '../../redis/redis-connection.js';
import { deduplicationKey } from './bulk-job.js';
import type { Producer } from './bullmq-queue.js';

// Sent with its text: a script that had to be loaded first would be executed after the jobs are added.
const look = `
local there = {}
for i = 1, #KEYS, 2 do there[#there + 1] = redis.call('EXISTS', KEYS[i], KEYS[i + 1]) end
return there
`;

/** What BullMQ knew of jobs when it was asked. */
export interface Presence {
  has(job: JobRecord): boolean;
}

const nothingKnown: Presence = { has: () => false };

/**
 * Asks which of `jobs` BullMQ knows already: its own answer to adding one that it knows is the same as to any other. Send it before
 * they are added, on the same connection, and look when they are: it is answered by then, or will not be.
 */
export function askForPresence(
  connection: RedisConnection,
  queue: Producer,
  jobs: readonly JobRecord[],
): { readonly answer: Presence } {
  if (jobs.length === 0) return { answer: nothingKnown };
  const asked = { answer: nothingKnown };
  const keys = jobs.flatMap(({ id }) => [queue.toKey(id), deduplicationKey(queue, id)]);
  connection.send(['EVAL', look, String(keys.length), ...keys], keys[0] as string).then(
    (reply) => {
      const there = new Set(jobs.filter((_, i) => Array.isArray(reply) && Number(reply[i]) > 0));
      asked.answer = { has: (job) => there.has(job) };
    },
    // Then it is not known whether they were there, and all are said to be laid down, as they are.
    () => {},
  );
  return asked;
}
