import { Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis5';
import { createClient } from 'redis';
import { createClient as createClient5 } from 'redis5';
import type { RedisClient } from '../../src/index.js';

interface Address {
  readonly port: number;
  readonly username?: string;
  readonly password?: string;
}

/** A client as its users configure it. */
export interface ClientKind {
  readonly name: string;
  /** Makes one and lets it connect; Redis may be down. */
  make(address: Address): { readonly client: RedisClient; end(): void };
}

// The settings that docs recommend: nothing waits, nothing is sent twice behind the caller's back.
const strict = {
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  commandTimeout: 1000,
  connectTimeout: 1000,
  socketTimeout: 2000,
  retryStrategy: (attempt: number) => Math.min(50 * 2 ** attempt, 1000),
};

export const ioredisDefault: ClientKind = {
  name: 'ioredis 6, defaults',
  make(address) {
    const client = new Redis(address);
    client.on('error', () => {}); // else it prints each
    return { client, end: () => client.disconnect() };
  },
};

export const ioredisStrict: ClientKind = {
  name: 'ioredis 6, strict',
  make(address) {
    const client = new Redis({ ...address, ...strict });
    client.on('error', () => {});
    return { client, end: () => client.disconnect() };
  },
};

export const ioredis5Default: ClientKind = {
  name: 'ioredis 5, defaults',
  make(address) {
    const client = new Redis5(address);
    client.on('error', () => {});
    return { client, end: () => client.disconnect() };
  },
};

export const nodeRedisDefault: ClientKind = {
  name: 'node-redis 6, defaults',
  make({ port, username, password }) {
    const credentials = username ? { username, ...(password && { password }) } : {};
    const client = createClient({ socket: { port, host: '127.0.0.1' }, ...credentials });
    // As most services do it; while Redis was never up this stays pending.
    client.connect().catch(() => {});
    return { client, end: () => client.destroy() };
  },
};

export const nodeRedis5Default: ClientKind = {
  name: 'node-redis 5, defaults',
  make({ port, username, password }) {
    const credentials = username ? { username, ...(password && { password }) } : {};
    const client = createClient5({ socket: { port, host: '127.0.0.1' }, ...credentials });
    client.connect().catch(() => {});
    return { client, end: () => client.destroy() };
  },
};
