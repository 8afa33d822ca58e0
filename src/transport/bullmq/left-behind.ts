import type { JobRecord } from '../../job/job-record.js';
import { makeScript, runScript } from '../../recognition/script.js';
import type { RedisConnection } from '../../redis/redis-connection.js';
import { deduplicationKey } from './bulk-job.js';
import type { Producer } from './bullmq-queue.js';

const lists = ['wait', 'paused', 'active'];
const sets = ['delayed', 'prioritized', 'waiting-children', 'completed', 'failed'];
const all = lists.length + sets.length;

// BullMQ writes a job's hash before its place in line. Refused in between (the list is of another type, a command is forbidden),
// it leaves the hash and the deduplication behind, and takes the job for one that is there ever after: it would never run. A place
// that cannot be looked at may have it, unless it is of another type.
const undo = makeScript(`
local function isIn(command, key, id)
  local place = redis.pcall(command, key, id)
  if type(place) ~= 'table' then return place ~= false, false end
  return false, string.find(place.err, '^WRONGTYPE') == nil
end
local whereabouts = {}
for i = 1, #ARGV do
  local job, deduplication = KEYS[${all} + 2 * i - 1], KEYS[${all} + 2 * i]
  local isThere, isUnsure = false, false
  for place = 1, ${all} do
    local found, doubted = isIn(place <= ${lists.length} and 'LPOS' or 'ZSCORE', KEYS[place], ARGV[i])
    isThere, isUnsure = isThere or found, isUnsure or doubted
  end
  if redis.call('EXISTS', job) == 0 then
    isThere, isUnsure = redis.call('EXISTS', deduplication) == 1, false
  elseif not isThere and not isUnsure then
    redis.call('DEL', job, deduplication)
  end
  whereabouts[i] = isThere and 'there' or isUnsure and 'unsure' or 'nowhere'
end
return whereabouts
`);

/** Where a job is that Redis refused: in line (or past it), `nowhere`, or that cannot be told. */
type Whereabouts = 'there' | 'nowhere' | 'unsure';

/** Jobs that wait to be looked after, at most: that takes a fault of the keys or rights, and a lost connection, for each. */
const MAX_OWED = 10_000;

/**
 * Removes what is left behind of jobs that Redis refused in the middle of adding them.
 *
 * Where that could not be done, it is owed: such a job must not be added again before, as BullMQ would say that it is there.
 */
export class LeftBehind {
  readonly #queue: Producer;
  /** By job id, with the error that the job was refused with. */
  readonly #owed = new Map<string, Error>();

  constructor(queue: Producer) {
    this.#queue = queue;
  }

  /** Does what is owed of `jobs`. Rejects with the error that one was refused with, when it cannot be done now either. */
  async settle(connection: RedisConnection, jobs: readonly JobRecord[]): Promise<void> {
    if (this.#owed.size === 0) return;
    const owed = jobs.filter(({ id }) => this.#owed.has(id));
    if (owed.length > 0) await this.undo(connection, owed, (job) => this.#owed.get(job.id) as Error);
  }

  /**
   * Looks after `jobs` that were refused with `errorOf()` each. Resolves with whether each is there all the same; rejects with the
   * error of one of which that cannot be told.
   */
  async undo(
    connection: RedisConnection,
    jobs: readonly JobRecord[],
    errorOf: (job: JobRecord) => Error,
  ): Promise<readonly boolean[]> {
    const found = await this.#find(connection, jobs);
    let unsure: Error | undefined;
    for (const [i, job] of jobs.entries()) {
      if (found[i] !== 'unsure') {
        this.#owed.delete(job.id);
        continue;
      }
      unsure ??= errorOf(job);
      if (this.#owed.size < MAX_OWED) this.#owed.set(job.id, errorOf(job));
    }
    if (unsure) throw unsure;
    return found.map((place) => place === 'there');
  }

  async #find(connection: RedisConnection, jobs: readonly JobRecord[]): Promise<readonly Whereabouts[]> {
    const places = [...lists, ...sets].map((place) => this.#queue.toKey(place));
    const own = jobs.flatMap(({ id }) => [this.#queue.toKey(id), deduplicationKey(this.#queue, id)]);
    const ids = jobs.map(({ id }) => id);
    const reply = await runScript(connection, undo, [...places, ...own], ids).catch(() => []);
    return jobs.map((_, i) => {
      const place = Array.isArray(reply) ? String(reply[i]) : '';
      return place === 'there' || place === 'nowhere' ? place : 'unsure';
    });
  }
}
