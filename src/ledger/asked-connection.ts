import { scrubbed } from '../errors/scrub.js';
import type { Argument, RedisConnection } from '../redis/redis-connection.js';

/** A connection whose every answer is waited for so long and no longer, and whose errors name no address. */
export function askWithin(connection: RedisConnection, timeoutMs: number): RedisConnection {
  return {
    client: connection.client,
    get isReady() {
      return connection.isReady;
    },
    send: (args: readonly Argument[], key: string) =>
      new Promise((resolve, reject) => {
        const silence = () => reject(new Error(`Redis did not answer within ${timeoutMs} ms.`));
        const timer = setTimeout(silence, timeoutMs);
        connection
          .send(args, key)
          .then(resolve, (error: unknown) => reject(scrubbed(error)))
          .finally(() => clearTimeout(timer));
      }),
    listen: (hints) => connection.listen(hints),
    destroy: () => connection.destroy(),
  };
}

/**
 * Throws where `connection` leads to a replica, which may not have heard of everything yet. Says nothing of a server that does not say
 * what it is: resolves with whether it does.
 */
export async function refuseReplica(connection: RedisConnection): Promise<boolean> {
  const role = await connection.send(['ROLE'], '').catch(onlyRefusal);
  if (Array.isArray(role) && String(role[0]) === 'slave') {
    throw new Error('This Redis is a replica, which may not have heard of everything yet: ask the primary.');
  }
  return role !== undefined;
}

/** What the server may have evicted. */
export type Evicted = 'nothing' | 'what expires' | 'any key';

/**
 * What the server may have evicted in the last `withinMs`, as far as it says. One that started anew since, or was a replica before,
 * does not know what was evicted. Of any key it is enough that it may: nothing would look amiss. Undefined: it does not say.
 */
export async function whatIsEvicted(
  connection: RedisConnection,
  withinMs: number,
): Promise<Evicted | undefined> {
  const read = (section: string) => connection.send(['INFO', section], '').catch(onlyRefusal).then(String);
  const memory = await read('memory');
  if (/^maxmemory_policy:allkeys-/m.test(memory) && /^maxmemory:[1-9]/m.test(memory)) return 'any key';
  const isVolatile = /^maxmemory_policy:volatile-/m.test(memory);
  const [, evictedKeys] = /^evicted_keys:(\d+)/m.exec(await read('stats')) ?? [];
  if (evictedKeys === undefined) return undefined;
  if (evictedKeys === '0') {
    if (!isVolatile || !/^maxmemory:[1-9]/m.test(memory)) return 'nothing';
    const [, upSeconds = 0] = /^uptime_in_seconds:(\d+)/m.exec(await read('server')) ?? [];
    const wasNeverReplica = /^second_repl_offset:-1\b/m.test(await read('replication'));
    return wasNeverReplica && Number(upSeconds) * 1000 >= withinMs ? 'nothing' : 'what expires';
  }
  // Where nothing is evicted any more, the policy was another one when it was: which, nobody knows.
  return isVolatile ? 'what expires' : 'any key';
}

/** What Redis refuses to say is not needed, and managed ones refuse in words of their own; a Redis that does not answer is of no use. */
function onlyRefusal(error: unknown): undefined {
  const text = error instanceof Error ? error.message : '';
  if (!/^(?:ERR|NOPERM)\b/.test(text)) throw error;
}
