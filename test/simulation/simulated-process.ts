import {
  type BackupStore,
  type QueueEvents,
  type Receipt,
  ResilientQueue,
  type ResilientQueueError,
} from '../../src/index.js';
import { MortalClock } from './mortal-clock.js';
import { ObservedTransport } from './observed-transport.js';
import type { JobPlan, Place, Scenario } from './scenario.js';
import { SimulatedConnection } from './simulated-connection.js';
import type { SimulatedSite } from './simulated-site.js';
import { SimulatedStore } from './simulated-store.js';
import type { Trace } from './trace.js';
import type { VirtualClock } from './virtual-clock.js';

/** The name of the queue in every simulation. */
export const QUEUE = 'simulated';

const eventNames = [
  'health',
  'breaker',
  'outage',
  'enqueued',
  'backed-up',
  'replay',
  'parked',
  'dropped',
  'redis-data-loss',
  'error',
] as const satisfies readonly (keyof QueueEvents)[];

/** An event that a process's queue emitted. */
export type Seen = {
  readonly [Name in keyof QueueEvents]: { readonly name: Name; readonly event: QueueEvents[Name] };
}[keyof QueueEvents];

/** One call of `enqueue()` and what came of it. */
export interface Call {
  readonly number: number;
  readonly process: number;
  /** As far as the caller knows it. */
  id: string | undefined;
  readonly startedAt: number;
  readonly expiresAt: number | undefined;
  settledAt: number | undefined;
  outcome: Receipt | ResilientQueueError | undefined;
}

/** That Redis has a job, as a process was told. */
export interface Acknowledged {
  readonly call: number;
  readonly at: number;
  readonly outcome: 'delivered' | 'recognised' | 'duplicate';
  /** How long it had waited for the answer. */
  readonly tookMs: number;
}

/** A process with a queue, its client and its way to the store. It can be killed at any time. */
export class SimulatedProcess {
  readonly number: number;
  readonly place: Place;
  readonly queue: ResilientQueue<object>;
  readonly connection: SimulatedConnection;
  readonly store: SimulatedStore;
  readonly calls: Call[] = [];
  readonly seen: Seen[] = [];
  readonly acknowledged: Acknowledged[] = [];
  state: 'running' | 'closing' | 'closed' | 'dead' = 'running';
  readonly #time: VirtualClock;
  readonly #clock: MortalClock;
  readonly #trace: Trace;

  constructor(
    number: number,
    place: Place,
    scenario: Scenario,
    site: SimulatedSite,
    backup: BackupStore,
    time: VirtualClock,
    trace: Trace,
  ) {
    this.number = number;
    this.place = place;
    this.#time = time;
    this.#trace = (tell) => trace(() => `process ${number}: ${tell()}`);
    this.#clock = new MortalClock(time);
    this.connection = new SimulatedConnection(site, time, number, this.#trace);
    this.store = new SimulatedStore(backup, scenario.durability, time, this.#trace);
    this.queue = new ResilientQueue<object>(QUEUE, {
      ...scenario.options,
      redis: this.connection,
      backup: this.store,
      clock: this.#clock,
      transport: new ObservedTransport(time, ({ job, outcome, tookMs }) => {
        this.acknowledged.push({ call: Number(job.payload), at: time.now(), outcome, tookMs });
      }),
    });
    for (const name of eventNames) {
      this.queue.on(name, (event) => {
        this.seen.push({ name, event } as Seen);
        this.#trace(() => `event ${name} ${brief(event)}`);
      });
    }
  }

  get isAlive(): boolean {
    return this.state === 'running' || this.state === 'closing';
  }

  /** Enqueues a job whose payload is the call's number. */
  enqueue(number: number, plan: JobPlan, id: string | undefined): void {
    const now = this.#time.now();
    const expiresAt = plan.expiresInMs === undefined ? undefined : now + plan.expiresInMs;
    const call: Call = {
      number,
      process: this.number,
      id,
      startedAt: now,
      expiresAt,
      settledAt: undefined,
      outcome: undefined,
    };
    this.calls.push(call);
    const abort = new AbortController();
    const settle = (outcome: Receipt | ResilientQueueError, told: string) => {
      call.settledAt = this.#time.now();
      call.outcome = outcome;
      call.id = 'jobId' in outcome ? (outcome.jobId ?? call.id) : outcome.id;
      this.#trace(() => `call ${number} is told ${told}`);
    };
    this.#trace(() => `call ${number} ${JSON.stringify(plan)} ${id ?? ''}`);
    this.queue
      .enqueue('job' as never, number as never, {
        ...(id !== undefined && { id }),
        ...(expiresAt !== undefined && { expiresAt }),
        ...(plan.abortInMs !== undefined && { signal: abort.signal }),
      })
      .then(
        (receipt) => settle(receipt, `${receipt.outcome} (${receipt.id})`),
        (error: ResilientQueueError) => settle(error, `${error.code}, ${error.fate} (${error.jobId})`),
      );
    if (plan.abortInMs === 0) abort.abort();
    else if (plan.abortInMs !== undefined) this.#time.setTimeout(() => abort.abort(), plan.abortInMs);
  }

  /** Ends it as kill -9 does. */
  kill(): void {
    this.state = 'dead';
    this.#trace(() => 'is killed');
    this.#clock.kill();
    this.connection.kill();
    this.store.kill();
  }

  async close(timeoutMs: number): Promise<void> {
    this.state = 'closing';
    this.#trace(() => 'closes');
    const { pending } = await this.queue.close({ timeoutMs });
    if (this.state === 'closing') this.state = 'closed';
    this.#trace(() => `is closed with ${pending} pending`);
  }
}

function brief(event: QueueEvents[keyof QueueEvents]): string {
  if ('error' in event) return `${event.kind}: ${event.error.message}`;
  if ('status' in event) return event.status;
  const { queue: _queue, ...rest } = event;
  return JSON.stringify(rest);
}
