import type { RedisConnection } from '../redis/redis-connection.js';
import type { QueueKeys } from './queue-keys.js';
import { makeScript, runScript } from './script.js';

/** Epochs that one sweep removes at most: every new epoch sweeps, so their number stays bounded. */
const SWEEP_LIMIT = 16;

// The bitmap is created empty and without touching a bit that a delivery may have set already.
const open = makeScript(`
redis.call('SET', KEYS[2], '', 'NX')
local now = redis.call('TIME')[1]
redis.call('ZADD', KEYS[1], now, ARGV[1])
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. (now - ARGV[2]), 'LIMIT', 0, ARGV[3])
`);

// Each epoch's age is looked at again: it may have been used since it was listed.
const sweep = makeScript(`
local oldest = redis.call('TIME')[1] - ARGV[1]
local swept = 0
for e = 2, #KEYS do
  local lastUse = redis.call('ZSCORE', KEYS[1], ARGV[e])
  if lastUse and tonumber(lastUse) < oldest then
    redis.call('UNLINK', KEYS[e])
    redis.call('ZREM', KEYS[1], ARGV[e])
    swept = swept + 1
  end
end
return swept
`);

/**
 * Creates an epoch's bitmap ahead of its first job (a new key during a slot migration would be refused) and removes epochs
 * that nobody has used for `windowMs`, {@link SWEEP_LIMIT} at most.
 */
export async function openEpoch(
  connection: RedisConnection,
  keys: QueueKeys,
  epoch: string,
  windowMs: number,
): Promise<void> {
  const windowSeconds = String(Math.ceil(windowMs / 1000));
  const stale = await runScript(
    connection,
    open,
    [keys.epochs, keys.seen(epoch)],
    [epoch, windowSeconds, String(SWEEP_LIMIT)],
  );
  if (!Array.isArray(stale) || stale.length === 0) return;
  const epochs = stale.map(String);
  await runScript(connection, sweep, [keys.epochs, ...epochs.map(keys.seen)], [windowSeconds, ...epochs]);
}
