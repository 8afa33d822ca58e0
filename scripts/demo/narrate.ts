import type { BreakerState, QueueStatus } from '@morningai/resilient-queue';
import { count, seconds } from './ansi.js';

/** Puts the queue's events into words. */
export function narrate(queue: QueueStatus, tell: (text: string) => void): void {
  let breaker: BreakerState = 'closed';
  let replayBeganAt = 0;
  queue.on('breaker', ({ state }) => {
    // Half-open is each canary's moment, not news.
    if (state === 'half-open' || state === breaker) return;
    breaker = state;
    tell(state === 'closed' ? 'breaker closed: Redis took a canary write' : `breaker ${state}`);
  });
  queue.on('outage', ({ phase, kind, durationMs, backedUp, unknown }) => {
    if (phase === 'started') tell(`outage (${kind}): jobs go to the backup`);
    else
      tell(
        `outage over (${seconds(durationMs)}): ${count(backedUp)} jobs backed up, ${count(unknown)} of unknown fate`,
      );
  });
  queue.on('replay', ({ phase, replayed }) => {
    if (phase === 'started') replayBeganAt = performance.now();
    if (phase === 'finished' && replayed > 0)
      tell(`replayed ${count(replayed)} jobs in ${seconds(performance.now() - replayBeganAt)}`);
  });
  queue.on('parked', ({ id, reason }) => tell(`job ${id} parked: ${reason}`));
  queue.on('dropped', ({ id, reason }) => tell(`job ${id} dropped: ${reason}`));
  queue.on('redis-data-loss', ({ redelivered }) =>
    tell(`Redis had lost writes: ${redelivered} jobs laid down again`),
  );
  queue.on('error', ({ kind, error }) => tell(`error (${kind}): ${error.message}`));
}
