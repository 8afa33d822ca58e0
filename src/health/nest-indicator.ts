import type { HealthResult, ProbeStatus, QueueHealth } from './health-result.js';

/** What `@nestjs/terminus` 11 and 12 take of a health indicator, under its key. */
export interface NestIndicator {
  readonly status: 'up' | 'degraded' | 'down';
  readonly message: string;
  readonly queues: readonly QueueHealth[];
}

/** A health indicator for `HealthCheckService.check([…])` of `@nestjs/terminus`. Never rejects. */
export type NestIndicatorFunction<Key extends string = string> = () => Promise<Record<Key, NestIndicator>>;

const statuses: Readonly<Record<ProbeStatus, NestIndicator['status']>> = {
  pass: 'up',
  warn: 'degraded',
  fail: 'down',
};

export function makeNestIndicator<Key extends string>(
  key: Key,
  check: () => Promise<HealthResult>,
): NestIndicatorFunction<Key> {
  return async () => {
    const { status, message, queues } = await check();
    return { [key]: { status: statuses[status], message, queues } } as Record<Key, NestIndicator>;
  };
}
