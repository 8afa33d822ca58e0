import type { FailureCause } from '../doctor-report.js';

/** What connecting consists of, in this order. */
export const stageNames = ['dns', 'tcp', 'tls', 'auth', 'first-command'] as const;

export type StageName = (typeof stageNames)[number];

/** How a stage went. */
export type StageResult =
  | { readonly stage: StageName; readonly outcome: 'pass'; readonly ms: number }
  | {
      readonly stage: StageName;
      /** `warn`: it works, and is probably not what was meant. */
      readonly outcome: 'warn' | 'fail';
      readonly ms: number;
      readonly cause: FailureCause;
      /** A code that says more: of the certificate's, the system's. */
      readonly detail?: string | undefined;
    }
  | { readonly stage: StageName; readonly outcome: 'skipped'; readonly why: string };

/** A stage that did not succeed. */
export class StageFailure extends Error {
  override readonly name = 'StageFailure';
  readonly failureCause: FailureCause;
  readonly detail: string | undefined;
  /** When it failed, by `performance.now()`: finding out why takes longer. */
  readonly at: number;

  constructor(failureCause: FailureCause, detail?: string, at = performance.now()) {
    super(failureCause);
    this.failureCause = failureCause;
    this.detail = detail;
    this.at = at;
  }
}
