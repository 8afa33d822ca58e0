import type { HealthReport, QueuePhase } from '../../../src/health/health-report.js';
import type { Listener, QueueEvents } from '../../../src/health/queue-events.js';
import type { QueueRecognition, QueueStatus } from '../../../src/health/queue-status.js';
import { Emitter } from '../../../src/queue/emitter.js';

/** A queue that tells what a test says, and does nothing else. */
export class ToldQueue implements QueueStatus {
  readonly name: string;
  recognition: QueueRecognition | undefined;
  phase: QueuePhase | undefined;
  readonly #emitter: Emitter;

  constructor(name = 'orders') {
    this.name = name;
    this.#emitter = new Emitter(name);
  }

  tell<Name extends keyof QueueEvents>(name: Name, event: Omit<QueueEvents[Name], 'queue'>): void {
    this.#emitter.emit(name, { queue: this.name, ...event } as QueueEvents[Name]);
  }

  accept(...ids: readonly string[]): void {
    this.tell('enqueued', { ids });
  }

  on<Name extends keyof QueueEvents>(name: Name, listener: Listener<Name>): this {
    this.#emitter.on(name, listener, false);
    return this;
  }

  off<Name extends keyof QueueEvents>(name: Name, listener: Listener<Name>): this {
    this.#emitter.off(name, listener);
    return this;
  }

  /** All that somebody asks of it; nothing where the queue is somebody's that cannot tell. */
  health(): HealthReport {
    if (this.phase === undefined) throw new Error('It cannot tell.');
    return { phase: this.phase } as HealthReport;
  }

  check(): Promise<HealthReport> {
    throw new Error('Nobody asks it.');
  }
}
