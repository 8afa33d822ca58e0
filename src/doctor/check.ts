import type { QueueStatus } from '../health/queue-status.js';
import type { ClientSettings } from './client-settings.js';
import type { CheckGroup, FailureCause } from './doctor-report.js';
import type { DoctorTransport } from './needed-rights.js';
import type { Server } from './server.js';
import type { StageResult } from './stages/stage.js';

/** What is examined. */
export interface Patient {
  /** Redis, as far as it could be reached. */
  readonly server: Server;
  /** The stages of a connection of our own, or the one that a client's own connection has. */
  readonly stages: readonly StageResult[];
  /** The caller's client; undefined when only a URL is known. */
  readonly client: ClientSettings | undefined;
  readonly queue: QueueStatus | undefined;
  /** Whose keys the canary is written beside. */
  readonly queueName: string;
  /** Whose rights are looked at. */
  readonly transport: DoctorTransport;
  /** Whether Redis is a Sentinel. */
  readonly isSentinel: boolean;
}

/** What a check found out. */
export interface Finding {
  readonly verdict: 'pass' | 'warn' | 'fail';
  /** For people. Without an address, a password or an argument of anybody's command. */
  readonly value: string;
  /** The same for programs, where it is a number. */
  readonly observed?: number | undefined;
  /** What to do, in an imperative sentence. */
  readonly remedy?: string | undefined;
  readonly cause?: FailureCause | undefined;
}

/** One thing to look at. */
export interface Check {
  /** Stable: `<group>.<what>`. */
  readonly id: string;
  readonly group: CheckGroup;
  readonly title: string;
  /** Where the value is read. */
  readonly reads: string;
  /** What is well, and who says so. */
  readonly threshold: string;
  readonly source: string;
  /** Whether it is made of a Sentinel, too, which holds no data. */
  readonly isOfSentinels?: boolean;
  /** Rejects with {@link NotMade} when it cannot be made. */
  examine(patient: Patient): Finding | Promise<Finding>;
}

/**
 * - `not-applicable`: there is nothing to look at (no replica, no queue was given).
 * - `refused`: the server forbids or does not have the command.
 * - `unreachable`: Redis was not reached, or stopped to answer.
 * - `elsewhere`: it is to be looked at on another node of the cluster.
 */
export type NotMadeReason = 'not-applicable' | 'refused' | 'unreachable' | 'elsewhere';

/** Why a check was not made. Never a pass. */
export class NotMade extends Error {
  override readonly name = 'NotMade';
  readonly reason: NotMadeReason;

  constructor(reason: NotMadeReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

export function pass(value: string, observed?: number): Finding {
  return { verdict: 'pass', value, observed };
}

export function warn(value: string, remedy: string, observed?: number): Finding {
  return { verdict: 'warn', value, observed, remedy };
}

export function fail(value: string, remedy: string, observed?: number): Finding {
  return { verdict: 'fail', value, observed, remedy };
}

export function notApplicable(why: string): NotMade {
  return new NotMade('not-applicable', why);
}
