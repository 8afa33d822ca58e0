import type { Snapshot } from './meter.js';

/** What the queue is doing about it, in one sentence. */
export function situation({ report, waiting }: Snapshot): string {
  const { breaker, status } = report;
  if (breaker === 'half-open') return 'A canary write is on its way: does Redis take work again?';
  if (status === 'down') return 'Redis takes nothing and the backup is full: callers are told at once.';
  if (breaker !== 'closed') {
    return report.redis.lastError?.kind === 'disconnected'
      ? 'Jobs go to the backup at once, until the client reaches Redis again.'
      : 'Jobs go to the backup at once; now and then a canary write tries Redis.';
  }
  if (waiting > 100) return 'Redis is silent: callers wait a second at most, then the backup has them.';
  if (status === 'degraded') return 'Jobs wait in the backup until Redis takes one.';
  if (status === 'recovering') return 'Redis takes jobs again; the backlog is replayed beside the new ones.';
  return 'Jobs go straight to Redis, and nothing waits in the backup.';
}
