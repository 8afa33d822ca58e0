import type { RedisConnection } from '../redis/redis-connection.js';
import type { QueueKeys } from './queue-keys.js';
import { nextEcho, ReplyMismatchError } from './recognise.js';
import { makeScript, runScript } from './script.js';

// A script, not MGET: nobody sends it to a replica, which may not have heard yet.
const askHolders = makeScript(`
local reply = { ARGV[1] }
for i = 1, #KEYS do
  local holder = redis.pcall('GET', KEYS[i])
  reply[1 + i] = type(holder) == 'string' and holder or ''
end
return reply
`);

/** For each of `ids`, which callers gave, the delivery that laid a job of this id down; empty where none is known. */
export async function readHolders(
  connection: RedisConnection,
  keys: QueueKeys,
  ids: readonly string[],
): Promise<readonly string[]> {
  const echo = nextEcho();
  const reply = await runScript(connection, askHolders, ids.map(keys.marker), [echo]);
  if (!Array.isArray(reply) || String(reply[0]) !== echo || reply.length !== ids.length + 1) {
    throw new ReplyMismatchError();
  }
  return reply.slice(1).map(String);
}
