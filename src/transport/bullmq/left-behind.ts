import type { JobRecord } from '../../job/job-record.js';
import { makeScript, runScript } from '../../recognition/script.js';
import type { RedisConnection } from '../../redis/redis-connection.js';
import { deduplicationKey } from './bulk-job.js';
import type { Producer } from './bullmq-queue.js';

const lists = ['wait', 'paused', 'active'];
const sets = ['delayed', 'prioritized', 'waiting-children', 'completed', 'failed'];

// BullMQ writes a job's hash before its place in line. Refused in between (the list is of another type, a command is forbidden),
// it leaves the hash and the deduplication behind, and takes the job for one that is there ever after: it would never run. A place
// that cannot be looked at may have it, unless it is of another type.
const undo = makeScript(`
local function isIn(command, key, id)
  local place = redis.pcall(command, key, id)
  if type(place) ~= 'table' then return place ~= false, false end
  return false, string.find(place.err, '^WRONGTYPE') == nil
end
local fates = {}
for i = 1, #ARGV do
  local job, deduplication = KEYS[${lists.length + sets.length} + 2 * i - 1], KEYS[${lists.length + sets.length} + 2 * i]
  local isThere, isUnsure = false, false
  for place = 1, ${lists.length + sets.length} do
    local found, doubted = isIn(place <= ${lists.length} and 'LPOS' or 'ZSCORE', KEYS[place], ARGV[i])
    isThere, isUnsure = isThere or found, isUnsure or doubted
  end
  if redis.call('EXISTS', job) == 0 then
    isThere, isUnsure = redis.call('EXISTS', deduplication) == 1, false
  elseif not isThere and not isUnsure then
    redis.call('DEL', job, deduplication)
  end
  fates[i] = isThere and 'there' or isUnsure and 'unsure' or 'nowhere'
end
return fates
`);

/** Where a job is that BullMQ may have been refused: in line (or past it), `nowhere`, or that cannot be told. */
export type Whereabouts = 'there' | 'nowhere' | 'unsure';

/** Removes what is left behind of `jobs` that Redis refused in the middle of adding them, and resolves with where each is now. */
export async function undoLeftBehind(
  connection: RedisConnection,
  queue: Producer,
  jobs: readonly JobRecord[],
): Promise<readonly Whereabouts[]> {
  const places = [...lists, ...sets].map((place) => queue.toKey(place));
  const own = jobs.flatMap(({ id }) => [queue.toKey(id), deduplicationKey(queue, id)]);
  const ids = jobs.map(({ id }) => id);
  const reply = await runScript(connection, undo, [...places, ...own], ids).catch(() => []);
  return jobs.map((_, i) => {
    const fate = Array.isArray(reply) ? String(reply[i]) : '';
    return fate === 'there' || fate === 'nowhere' ? fate : 'unsure';
  });
}
