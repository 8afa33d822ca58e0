import { IS_THERE, recognitionScripts } from '../../recognition/recognition-script.js';

/**
 * RQ's statuses of a job that nobody will run any more. All others, also those of an RQ to come, are of one that may. Of a job
 * that was canceled while it ran, the function goes on.
 */
export const ENDED: readonly string[] = ['finished', 'failed', 'stopped', 'canceled'];

/** Fields of a job that were asked for, in the order of the script's arguments. */
export const OPTIONAL_FIELDS = [
  'ttl',
  'result_ttl',
  'failure_ttl',
  'retries_left',
  'retry_intervals',
  'meta',
  'enqueue_at_front',
] as const;

/** RQ's own. Every job needs one: the worker calculates with it. */
export const DEFAULT_TIMEOUT_SECONDS = '180';

/** The place of the job's key from the end of KEYS, then `data`, `created_at` and `description`. */
const PLAIN = 4;
/**
 * Then `timeout`, ms to live, the second it is due, the command that puts it in line, `1` for a caller's id; and the optional fields.
 * `''`: none.
 */
const FULL = PLAIN + 5 + OPTIONAL_FIELDS.length;

/** How many ids of a batch are looked for one by one in the list; the others all at once. */
const ONE_BY_ONE = 8;
/** Of the list, read at once: more of them cost Redis memory, fewer time. */
const PAGE = 1000;

/**
 * KEYS: 1 the list of ids that wait; at the end each job's hash, then the registries of scheduled, finished, failed and canceled
 * jobs, then the set of queues.
 *
 * Why it is as it is:
 * 1. RQ cannot have two jobs of one id. One that waits or runs is left alone: with a second the worker would run it twice.
 *    "canceled" does not end a function that runs: when it returns, its worker writes the old job over the new one, or deletes it.
 *    Such a job has begun since it last ended. RQ's dates sort as text. So has one that RQ failed because its worker fell
 *    silent; but that worker is hardly ever only paused, and a duplicate would keep its id from running for RQ's year.
 * 2. A hash whose id is in no line would pass for such a job, and make duplicates of all that come. So it is taken back when
 *    the id is refused; and that this may be done is known before, because it was removed before it was written. An ended
 *    job's goes that way, whole.
 * 3. The id comes last: taking it back would need another right than writing it.
 * 4. The name in the set of queues stays: it is true of the next job, and a queue without jobs harms nobody.
 * 5. A hash that expires leaves its id in the list, or in the schedule; so does a job that was put there twice and has ended
 *    once. A new one would be run at each of its places. So a caller's id leaves both first; a generated one was never there.
 *    LREM compares with the whole list. With 100,000 ids in it (Redis 7.0) that is 2.4 ms, and 616 ms for a batch of 256: hence
 *    one pass for all but the first, 41 ms.
 * 6. The id leaves the registries in which the job ended. Where that is not allowed, RQ's tools show it twice for a while.
 */
export const rqScripts = recognitionScripts(
  `
local last, origin, isListed = #KEYS, string.sub(KEYS[1], 10), false
local ended = { ${ENDED.map((status) => `${status} = true`).join(', ')} }
local optional = { ${OPTIONAL_FIELDS.map((field) => `'${field}'`).join(', ')} }
local function isError(answer) return type(answer) == 'table' and answer.err end
local function list()
  if isListed then return nil end
  local answer = redis.pcall('SADD', KEYS[last], KEYS[1])
  isListed = not isError(answer)
  return answer
end
local function runs(hash)
  local startedAt, endedAt = redis.pcall('HGET', hash, 'started_at'), redis.pcall('HGET', hash, 'ended_at')
  return (startedAt or '') > (endedAt or '')
end
local asked, inLine = 0, nil
local function isInLine(id)
  asked = asked + 1
  if asked <= ${ONE_BY_ONE} then return true end
  if inLine then return inLine[id] end
  local wanted, found, from, ids = {}, {}, 0, nil
  for k = 1, last do wanted[string.sub(KEYS[k], 8)] = true end
  repeat
    ids = redis.pcall('LRANGE', KEYS[1], from, from + ${PAGE - 1})
    if isError(ids) then return ids end
    for i = 1, #ids do
      if wanted[ids[i]] then found[ids[i]] = true end
    end
    from = from + ${PAGE}
  until #ids < ${PAGE}
  inLine = found
  return found[id]
end
local function leaveLine(id)
  local answer = redis.pcall('ZREM', KEYS[last - 4], id)
  if isError(answer) then return answer end
  answer = isInLine(id)
  if isError(answer) then return answer end
  return answer and redis.pcall('LREM', KEYS[1], 0, id)
end
local function lay(at, id, enqueuedAt, full)
  local hash = KEYS[last - ARGV[at]]
  local status = redis.pcall('HGET', hash, 'status')
  if isError(status) then return status end
  if status and (not ended[status] or status == 'canceled' and runs(hash)) then return { err = '${IS_THERE}' } end
  local answer = list()
  if not isError(answer) and full and ARGV[at + 8] == '1' then answer = leaveLine(id) end
  if not isError(answer) then answer = redis.pcall('UNLINK', hash) end
  if isError(answer) then return answer end
  local timeout, ttlMs, dueAt, push = '${DEFAULT_TIMEOUT_SECONDS}', '', '', 'RPUSH'
  if full then timeout, ttlMs, dueAt, push = ARGV[at + 4], ARGV[at + 5], ARGV[at + 6], ARGV[at + 7] end
  local fields = { 'data', ARGV[at + 1], 'created_at', ARGV[at + 2], 'description', ARGV[at + 3],
    'origin', origin, 'timeout', timeout, 'status', dueAt == '' and 'queued' or 'scheduled' }
  local function add(field, value)
    if value == '' then return end
    fields[#fields + 1] = field
    fields[#fields + 1] = value
  end
  if dueAt == '' then add('enqueued_at', ARGV[at + 2]) end
  if full then
    for i = 1, #optional do add(optional[i], ARGV[at + 8 + i]) end
  end
  answer = redis.pcall('HSET', hash, unpack(fields))
  if isError(answer) then return answer end
  if ttlMs ~= '' then answer = redis.pcall('PEXPIRE', hash, ttlMs) end
  if not isError(answer) then
    if dueAt == '' then answer = redis.pcall(push, KEYS[1], id)
    else answer = redis.pcall('ZADD', KEYS[last - 4], dueAt, id) end
  end
  if isError(answer) then
    redis.pcall('UNLINK', hash)
    return answer
  end
  if status then
    for registry = last - 3, last - 1 do redis.pcall('ZREM', KEYS[registry], id) end
  end
end`,
  PLAIN,
  FULL,
);
