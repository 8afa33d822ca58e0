import type { VirtualClock } from './virtual-clock.js';

/**
 * Runs `work` with the timers of third-party code (cockatiel's pauses between retries) on `clock` and with jitter that repeats
 * itself for the same `seed`. One at a time.
 */
export async function withVirtualGlobals<T>(
  clock: VirtualClock,
  seed: number,
  work: () => Promise<T>,
): Promise<T> {
  const { setTimeout: realSetTimeout, clearTimeout: realClearTimeout } = globalThis;
  const { random } = Math;
  const setVirtual = (callback: () => void, delayMs = 0) => clock.setTimeout(callback, delayMs);
  globalThis.setTimeout = setVirtual as unknown as typeof setTimeout;
  globalThis.clearTimeout = ((timer: unknown) => clock.clearTimeout(timer)) as typeof clearTimeout;
  Math.random = repeatable(seed);
  try {
    return await work();
  } finally {
    globalThis.setTimeout = realSetTimeout;
    globalThis.clearTimeout = realClearTimeout;
    Math.random = random;
  }
}

/** Numbers from 0 to 1 that depend on `seed` alone: a linear congruential generator is random enough for jitter. */
function repeatable(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
