import type { Clock } from '../clock/clock.js';
import { scrubbed } from '../errors/scrub.js';
import { RedisFailure } from '../policy/outage.js';
import { within } from '../policy/within.js';
import { FillRate } from './fill-rate.js';
import { type HealthReport, type HealthStatus, isEnding } from './health-report.js';
import type { BackupBudget } from './health-result.js';
import type { QueueStatus } from './queue-status.js';

/** What a look at a queue showed. */
export interface QueueSight {
  readonly queue: string;
  /** Undefined when the queue could not say. */
  readonly report: HealthReport | undefined;
  /** Redis took the canary of this very look. */
  readonly isRedisWritable: boolean;
  readonly isRedisReachable: boolean;
  readonly backup: BackupBudget | undefined;
  /** Why the queue could not say. */
  readonly error: Error | undefined;
}

const states: ReadonlySet<unknown> = new Set([
  'up',
  'recovering',
  'degraded',
  'down',
] satisfies HealthStatus[]);

/** Looks at a queue, which may be anybody's, and remembers how its backup fills. */
export class QueueWatch {
  readonly #queue: QueueStatus;
  readonly #name: string;
  readonly #clock: Clock;
  readonly #rate = new FillRate();

  constructor(queue: QueueStatus, clock: Clock) {
    this.#queue = queue;
    this.#name = queue.name;
    this.#clock = clock;
  }

  /** Resolves after `timeoutMs` at the latest; never rejects. */
  async look(timeoutMs: number): Promise<QueueSight> {
    const queue = this.#name;
    try {
      const { report, isAnswered } = await this.#ask(timeoutMs);
      const { reachable, writable } = report.redis;
      const isNews = isAnswered && !isEnding(report);
      return {
        queue,
        report,
        isRedisReachable: isNews && reachable,
        isRedisWritable: isNews && reachable && writable,
        backup: this.#budget(report),
        error: undefined,
      };
    } catch (error) {
      const nothing = { report: undefined, backup: undefined };
      return { queue, ...nothing, isRedisReachable: false, isRedisWritable: false, error: scrubbed(error) };
    }
  }

  async #ask(timeoutMs: number): Promise<{ report: HealthReport; isAnswered: boolean }> {
    try {
      const report = await within(this.#clock, timeoutMs, this.#queue.check({ timeoutMs }));
      return { report: checked(report), isAnswered: true };
    } catch (error) {
      // A queue keeps its own time; one that does not still has its memory.
      const isLate = error instanceof RedisFailure && error.kind === 'timeout';
      if (!isLate) throw error;
      return { report: checked(this.#queue.health()), isAnswered: false };
    }
  }

  #budget(report: HealthReport): BackupBudget {
    const { pending, capacity, writable } = report.backup;
    this.#rate.saw(pending, this.#clock.monotonicMs());
    // It may be full of bytes, or refuse for a reason of its own.
    const jobsLeft = writable && !isEnding(report) ? Math.max(0, capacity - pending) : 0;
    return { pending, capacity, jobsLeft, secondsUntilFull: this.#rate.secondsUntilFull(jobsLeft) };
  }
}

function checked(report: HealthReport): HealthReport {
  const isReport = states.has(report?.status) && report.redis && report.backup;
  if (!isReport) throw new TypeError('The queue answered with no HealthReport.');
  return report;
}
