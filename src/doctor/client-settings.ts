import { recogniseClient } from '../redis/connect.js';
import { IoredisConnection } from '../redis/ioredis.js';
import { NodeRedisConnection } from '../redis/node-redis.js';
import type { RedisConnection } from '../redis/redis-connection.js';

type Settings = Readonly<Record<string, unknown>>;

/** What a client was made with, and who listens to it. */
export interface ClientSettings {
  readonly kind: 'ioredis' | 'node-redis' | 'other';
  readonly options: Settings;
  /** Listeners of `error`, as its owner made it; undefined where that cannot be counted. */
  readonly errorListeners: number | undefined;
}

/** Of a connection's client. To be read before anybody of ours listens to it. */
export function settingsOf(connection: RedisConnection): ClientSettings {
  const seen = recogniseClient(connection.client) ?? connection;
  const kind =
    seen instanceof IoredisConnection
      ? 'ioredis'
      : seen instanceof NodeRedisConnection
        ? 'node-redis'
        : 'other';
  const client = connection.client as {
    readonly options?: unknown;
    listenerCount?(event: string): number;
  } | null;
  return {
    kind,
    options: asSettings(client?.options),
    errorListeners: typeof client?.listenerCount === 'function' ? client.listenerCount('error') : undefined,
  };
}

export function asSettings(value: unknown): Settings {
  return typeof value === 'object' && value !== null ? (value as Settings) : {};
}
