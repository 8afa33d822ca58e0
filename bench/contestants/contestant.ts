/** Somebody who lays jobs down, with a connection and keys of their own. */
export interface Contestant {
  readonly name: string;
  /** The Redis command that lays a job down. */
  readonly command: 'xadd' | 'evalsha';
  /** Lays the next job down. */
  enqueue(): Promise<unknown>;
  /** Another way of the same producer: the next `count` jobs in one call. */
  readonly many?: { readonly name: string; enqueue(count: number): Promise<unknown> };
  /** Jobs that stand in Redis. */
  laidDown(): Promise<number>;
  /** Deletes them, but nothing that the producer relies on. */
  clear(): Promise<unknown>;
  close(): Promise<unknown>;
}
