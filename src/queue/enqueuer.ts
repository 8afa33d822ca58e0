import type { StreamsTransport } from '../transport/streams.js';
import type { Transport } from '../transport/transport.js';
import type { EnqueueOptions } from './enqueue-options.js';
import type { Receipt } from './receipt.js';

/** Job names and the types of their payloads, where the caller gave none. */
export type UntypedJobs = Record<string, unknown>;

/** What follows the name in `enqueue()`: the payload may be left out where its type admits `undefined`. */
export type PayloadAndOptions<Payload, T extends Transport> = undefined extends Payload
  ? [payload?: Payload, options?: EnqueueOptions<T>]
  : [payload: Payload, options?: EnqueueOptions<T>];

/** One job of `enqueueMany()`. */
export type JobInput<Jobs, T extends Transport = Transport> = {
  [Name in keyof Jobs & string]: {
    readonly name: Name;
    readonly options?: EnqueueOptions<T>;
  } & (undefined extends Jobs[Name] ? { readonly payload?: Jobs[Name] } : { readonly payload: Jobs[Name] });
}[keyof Jobs & string];

/** What application code depends on, and tests fake. */
export interface Enqueuer<Jobs = UntypedJobs, T extends Transport = StreamsTransport> {
  enqueue<Name extends keyof Jobs & string>(
    name: Name,
    ...rest: PayloadAndOptions<Jobs[Name], T>
  ): Promise<Receipt>;
  enqueueMany(jobs: readonly JobInput<Jobs, T>[]): Promise<Receipt[]>;
}
