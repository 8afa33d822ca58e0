import type { IoredisClient } from './ioredis.js';
import type { NodeRedisClient } from './node-redis.js';
import type { RedisConnection } from './redis-connection.js';

/** A client that the library knows: ioredis 5 and 6, node-redis 5 and 6, or your own {@link RedisConnection}. */
export type RedisClient = IoredisClient | NodeRedisClient | RedisConnection;
