import type { HealthReport, HealthStatus } from './health-report.js';

/**
 * What is asked.
 *
 * - `liveness`: does this process answer at all? Never looks at Redis: a restart would not mend it, and would lose a memory backup.
 * - `readiness`: are jobs taken? Also while Redis is down, as long as the backup accepts.
 * - `startup`: have all queues been able to take jobs, once?
 * - `redis`: does every queue's Redis take writes, now?
 */
export type HealthProbe = 'liveness' | 'readiness' | 'startup' | 'redis';

/** `warn` is well for a load balancer (200), and worth a person's look. */
export type ProbeStatus = 'pass' | 'warn' | 'fail';

/** How full a queue's backup is. */
export interface BackupBudget {
  /** Jobs that wait in it. */
  readonly pending: number;
  /** The most jobs it may hold. */
  readonly capacity: number;
  /** Jobs it can still take: `capacity` less `pending`, and none when it refused the last one, or is full of bytes. */
  readonly jobsLeft: number;
  /**
   * At the rate of the last minute, as far as probes came in it; 0 when no job is left, undefined while it does not fill, or was not
   * watched for a second. The rate knows of `backupLimit.jobs` only, not of bytes and disks.
   */
  readonly secondsUntilFull: number | undefined;
}

/** One queue in the answer to a probe. */
export interface QueueHealth {
  /** Its name: a label of yours, which is the one text of yours in the answer. */
  readonly queue: string;
  readonly status: ProbeStatus;
  /** The queue's own word; undefined when it could not say. */
  readonly state: HealthStatus | undefined;
  readonly redis: { readonly reachable: boolean; readonly writable: boolean };
  /** Undefined when the queue could not say. */
  readonly backup: BackupBudget | undefined;
  /** Everything the queue reports; only with `details`. */
  readonly report?: HealthReport | undefined;
  /** Why the queue could not say, without addresses; only with `details`. */
  readonly error?: string | undefined;
}

/** The answer to a probe. Without `details` it is fit for strangers: no address, error or kind of failure is in it. */
export interface HealthResult {
  readonly probe: HealthProbe;
  /** That of the worst queue. */
  readonly status: ProbeStatus;
  /** One fixed sentence. */
  readonly message: string;
  /** When the first of the queues had been looked at; epoch ms. */
  readonly checkedAt: number;
  /** How long ago that was, ms: probes that come together share a look. */
  readonly ageMs: number;
  /** In the order they were given; none for `liveness`. */
  readonly queues: readonly QueueHealth[];
}
