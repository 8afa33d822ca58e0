import type { OptionsOf, Transport } from '../transport/transport.js';

/** Options of one job. */
export interface EnqueueOptions<T extends Transport = Transport> {
  /**
   * Your own id for the job, 1 to 256 bytes of UTF-8 without control characters: enqueued again within
   * `recognition.callerMs`, it is a `duplicate`. @default the delivery id
   */
  readonly id?: string | undefined;
  /** Takes the job back until it is sent; then it has no effect. */
  readonly signal?: AbortSignal | undefined;
  /** Laid down with the job; for example a `traceparent`. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Not to be run before: a `Date` or epoch ms. */
  readonly runAt?: Date | number | undefined;
  /** Dropped, and reported, if it still waits then: a `Date` or epoch ms. */
  readonly expiresAt?: Date | number | undefined;
  /** Jobs of one key are run in their order. Refused by transports without partitions. */
  readonly orderingKey?: string | undefined;
  /** What Redis must have reached before the receipt; only `acked` in this release. @default 'acked' */
  readonly durability?: 'acked' | undefined;
  /** The transport's own options. */
  readonly transport?: OptionsOf<T> | undefined;
}
