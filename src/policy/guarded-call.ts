import type { Clock } from '../clock/clock.js';
import { ResilientQueueError } from '../errors/resilient-queue-error.js';
import { CircuitOpenError, type RedisPolicy } from './default-policy.js';
import { RedisFailure, sortFailure } from './outage.js';
import { stayedAway, untilReady } from './prober.js';
import type { RedisGateway } from './redis-gateway.js';
import { within } from './within.js';

/** What a guarded call is given. */
export interface CallContext {
  /** Aborted when the attempt is given up, and when it is over. */
  readonly signal: AbortSignal;
}

/**
 * Runs somebody's own call of the client under the queue's deadline, retry and breaker. Rejects with `UNAVAILABLE` when Redis
 * could not take it, and with the call's own error otherwise.
 */
export async function guardedCall<Result>(
  gateway: RedisGateway,
  policy: RedisPolicy,
  clock: Clock,
  call: (client: unknown, context: CallContext) => Promise<Result>,
  options: { readonly idempotent: boolean; readonly deadlineMs: number; readonly attemptTimeoutMs: number },
): Promise<Result> {
  const deadlineAt = clock.monotonicMs() + options.deadlineMs;
  const attempt = async (): Promise<Result> => {
    const leftMs = deadlineAt - clock.monotonicMs();
    const isReady = leftMs > 0 && (await untilReady(gateway, clock, leftMs, () => policy.isClosed, false));
    if (!isReady) throw gateway.failed(stayedAway());
    const controller = new AbortController();
    const timeoutMs = Math.max(1, Math.min(options.attemptTimeoutMs, deadlineAt - clock.monotonicMs()));
    try {
      const work = (async () => call(gateway.connection.client, { signal: controller.signal }))();
      return await within(clock, timeoutMs, work);
    } catch (error) {
      const failure = sortFailure(error, gateway.connection.isUnsent?.(error) ?? false);
      // An error of the call's own reaches its owner as it is, and says nothing about Redis.
      if (failure.treatment === 'caller' || failure.kind === 'unlisted') throw error;
      // A connection lost under one call is one failure of several; only one that stays away opens the breaker by itself.
      throw gateway.failed(failure.treatment === 'gap' ? failure.as('outage') : failure);
    } finally {
      controller.abort();
    }
  };
  try {
    return await policy.execute(attempt, { retry: options.idempotent });
  } catch (error) {
    if (error instanceof RedisFailure || error instanceof CircuitOpenError) {
      const [kind, fate] =
        error instanceof RedisFailure
          ? [error.kind, error.fate]
          : (['circuit open', 'not-delivered'] as const);
      throw new ResilientQueueError(`Redis could not take the call (${kind}).`, {
        code: 'UNAVAILABLE',
        fate,
        cause: error,
      });
    }
    throw error;
  }
}
