import { IoredisConnection, isIoredis } from './ioredis.js';
import { isNodeRedis, NodeRedisConnection } from './node-redis.js';
import { isRedisConnection, type RedisConnection } from './redis-connection.js';

/** Our view of `client`, or undefined when it is no client that the library knows. */
export function recogniseClient(client: unknown): RedisConnection | undefined {
  if (typeof client !== 'object' || client === null) return undefined;
  if (isRedisConnection(client)) return client;
  if (isIoredis(client)) return new IoredisConnection(client);
  if (isNodeRedis(client)) return new NodeRedisConnection(client);
  return undefined;
}

/** The same for a client that a factory made for us: it is connected if its maker left that to us. */
export function adoptClient(client: unknown): RedisConnection | undefined {
  const connection = recogniseClient(client);
  if (connection instanceof NodeRedisConnection) connection.connect();
  return connection;
}
