import type { NotMadeReason } from './check.js';
import type { StageName } from './stages/stage.js';

/** The order in which a person looks: the five of a troubleshooting guide, then what a queue has besides. */
export const checkGroups = [
  'connection',
  'resources',
  'logs',
  'configuration',
  'network',
  'high-availability',
  'backup',
  'client',
] as const;

export type CheckGroup = (typeof checkGroups)[number];

/** `skipped` is never a pass: the reason says why the check was not made. */
export type Verdict = 'pass' | 'warn' | 'fail' | 'skipped';

/** What is wrong with a connection, by name. */
export type FailureCause =
  | 'name-not-found'
  | 'name-server-silent'
  | 'refused'
  | 'unreachable'
  | 'black-hole'
  | 'tls-to-plain-port'
  | 'plain-to-tls-port'
  | 'certificate'
  | 'client-certificate'
  | 'tls-failed'
  | 'wrong-password'
  | 'password-missing'
  | 'password-not-expected'
  | 'no-answer'
  | 'closed'
  | 'max-clients'
  | 'protected-mode'
  | 'loading'
  | 'database'
  | 'not-redis'
  | 'client-not-ready';

/** One check, as it went. */
export interface CheckReport {
  readonly id: string;
  readonly group: CheckGroup;
  readonly title: string;
  readonly verdict: Verdict;
  /** Where the value was read: `INFO memory`. */
  readonly read: string;
  /** What was found, or why nothing was. */
  readonly value: string;
  /** The same as a number, where it is one; in the unit that `value` names. */
  readonly observed?: number;
  readonly threshold: string;
  /** Who says so: a URL or a name. */
  readonly source: string;
  /** What to do; there when the verdict is `warn` or `fail`. */
  readonly remedy?: string;
  /** What is wrong with the connection, for programs. */
  readonly cause?: FailureCause;
  /** Why the check was not made; there when it was `skipped`. */
  readonly skipped?: NotMadeReason;
}

/** How long a stage of connecting took. */
export interface StageReport {
  readonly stage: StageName;
  readonly verdict: Verdict;
  /** Undefined for a stage that was not gone through. */
  readonly ms?: number;
}

/** What `diagnose()` found out: plain data, without an address, a password or an argument unless they were asked for. */
export interface DoctorReport {
  readonly version: 1;
  /**
   * What was examined: a Redis of its own, one node of a cluster (of the others nothing is known but what CLUSTER INFO says), or
   * a Sentinel, which holds no data (of its primary nothing is known but what the Sentinel says).
   */
  readonly scope: 'server' | 'cluster-node' | 'sentinel';
  /** The worst of all checks that were made; `fail` where Redis was not reached, or stopped to answer. */
  readonly verdict: 'pass' | 'warn' | 'fail';
  /** Whether Redis answered a command. */
  readonly reached: boolean;
  /** Epoch ms. */
  readonly startedAt: number;
  readonly durationMs: number;
  /** Host, port and database, only where `showTarget` was set. */
  readonly target?: string;
  readonly stages: readonly StageReport[];
  readonly checks: readonly CheckReport[];
  readonly coverage: {
    /** Checks that there was something to look at for. */
    readonly applicable: number;
    /** Of these, those that could be made. */
    readonly made: number;
    /** Of these, those that the server refused. */
    readonly refused: number;
  };
  /** The rules of a Redis user that may do what the library needs, and no more. */
  readonly minimalAcl: string;
  /** What a user needs besides, for every check to be made. */
  readonly advisoryAcl: string;
}
