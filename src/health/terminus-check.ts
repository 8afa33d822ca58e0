import type { HealthResult } from './health-result.js';

/** What a check of `@godaddy/terminus` rejects with: the service then answers 503 with `causes` in the body. */
export class ProbeFailedError extends Error {
  override readonly name = 'ProbeFailedError';
  readonly causes: HealthResult;

  constructor(result: HealthResult) {
    super(result.message);
    this.causes = result;
  }
}

/** A health check of `@godaddy/terminus`: resolves with what it puts in the body, rejects with a {@link ProbeFailedError}. */
export type TerminusCheck = () => Promise<HealthResult>;

export function makeTerminusCheck(check: () => Promise<HealthResult>): TerminusCheck {
  return async () => {
    const result = await check();
    if (result.status === 'fail') throw new ProbeFailedError(result);
    return result;
  };
}
