import { InDoubt } from '../../errors/in-doubt.js';
import type { JobRecord } from '../../job/job-record.js';
import type { RedisConnection } from '../../redis/redis-connection.js';
import { deduplicationId, deduplicationKey } from './bullmq-job.js';
import type { Producer } from './bullmq-queue.js';

// In this order: a set is looked into at once, a list from end to end.
const sets = ['completed', 'failed', 'delayed', 'prioritized', 'waiting-children'];
const lists = ['active', 'paused', 'wait'];
const all = sets.length + lists.length;

// BullMQ sets a job's deduplication, then writes its hash, then its place in line. Refused in between (the list is of another type,
// a command is forbidden), it leaves the first behind, and takes the job for one that is there ever after: it would never run. So a
// hash that has no place is removed, and so is the deduplication of a new job whose hash may not be written. A place of another type
// has no jobs; one that cannot be looked at may have this one.
//
// Sent with its text: a script that had to be loaded first would be executed after the jobs are added.
const look = `
local function isIn(place, id)
  local key, at = KEYS[place], false
  if place <= ${sets.length} then
    at = redis.pcall('ZSCORE', key, id)
  else
    -- New ones are at either end.
    at = redis.pcall('LPOS', key, id, 'MAXLEN', 1000)
      or redis.pcall('LPOS', key, id, 'RANK', -1, 'MAXLEN', 1000)
      or redis.pcall('LPOS', key, id)
  end
  if type(at) ~= 'table' then return at ~= false end
  if string.find(at.err, '^WRONGTYPE') then return false end
  if place <= ${sets.length} then return false, at.err end
  -- Redis before 6.0.6 has no LPOS.
  local ids = redis.pcall('LRANGE', key, 0, -1)
  if ids.err then return false, ids.err end
  for _, one in ipairs(ids) do if one == id then return true end end
  return false
end
local function isForbidden(problem)
  for _, words in ipairs({ 'NOPERM', "can't run this command", 'ACL failure in script' }) do
    if string.find(problem, words, 1, true) then return true end
  end
  return false
end
local function whereabouts(id, job, deduplication, deduplicationId, isNew)
  if redis.call('EXISTS', job) == 0 then
    local known = redis.pcall('GET', deduplication)
    if not known then return 'nowhere' end
    if known.err then return known.err end
    if isNew ~= '1' then return 'ran' end
    -- It has run by now, or its hash may not be written: then it may not be now either.
    local written = redis.pcall('HMSET', job, 'deid', deduplicationId)
    if not written.err then
      redis.call('DEL', job)
      return 'ran'
    end
    if not isForbidden(written.err) then return written.err end
    redis.call('DEL', deduplication)
    return 'nowhere'
  end
  -- Also one with a priority may stand in a list: promoteJobs() and retryJobs() put it there.
  local doubt
  for place = 1, ${all} do
    local isThere, problem = isIn(place, id)
    if isThere then return 'there' end
    doubt = doubt or problem
  end
  if doubt then return doubt end
  local owner = redis.pcall('HMGET', job, 'deid')
  if owner.err then return owner.err end
  if owner[1] ~= deduplicationId then
    return 'ERR The queue has a job of this id that stands in no line, and that is not of this transport'
  end
  redis.call('DEL', job, deduplication)
  return 'nowhere'
end
local answers = {}
for i = 1, #ARGV / 3 do
  local key, arg = ${all} + 2 * i, 3 * i
  answers[i] = whereabouts(ARGV[arg - 2], KEYS[key - 1], KEYS[key], ARGV[arg - 1], ARGV[arg])
end
return answers
`;

/** Redis does nothing else during a look, which takes 14 ms for each that is in the middle of a list of a million jobs, or nowhere. */
const JOBS_A_LOOK = 8;

/**
 * Where a job is: `there` (in line, or ended), `ran` (only its deduplication is there, as of one that has run and was removed),
 * `nowhere`; or why that cannot be told.
 */
export type Whereabouts = 'there' | 'ran' | 'nowhere' | InDoubt;

/**
 * Looks where each of `jobs` is, having removed what is left behind of those that were refused in the middle of being added. Never
 * rejects. `isNew`: before it was added, it was nowhere.
 *
 * BullMQ's own answer to adding a job that it knows is the same as to any other, and so it is to one that was left behind. Send this
 * before they are added, on the same connection, and look again when they are.
 */
export async function lookFor(
  connection: RedisConnection,
  queue: Producer,
  jobs: readonly JobRecord[],
  isNew: (job: JobRecord) => boolean,
): Promise<ReadonlyMap<JobRecord, Whereabouts>> {
  const looks: Promise<readonly Whereabouts[]>[] = [];
  for (let i = 0; i < jobs.length; i += JOBS_A_LOOK) {
    looks.push(lookForSome(connection, queue, jobs.slice(i, i + JOBS_A_LOOK), isNew));
  }
  const places = (await Promise.all(looks)).flat();
  return new Map(jobs.map((job, i) => [job, places[i] as Whereabouts]));
}

async function lookForSome(
  connection: RedisConnection,
  queue: Producer,
  jobs: readonly JobRecord[],
  isNew: (job: JobRecord) => boolean,
): Promise<readonly Whereabouts[]> {
  const keys = [...sets, ...lists].map((place) => queue.toKey(place));
  for (const { id } of jobs) keys.push(queue.toKey(id), deduplicationKey(queue, id));
  const args = jobs.flatMap((job) => [job.id, deduplicationId(job.id), isNew(job) ? '1' : '0']);
  try {
    const reply = await connection.send(
      ['EVAL', look, String(keys.length), ...keys, ...args],
      keys[0] as string,
    );
    return jobs.map((_, i) => {
      const answer = Array.isArray(reply) ? String(reply[i]) : '';
      if (answer === 'there' || answer === 'ran' || answer === 'nowhere') return answer;
      return new InDoubt(answer);
    });
  } catch (error) {
    const doubt = new InDoubt(error);
    return jobs.map(() => doubt);
  }
}
