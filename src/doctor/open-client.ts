import { systemClock } from '../clock/clock.js';
import { within } from '../policy/within.js';
import { recogniseClient } from '../redis/connect.js';
import { loadPackage } from '../redis/load-package.js';
import type { RedisConnection } from '../redis/redis-connection.js';
import type { Address } from './target.js';

/** No Redis client is installed that could be loaded. */
export class NoClientError extends Error {
  override readonly name = 'NoClientError';

  constructor(
    message = 'A Redis client is needed to connect with: npm install ioredis (or: npm install redis)',
  ) {
    super(message);
  }
}

/** Makes a connection of our own to `address`; the caller destroys it. Rejects with what the client says when it cannot connect. */
export type OpenClient = (address: Address, timeoutMs: number) => Promise<RedisConnection>;

export type ClientPackage = 'ioredis' | 'redis';

/** Loads the first of `packages` that is installed. Rejects with {@link NoClientError} when none is. */
export async function loadClient(
  packages: readonly ClientPackage[] = ['ioredis', 'redis'],
): Promise<OpenClient> {
  for (const name of packages) {
    const open = await (name === 'ioredis' ? loadIoredis() : loadNodeRedis());
    if (open) return open;
  }
  throw new NoClientError();
}

async function loadIoredis(): Promise<OpenClient | undefined> {
  const ioredis = await loadPackage<typeof import('ioredis')>('ioredis');
  return ioredis && openIoredis(ioredis.Redis);
}

async function loadNodeRedis(): Promise<OpenClient | undefined> {
  const redis = await loadPackage<typeof import('redis')>('redis');
  return redis && openNodeRedis(redis.createClient);
}

// Neither client sends what nobody asked for (CLIENT SETINFO, INFO), which a user of few rights may not, and neither
// connects a second time. RESP 2, so that replies have one shape on every server.

export function openIoredis(Redis: typeof import('ioredis').Redis): OpenClient {
  return async ({ host, port, username, password, db, tls }, timeoutMs) => {
    const client = new Redis({
      ...{ host, port, db, connectTimeout: timeoutMs, lazyConnect: true },
      ...{ enableReadyCheck: false, disableClientInfo: true, protocol: 2 as const },
      ...{ retryStrategy: null, maxRetriesPerRequest: 0, autoResendUnfulfilledCommands: false },
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      ...(tls && { tls }),
    });
    return opened(client, timeoutMs);
  };
}

export function openNodeRedis(createClient: typeof import('redis').createClient): OpenClient {
  return async ({ host, port, username, password, db, tls }, timeoutMs) => {
    const socket = { host, port, connectTimeout: timeoutMs, reconnectStrategy: false as const };
    const client = createClient({
      ...{ database: db, RESP: 2 as const, disableClientInfo: true, disableOfflineQueue: true },
      socket: tls ? { ...tls, ...socket, tls: true } : socket,
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
    });
    return opened(client, timeoutMs);
  };
}

interface Connectable {
  connect(): Promise<unknown>;
  on(event: 'error', listener: (error: unknown) => void): unknown;
}

async function opened(client: Connectable, timeoutMs: number): Promise<RedisConnection> {
  // ioredis rejects with "Connection is closed."; why, only its event says.
  let why: unknown;
  client.on('error', (error) => {
    why ??= error;
  });
  const connection = recogniseClient(client);
  if (!connection)
    throw new NoClientError('The installed Redis client is of a major that the library does not know.');
  try {
    // Their own timeout ends when the port accepts: node-redis would wait for a server that hangs for ever.
    await within(systemClock, timeoutMs, client.connect());
    return connection;
  } catch (error) {
    connection.destroy();
    throw why ?? error;
  }
}
