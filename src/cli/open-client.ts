import { type ClientPackage, loadClient, NoClientError } from '../doctor/open-client.js';
import { parseTarget } from '../doctor/target.js';
import { scrub } from '../errors/scrub.js';
import type { RedisConnection } from '../redis/redis-connection.js';

const CONNECT_MS = 10_000;

/** A connected client of the command's own. */
export interface OpenedClient extends AsyncDisposable {
  readonly redis: RedisConnection;
}

/** Connects to `url` by the first of `packages` that is installed. Rejects where none is, or Redis cannot be reached. */
export async function openClient(
  url: string,
  packages?: readonly ClientPackage[],
  connectMs = CONNECT_MS,
): Promise<OpenedClient> {
  const address = parseTarget(url);
  const open = await loadClient(packages);
  try {
    const redis = await open(address, connectMs);
    return { redis, [Symbol.asyncDispose]: async () => redis.destroy() };
  } catch (error) {
    if (error instanceof NoClientError) throw error;
    const text = error instanceof Error && error.message !== '' ? error.message : 'no connection';
    throw new Error(`Redis cannot be reached: ${scrub(text)}`);
  }
}
