/**
 * The part of a BullMQ `Queue` (5.18 and later, or 6) that is used. Its own type says how jobs are named, what they carry and which
 * options they may have.
 */
export interface BullMqQueue {
  readonly name: string;
  /** The names that BullMQ gave to keys of the queue itself. */
  readonly keys: { readonly [name: string]: string };
  toKey(type: string): string;
  add(name: never, data: never, options?: never): Promise<unknown>;
  addBulk(jobs: never): Promise<unknown>;
}

/** The options of its `add()`. */
export type AddOptions<Q extends BullMqQueue> = Q['add'] extends (
  name: never,
  data: never,
  options?: infer Options,
) => unknown
  ? NonNullable<Options>
  : never;

/** One job as `add()` takes it. */
export interface BullMqJob {
  readonly name: string;
  readonly data: unknown;
  readonly opts: { readonly jobId: string; readonly [option: string]: unknown };
}

/** A job as it is answered. */
export type Added = { readonly id?: unknown } | undefined;

/** The same queue as it is called and looked into here, whatever its types say. */
export interface Producer {
  readonly name: string;
  readonly keys: { readonly [name: string]: string };
  /** Set once somebody closes it. */
  readonly closing?: unknown;
  readonly opts?: { readonly connection?: unknown } | undefined;
  readonly defaultJobOptions?: { readonly [option: string]: unknown } | undefined;
  /** BullMQ 5: resolves when the client has been connected once. */
  readonly client?: Promise<unknown>;
  /** BullMQ 6. */
  getBackend?(): { readonly client?: Promise<unknown> };
  removeDeduplicationKey?(id: string): Promise<unknown>;
  on?(event: 'error', listener: (error: unknown) => void): unknown;
  off?(event: 'error', listener: (error: unknown) => void): unknown;
  toKey(type: string): string;
  add(name: string, data: unknown, options: BullMqJob['opts']): Promise<Added>;
}
