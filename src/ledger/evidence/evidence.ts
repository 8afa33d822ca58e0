import type { RedisConnection } from '../../redis/redis-connection.js';
import type { Evicted } from '../asked-connection.js';
import type { JobBook } from '../job-book.js';

/** What is asked of Redis, and of whom. */
export interface Inquiry {
  readonly connection: RedisConnection;
  readonly queue: string;
  readonly book: JobBook;
  /** Deliveries of jobs that were accepted before this, epoch ms, Redis may have forgotten. */
  readonly deliveriesSince: number;
  /** Likewise ids of callers. */
  readonly callersSince: number;
  /** How long a delivery is known, ms. */
  readonly generatedMs: number;
  /** Likewise an id of a caller. */
  readonly callerMs: number;
  readonly evicted: Evicted;
}

/** How it is found out which jobs of a transport were laid down. */
export interface Evidence {
  /** Marks the jobs that stand in their queue now, and those that do twice. */
  lookIntoQueue(inquiry: Inquiry): Promise<void>;
  /** Marks, of the others, those that were laid down once, and those of which Redis may have forgotten it. */
  lookForTraces(inquiry: Inquiry): Promise<void>;
}
