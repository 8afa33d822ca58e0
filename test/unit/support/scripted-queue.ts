import type { CheckOptions, HealthReport, HealthStatus, QueueStatus } from '../../../src/index.js';

/** A queue that says of itself what the test likes, and counts how often it is asked. */
export class ScriptedQueue implements QueueStatus {
  readonly name: string;
  status: HealthStatus = 'up';
  pending = 0;
  capacity = 100;
  /** By default, unless it is `down`. */
  takesBackups: boolean | undefined;
  redis = { reachable: true, writable: true };
  checks = 0;
  reports = 0;
  timeoutMs: number | undefined;
  /** What `check()` does instead of answering. */
  instead: (() => Promise<HealthReport>) | undefined;

  constructor(name = 'orchestrator') {
    this.name = name;
  }

  health(): HealthReport {
    this.reports += 1;
    const idle = { active: false, replayed: 0, remaining: this.pending, perSecond: 0, etaMs: undefined };
    return {
      ...{ status: this.status, since: 0, queue: this.name, phase: 'open', breaker: 'closed' },
      redis: { ...this.redis, latencyMs: 1, lastError: { kind: 'timeout', at: 0 } },
      backup: {
        ...{ pending: this.pending, capacity: this.capacity, unknown: 0, parked: 0, bytes: undefined },
        ...{
          oldestAt: undefined,
          durability: 'memory',
          writable: this.takesBackups ?? this.status !== 'down',
        },
      },
      replay: idle,
      totals: {
        ...{ accepted: 0, delivered: 0, recognised: 0, pending: this.pending, parked: 0, dropped: 0 },
        ...{ rejected: 0, duplicates: 0, redelivered: 0, inherited: 0 },
      },
    };
  }

  async check(options: CheckOptions = {}): Promise<HealthReport> {
    this.checks += 1;
    this.timeoutMs = options.timeoutMs;
    return this.instead ? this.instead() : this.health();
  }

  on(): this {
    return this;
  }

  off(): this {
    return this;
  }
}
