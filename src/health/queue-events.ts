import type { ResilientQueueError } from '../errors/resilient-queue-error.js';
import type { BreakerState } from '../policy/default-policy.js';
import type { FailureKind } from '../policy/outage.js';
import type { ReplayProgress } from '../replay/replayer.js';
import type { ParkReason } from '../replay/triage.js';
import type { HealthReport } from './health-report.js';

/** An outage began, or is over. */
export interface OutageEvent {
  readonly queue: string;
  readonly phase: 'started' | 'ended';
  /** What Redis or its client said first. */
  readonly kind: FailureKind;
  /** Epoch ms. */
  readonly startedAt: number;
  /** Until now; 0 when it starts. */
  readonly durationMs: number;
  /** Jobs that went to the backup because of it, so far: those by which it was noticed included. */
  readonly backedUp: number;
  /** Of these, jobs that Redis may have already. */
  readonly unknown: number;
  /** Jobs that neither Redis nor the backup took, so far. */
  readonly rejected: number;
}

/** A batch of jobs was laid down. */
export interface EnqueuedEvent {
  readonly queue: string;
  readonly ids: readonly string[];
}

/** A batch of jobs went to the backup: accepted just now, or laid down once, lost by Redis, and not to be laid down again now. */
export interface BackedUpEvent {
  readonly queue: string;
  readonly ids: readonly string[];
  /** Of these, jobs that Redis may have already. */
  readonly unknown: number;
}

/** Calls were answered `duplicate`: a job of their id was there already. */
export interface DuplicateEvent {
  readonly queue: string;
  readonly ids: readonly string[];
}

export interface ReplayEvent extends ReplayProgress {
  readonly queue: string;
  readonly phase: 'started' | 'progress' | 'finished';
}

/** A job was set aside: it waits for a person. */
export interface ParkedEvent {
  readonly queue: string;
  readonly id: string;
  readonly name: string;
  readonly reason: ParkReason;
  /** What Redis said, scrubbed; where it said anything. */
  readonly text: string | undefined;
}

/** A job was given up. */
export interface DroppedEvent {
  readonly queue: string;
  readonly id: string;
  readonly name: string;
  /**
   * `closed`: it was in a memory backup whose last queue closed. `lost`: Redis had acknowledged it and lost it, and then neither
   * Redis nor the backup took it.
   */
  readonly reason: 'expired' | 'superseded' | 'closed' | 'lost';
}

/** Redis had lost writes that it had acknowledged: a failover, a restart without persistence, a FLUSHALL. */
export interface RedisDataLossEvent {
  readonly queue: string;
  /** Jobs that were remembered when the loss was found: some of them, or all, were lost. */
  readonly remembered: number;
  /** Of these, lost, and laid down again. 0 with `onLoss: 'report'`. */
  readonly redelivered: number;
  /** Of these, still there. 0 with `onLoss: 'report'`. */
  readonly recognised: number;
  /** The loss may reach further back than the queue remembers: jobs before that are lost, if nobody ran them. */
  readonly windowExceeded: boolean;
}

/** Something went wrong that no caller's promise tells. */
export interface ErrorEvent {
  readonly queue: string;
  /** Listeners of one kind are told apart by it: a failure's kind, `backup`, `listener` or `configuration`. */
  readonly kind: FailureKind | 'backup' | 'listener' | 'configuration';
  readonly error: Error | ResilientQueueError;
}

/** Every event and what it carries. New events, and new fields, may appear in minor releases. */
export interface QueueEvents {
  /** The status changed: once a change. */
  health: HealthReport;
  breaker: { readonly queue: string; readonly state: BreakerState; readonly previous: BreakerState };
  outage: OutageEvent;
  enqueued: EnqueuedEvent;
  'backed-up': BackedUpEvent;
  duplicate: DuplicateEvent;
  replay: ReplayEvent;
  parked: ParkedEvent;
  dropped: DroppedEvent;
  'redis-data-loss': RedisDataLossEvent;
  /** Without a listener each kind is a process warning, once. */
  error: ErrorEvent;
}

/** Called with an event. What it throws, or rejects with, changes nothing but is an `error` event. */
export type Listener<Name extends keyof QueueEvents> = (event: QueueEvents[Name]) => unknown;
