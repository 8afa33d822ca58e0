import type { RedisConnection } from '../../redis/redis-connection.js';
import type { JobBook } from '../job-book.js';

/** What is asked of Redis, and of whom. */
export interface Inquiry {
  readonly connection: RedisConnection;
  readonly queue: string;
  readonly book: JobBook;
  /** Those that are found already have not to be looked for again, and not to be counted once more. */
  readonly isSecondLook: boolean;
  /** Epoch ms. */
  readonly now: number;
  /** How long Redis surely remembers deliveries, and ids of callers; ms. */
  readonly windows: { readonly generatedMs: number; readonly callerMs: number };
  /** Redis has evicted keys that expire, and so perhaps what it remembers for a while only. */
  readonly hasEvicted: boolean;
}

/** How it is found out which jobs of a transport were laid down. */
export interface Evidence {
  /** Marks the jobs that stand in their queue now, and those that do twice. */
  lookIntoQueue(inquiry: Inquiry): Promise<void>;
  /** Marks, of the others, those that were laid down once, and those of which Redis may have forgotten it. */
  lookForTraces(inquiry: Inquiry): Promise<void>;
}
