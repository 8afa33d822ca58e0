import type { HealthReport } from './health-report.js';
import type { Listener, QueueEvents } from './queue-events.js';

/** How to ask for a canary. */
export interface CheckOptions {
  /** The most the check takes, ms. @default `attemptTimeoutMs` of the queue */
  readonly timeoutMs?: number | undefined;
  /** Ends the wait; the report is then made from memory. */
  readonly signal?: AbortSignal | undefined;
}

/** How a queue's jobs are laid down, and how long it is known afterwards that they were. */
export interface QueueRecognition {
  /** The transport's name. */
  readonly transport: string;
  /** How long deliveries are known, ms. */
  readonly generatedMs: number;
  /** How long ids that callers gave are known, ms. */
  readonly callerMs: number;
}

/** What health checks, metrics and status pages need of a queue, whatever jobs it carries. */
export interface QueueStatus {
  readonly name: string;
  /** Left out: nobody can tell. */
  readonly recognition?: QueueRecognition | undefined;
  /** The report from memory, at once. */
  health(): HealthReport;
  /**
   * The report after a canary has been written, or has not been within the time; a client that is just connecting is waited for.
   * Never rejects because of Redis.
   */
  check(options?: CheckOptions): Promise<HealthReport>;
  on<Name extends keyof QueueEvents>(name: Name, listener: Listener<Name>): this;
  off<Name extends keyof QueueEvents>(name: Name, listener: Listener<Name>): this;
}
