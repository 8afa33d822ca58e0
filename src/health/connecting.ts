import { type Clock, pause } from '../clock/clock.js';
import { type RedisFailure, sortFailure } from '../policy/outage.js';
import { IoredisConnection } from '../redis/ioredis.js';
import type { RedisConnection } from '../redis/redis-connection.js';

/** How often a connection that is away is looked at. */
const LOOK_EVERY_MS = 20;

/** What a client's `error` events said since it last was connected. */
interface Heard {
  failure: RedisFailure | undefined;
}

const heardFrom = new WeakMap<object, Heard>();

/**
 * Resolves with true when the client is connected, with false when `signal` is aborted before, so that nothing is given to an
 * offline queue. Rejects as soon as the client has tried to connect in vain; one that connects for the first time, or again
 * after a cut, is waited for.
 */
export async function untilConnected(
  connection: RedisConnection,
  clock: Clock,
  signal: AbortSignal,
): Promise<boolean> {
  const heard = listenTo(connection);
  if (connection instanceof IoredisConnection) connection.wake();
  while (!isConnected(connection)) {
    if (heard.failure && heard.failure.kind !== 'connection-lost') throw heard.failure;
    await pause(clock, LOOK_EVERY_MS, { background: true, signal });
    if (signal.aborted) return false;
  }
  return true;
}

function isConnected(connection: RedisConnection): boolean {
  // What is ready in other eyes, since it connects on its first command, would keep that command until it has.
  const isConnecting = connection instanceof IoredisConnection && connection.client.status !== 'ready';
  return connection.isReady && !isConnecting;
}

/** Listens once a client, for the client's life: a listener for each check would be a leak under load. */
function listenTo(connection: RedisConnection): Heard {
  const client = typeof connection.client === 'object' ? connection.client : null;
  const known = heardFrom.get(client ?? connection);
  if (known) return known;
  const heard: Heard = { failure: undefined };
  heardFrom.set(client ?? connection, heard);
  connection.listen({
    up() {
      heard.failure = undefined;
    },
    down() {},
    error(error) {
      heard.failure = sortFailure(error, false);
    },
  });
  return heard;
}
