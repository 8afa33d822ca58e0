import { parseDeliveryId } from '../recognition/delivery-id.js';
import type { QueueKeys } from '../recognition/queue-keys.js';
import { type Delivery, nextEcho, ReplyMismatchError } from '../recognition/recognise.js';
import { makeScript, runScript } from '../recognition/script.js';
import type { RedisConnection } from '../redis/redis-connection.js';

// Long enough to be found by a person who looks, short enough to leave nothing behind.
const CANARY_MS = 60_000;

// PING is answered while writes are refused or paused, so the probe is a write. The witnesses are read before it, each by
// its epoch's place among the keys and its seq; that one cannot be read says nothing about whether Redis takes writes.
const canary = makeScript(`
local bits = {}
for at = 3, #ARGV, 2 do
  local bit = redis.pcall('BITFIELD', KEYS[tonumber(ARGV[at])], 'GET', 'u1', ARGV[at + 1])[1]
  bits[#bits + 1] = bit and tostring(bit) or '?'
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return { ARGV[1], table.concat(bits) }
`);

/**
 * Writes the canary. Resolves when Redis took the write, with what became of each witness; rejects as a delivery would.
 */
export async function writeCanary(
  connection: RedisConnection,
  keys: QueueKeys,
  witnesses: readonly string[],
): Promise<readonly Delivery['witness'][]> {
  const echo = nextEcho();
  const epochs: string[] = [];
  const asked = witnesses.flatMap((witness) => {
    const { epoch, seq } = parseDeliveryId(witness);
    if (!epochs.includes(epoch)) epochs.push(epoch);
    return [String(epochs.indexOf(epoch) + 2), String(seq)];
  });
  const reply = await runScript(
    connection,
    canary,
    [keys.canary, ...epochs.map(keys.seen)],
    [echo, String(CANARY_MS), ...asked],
  );
  if (!Array.isArray(reply) || String(reply[0]) !== echo) throw new ReplyMismatchError();
  const bits = [...String(reply[1])];
  return bits.map((bit) => (bit === '1' ? 'kept' : bit === '0' ? 'lost' : undefined));
}
