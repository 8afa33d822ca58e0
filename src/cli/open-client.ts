import { systemClock } from '../clock/clock.js';
import { scrub } from '../errors/scrub.js';
import { within } from '../policy/within.js';
import { recogniseClient } from '../redis/connect.js';
import { loadPackage } from '../redis/load-package.js';
import type { RedisConnection } from '../redis/redis-connection.js';

const CONNECT_MS = 10_000;

/** A connected client of the command's own. */
export interface OpenedClient extends AsyncDisposable {
  readonly redis: RedisConnection;
}

/**
 * Connects to `url` by ioredis or node-redis, whichever of `packages` is installed. Rejects where none is, or Redis cannot be reached.
 */
export async function openClient(
  url: string,
  packages: readonly ClientPackage[] = ['ioredis', 'redis'],
  connectMs = CONNECT_MS,
): Promise<OpenedClient> {
  if (!/^rediss?:\/\//.test(url)) throw new Error('The URL of Redis must begin with redis:// or rediss://.');
  for (const name of packages) {
    const opened =
      name === 'ioredis' ? await openIoredis(url, connectMs) : await openNodeRedis(url, connectMs);
    if (opened) return opened;
  }
  throw new Error('Neither "ioredis" nor "redis" is installed: npm install ioredis');
}

type ClientPackage = 'ioredis' | 'redis';

async function openIoredis(url: string, connectMs: number): Promise<OpenedClient | undefined> {
  const ioredis = await loadPackage<IoredisModule>('ioredis');
  if (!ioredis) return undefined;
  const Redis = ioredis.Redis ?? ioredis.default;
  const client = new Redis(url, {
    lazyConnect: true,
    connectTimeout: connectMs,
    retryStrategy: () => null,
    // It needs INFO, and complains to the console where it may not have it.
    enableReadyCheck: false,
  });
  return open(client, connectMs, () => client.disconnect());
}

async function openNodeRedis(url: string, connectMs: number): Promise<OpenedClient | undefined> {
  const nodeRedis = await loadPackage<NodeRedisModule>('redis');
  if (!nodeRedis) return undefined;
  const socket = { connectTimeout: connectMs, reconnectStrategy: false } as const;
  const client = nodeRedis.createClient({ url, socket });
  return open(client, connectMs, () => client.isOpen && client.destroy());
}

interface Connectable {
  connect(): Promise<unknown>;
  on(event: 'error', listener: (error: unknown) => void): unknown;
}

interface IoredisModule {
  readonly Redis?: new (url: string, options: object) => Connectable & { disconnect(): void };
  readonly default: new (url: string, options: object) => Connectable & { disconnect(): void };
}

interface NodeRedisModule {
  createClient(options: object): Connectable & { readonly isOpen: boolean; destroy(): void };
}

async function open(client: Connectable, connectMs: number, end: () => unknown): Promise<OpenedClient> {
  // ioredis rejects with "Connection is closed."; why, only its event says.
  let why: unknown;
  client.on('error', (error) => {
    why ??= error;
  });
  const redis = recogniseClient(client);
  try {
    if (!redis) throw new Error('The installed Redis client is none that the library knows.');
    // Their own timeout ends when the port accepts: node-redis would wait for a server that hangs for ever.
    await within(systemClock, connectMs, client.connect());
    return { redis, [Symbol.asyncDispose]: async () => void end() };
  } catch (error) {
    end();
    const cause = why ?? error;
    const text = cause instanceof Error && cause.message !== '' ? cause.message : 'no connection';
    throw new Error(`Redis cannot be reached: ${scrub(text)}`);
  }
}
