import { systemClock } from '../../clock/clock.js';
import { sortFailure } from '../../policy/outage.js';
import { within } from '../../policy/within.js';
import type { RedisConnection } from '../../redis/redis-connection.js';
import type { FailureCause } from '../doctor-report.js';
import type { StageResult } from './stage.js';

const causes: Readonly<Partial<Record<ReturnType<typeof sortFailure>['kind'], FailureCause>>> = {
  timeout: 'no-answer',
  disconnected: 'client-not-ready',
  'connection-lost': 'closed',
  protocol: 'not-redis',
  loading: 'loading',
  maxclients: 'max-clients',
};

/** How a client that somebody else made and connected answers. Never rejects. */
export async function stageOfClient(connection: RedisConnection, timeoutMs: number): Promise<StageResult> {
  const stage = 'first-command';
  const startedAt = performance.now();
  const elapsed = () => Math.round((performance.now() - startedAt) * 10) / 10;
  // Nothing is sent that would wait in its offline queue.
  if (!connection.isReady) return { stage, outcome: 'fail', ms: 0, cause: 'client-not-ready' };
  try {
    await within(systemClock, timeoutMs, connection.send(['PING'], ''));
  } catch (error) {
    const { kind, message } = sortFailure(error, connection.isUnsent?.(error) ?? false);
    const cause = kind === 'auth' ? authCause(message) : causes[kind];
    // What else Redis answers to PING is an answer.
    if (cause) return { stage, outcome: 'fail', ms: elapsed(), cause };
  }
  return { stage, outcome: 'pass', ms: elapsed() };
}

function authCause(message: string): FailureCause {
  return message.startsWith('WRONGPASS') ? 'wrong-password' : 'password-missing';
}
