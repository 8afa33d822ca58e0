import { afterEach, expect, it, vi } from 'vitest';
import {
  type BreakerState,
  CircuitOpenError,
  consecutiveFailures,
  RedisPolicy,
} from '../../../src/policy/default-policy.js';
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

it.each(['before the outage', 'just now'])(
  'is opened again, whatever succeeds that began %s',
  async (when) => {
    const states: BreakerState[] = [];
    const policy = new RedisPolicy({
      breaker: consecutiveFailures(3),
      retryAttempts: 0,
      backoff: undefined,
      onState: (state) => {
        states.push(state);
        if (state === 'closed') policy.reopen();
      },
    });
    let succeed = () => {};
    const attempt = new Promise<void>((resolve) => {
      succeed = resolve;
    });
    const early = policy.execute(() => attempt, { retry: false });
    await policy.execute(() => Promise.reject(stayedAway()), { retry: false }).catch(() => {});
    policy.isolate().dispose();
    expect(policy.state).toBe('open');
    if (when === 'just now') {
      const late = policy.execute(async () => {}, { retry: false });
      await expect(late).rejects.toBeInstanceOf(CircuitOpenError);
    }
    succeed();
    await early;
    await new Promise(setImmediate);
    expect(policy.state).toBe('open');
    expect(states).toEqual(['open', 'isolated', 'closed', 'open']);
    // Nothing of it stays.
    await policy.probe(async () => {});
    await new Promise(setImmediate);
    expect(states.slice(4)).toEqual(['half-open', 'closed', 'open']);
  },
);
