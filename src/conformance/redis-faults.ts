import type { RedisConnection } from '../redis/redis-connection.js';

/** Ends a fault. */
export type Lift = () => Promise<void>;

/** What the kit reads and does through a connection itself, and what belongs to connections: denied, they would tell nothing. */
const notTheTransports = new Set([
  ...['acl', 'auth', 'client', 'command', 'config', 'flushall', 'hello', 'info', 'ping', 'select'],
  // Where it is not allowed, Redis leaves the connection in its transaction, and answers nothing any more but QUEUED.
  ...['multi', 'exec', 'discard'],
]);

/** The commands that Redis is seen to execute, in scripts, too, while `body` runs. */
export async function commandsOf(connection: RedisConnection, body: () => Promise<unknown>) {
  await connection.send(['CONFIG', 'RESETSTAT'], '');
  await body();
  const text = String(await connection.send(['INFO', 'commandstats'], ''));
  const names = [...text.matchAll(/^cmdstat_([^:]+):/gm)].map(([, name = '']) => name);
  return names.filter((name) => !notTheTransports.has(name.split('|')[0] as string));
}

/** Takes the right to `command` from whoever `connection` is. */
export async function deny(connection: RedisConnection, command: string): Promise<Lift> {
  const user = String(await connection.send(['ACL', 'WHOAMI'], ''));
  await connection.send(['ACL', 'SETUSER', user, `-${command}`], '');
  return async () => void (await connection.send(['ACL', 'SETUSER', user, `+${command}`], ''));
}

/** Puts a key of another type in the place of `key`, which is `kind`; what stands there meanwhile is set aside. */
export async function occupy(connection: RedisConnection, key: string, kind: string): Promise<Lift> {
  const aside = `${key}${ASIDE}`;
  const hasMoved = await connection.send(['RENAME', key, aside], key).then(
    () => true,
    () => false,
  );
  const stranger = kind === 'set' ? ['SET', key, 'in the way'] : ['SADD', key, 'in the way'];
  await connection.send(stranger, key);
  return async () => {
    await connection.send(['DEL', key], key);
    if (hasMoved) await connection.send(['RENAME', aside, key], key);
  };
}

const ASIDE = ' (aside)';

/** One key with everything in it, as text. */
export interface Kept {
  readonly key: string;
  readonly kind: string;
  readonly text: string;
}

// By a script, whose replies are the same for every client.
const look = `
local readers = {
  string = function(key) return redis.call('GET', key) end,
  list = function(key) return redis.call('LRANGE', key, 0, -1) end,
  set = function(key) return redis.call('SMEMBERS', key) end,
  zset = function(key) return redis.call('ZRANGE', key, 0, -1) end,
  hash = function(key) return redis.call('HGETALL', key) end,
  stream = function(key) return redis.call('XRANGE', key, '-', '+') end,
}
local kept = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  local kind = redis.call('TYPE', key).ok
  kept[#kept + 1] = { key, kind, readers[kind] and readers[kind](key) or '' }
end
return kept`;

/** Everything that Redis keeps. */
export async function keyspace(connection: RedisConnection): Promise<readonly Kept[]> {
  const kept = (await connection.send(['EVAL', look, '0'], '')) as [string, string, unknown][];
  return kept.map(([key, kind, value]) => ({ key: String(key), kind: String(kind), text: String(value) }));
}
