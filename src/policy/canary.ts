import { parseDeliveryId } from '../recognition/delivery-id.js';
import type { QueueKeys } from '../recognition/queue-keys.js';
import { nextEcho, ReplyMismatchError } from '../recognition/recognise.js';
import { makeScript, runScript } from '../recognition/script.js';
import type { RedisConnection } from '../redis/redis-connection.js';

// Long enough to be found by a person who looks, short enough to leave nothing behind.
const CANARY_MS = 60_000;

// PING is answered while writes are refused or paused, so the probe is a write. The witness is read before it.
const canary = makeScript(`
local witness = ''
if KEYS[2] then witness = tostring(redis.call('BITFIELD', KEYS[2], 'GET', 'u1', ARGV[3])[1]) end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return { ARGV[1], witness }
`);

/**
 * Writes the canary. Resolves when Redis took the write, with what became of the witness; rejects as a delivery would.
 */
export async function writeCanary(
  connection: RedisConnection,
  keys: QueueKeys,
  witness: string | undefined,
): Promise<'kept' | 'lost' | undefined> {
  const echo = nextEcho();
  const seen = witness === undefined ? undefined : parseDeliveryId(witness);
  const reply = await runScript(
    connection,
    canary,
    seen ? [keys.canary, keys.seen(seen.epoch)] : [keys.canary],
    [echo, String(CANARY_MS), String(seen?.seq ?? 0)],
  );
  if (!Array.isArray(reply) || String(reply[0]) !== echo) throw new ReplyMismatchError();
  const bit = String(reply[1]);
  return bit === '1' ? 'kept' : bit === '0' ? 'lost' : undefined;
}
