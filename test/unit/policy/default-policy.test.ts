import { afterEach, expect, it, vi } from 'vitest';
import { consecutiveFailures, RedisPolicy } from '../../../src/policy/default-policy.js';
import { stayedAway } from '../../../src/policy/prober.js';

afterEach(() => {
  vi.useRealTimers();
});

it('probes an open breaker also after the machine’s clock was set back', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  const states: string[] = [];
  const policy = new RedisPolicy({
    breaker: consecutiveFailures(3),
    retryAttempts: 0,
    backoff: undefined,
    onState: (state) => states.push(state),
  });
  await policy.execute(() => Promise.reject(stayedAway()), { retry: false }).catch(() => {});
  expect(policy.state).toBe('open');
  vi.setSystemTime(Date.now() - 3_600_000);
  await policy.probe(async () => {});
  expect(states).toEqual(['open', 'half-open', 'closed']);
});
