import type { BackupDurability } from '../backup/backup-store.js';
import type { BreakerState } from '../policy/default-policy.js';
import type { FailureKind } from '../policy/outage.js';
import type { ReplayProgress } from '../replay/replayer.js';
import type { Totals } from './totals.js';

/**
 * - `up`: the breaker is closed and nothing is pending (parked jobs do not count).
 * - `recovering`: Redis takes writes; the backlog is being replayed.
 * - `degraded`: an outage, or isolated by hand, or jobs wait and Redis has taken none yet; the backup accepts.
 * - `down`: the same, and the backup refuses; or the queue is closed. Closing it emits no `health` event.
 */
export type HealthStatus = 'up' | 'recovering' | 'degraded' | 'down';

/** `closing`: `close()` has been called. `closed`: it has resolved, or is about to, and every `enqueue()` has its answer. */
export type QueuePhase = 'open' | 'closing' | 'closed';

/** How the queue is. Has no address, name of a host or payload in it. */
export interface HealthReport {
  readonly status: HealthStatus;
  /** When the status became what it is; epoch ms. */
  readonly since: number;
  readonly queue: string;
  /** From `closing` on the queue takes no jobs, and asks Redis nothing for a report: what is said of Redis is of before. */
  readonly phase: QueuePhase;
  readonly redis: {
    /** It answered last time, if only with a refusal. */
    readonly reachable: boolean;
    /** It took a write last time. */
    readonly writable: boolean;
    /** Of the last answer to a write, ms; undefined before the first. */
    readonly latencyMs: number | undefined;
    readonly lastError: { readonly kind: FailureKind; readonly at: number } | undefined;
  };
  readonly breaker: BreakerState;
  readonly backup: {
    readonly pending: number;
    /** Pending jobs that Redis may have already. */
    readonly unknown: number;
    readonly parked: number;
    /** Undefined where the store does not say. */
    readonly bytes: number | undefined;
    /** The most jobs it may hold: `backupLimit.jobs`. */
    readonly capacity: number;
    /** `enqueuedAt` of the oldest pending job; epoch ms. */
    readonly oldestAt: number | undefined;
    readonly durability: BackupDurability;
    /** It took the last append, and has room. */
    readonly writable: boolean;
  };
  readonly replay: ReplayProgress;
  readonly totals: Totals;
}

/** The queue takes no jobs any more. Somebody else's may not say so. */
export const isEnding = ({ phase }: HealthReport): boolean => phase === 'closing' || phase === 'closed';
