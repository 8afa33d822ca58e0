/** Redis's names for what a queue keeps beside its jobs. The braces put all of it into one hash slot. */
export interface QueueKeys {
  /** The canary: written to see whether Redis takes writes. */
  readonly canary: string;
  /** Sorted set: epoch → when it was last used, epoch seconds of the server. */
  readonly epochs: string;
  /** The bitmap of an epoch. */
  seen(epoch: string): string;
  /** The marker of a caller's id. */
  marker(id: string): string;
}

/** The names of what the library itself keeps in Redis for the queue called `queue`; those of its jobs are the transport's. */
export function queueKeys(queue: string): QueueKeys {
  const prefix = `rsq:{${queue}}:`;
  const seen = `${prefix}seen:`;
  const marker = `${prefix}id:`;
  return {
    canary: `${prefix}canary`,
    epochs: `${prefix}epochs`,
    seen: (epoch) => seen + epoch,
    marker: (id) => marker + id,
  };
}
