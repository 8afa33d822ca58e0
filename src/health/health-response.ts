import { healthBody, mediaTypes } from './health-body.js';
import type { HealthFormat } from './health-options.js';
import type { HealthResult } from './health-result.js';

/** An answer for any server. */
export interface HealthResponse {
  /** 200; 503 for what fails, but 500 for the probe `redis` in the format `simple`. */
  readonly status: number;
  /** In lower case: `content-type`, `cache-control: no-store`, and `retry-after` with a 5xx. */
  readonly headers: Readonly<Record<string, string>>;
  /** JSON; empty for a HEAD. */
  readonly body: string;
}

export function healthResponse(
  result: HealthResult,
  format: HealthFormat,
  method: string | undefined,
  retryAfterSeconds: number,
): HealthResponse {
  const status = statusOf(result, format);
  return {
    status,
    headers: {
      'content-type': mediaTypes[format],
      'cache-control': 'no-store',
      ...(status >= 500 && { 'retry-after': String(retryAfterSeconds) }),
    },
    body: method?.toUpperCase() === 'HEAD' ? '' : healthBody(result, format),
  };
}

function statusOf({ probe, status }: HealthResult, format: HealthFormat): number {
  if (status !== 'fail') return 200;
  // As the endpoint that it can stand in for.
  return probe === 'redis' && format === 'simple' ? 500 : 503;
}
