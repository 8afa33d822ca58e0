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
  /** How long Redis remembers deliveries, and ids of callers; ms. */
  readonly windows: { readonly generatedMs: number; readonly callerMs: number };
  /** Redis has evicted keys, and so perhaps what it remembers for a while only. */
  readonly hasEvicted: boolean;
}

/** How it is found out which jobs of a transport were laid down. */
export interface Evidence {
  /** Marks the jobs that stand in their queue now, and those that do twice. */
  lookIntoQueue(inquiry: Inquiry): Promise<void>;
  /** Marks, of the others, those that were laid down once, and those of which Redis may have forgotten it. */
  lookForTraces(inquiry: Inquiry): Promise<void>;
}

/** Commands that are on their way at once. */
const AT_ONCE = 256;

/** `things`, so many at a time. */
export function* batches<T>(things: Iterable<T>, size = AT_ONCE): Generator<T[]> {
  let batch: T[] = [];
  for (const thing of things) {
    batch.push(thing);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** A reply that has to be a list. */
export function listOf(reply: unknown): readonly unknown[] {
  if (Array.isArray(reply)) return reply;
  throw new Error(
    'Redis answered something else than was asked for: the client has lost step with its connection.',
  );
}
