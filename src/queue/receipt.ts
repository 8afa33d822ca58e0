/** What `enqueue()` resolves with: where the job is now, and what it survives there. */
export type Receipt =
  /** Laid down in its queue; Redis acknowledged it. */
  | {
      readonly id: string;
      readonly outcome: 'enqueued';
      readonly durability: 'acked' | 'fsynced' | 'replicated';
    }
  /** Kept by the backup store, and replayed by itself once Redis takes writes. */
  | {
      readonly id: string;
      readonly outcome: 'backed-up';
      readonly durability: 'memory' | 'fsynced' | 'replicated';
    }
  /** A job of this id is in the queue or the backup already; this one was not added, and its payload is not used. */
  | { readonly id: string; readonly outcome: 'duplicate' };
