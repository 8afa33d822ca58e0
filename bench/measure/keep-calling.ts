/** What callers got done. */
export interface Calls {
  readonly count: number;
  readonly perSecond: number;
}

/** Looking at the clock costs as much as a hundredth of a fast call. */
const LOOK_EVERY = 16;

/**
 * `callers` loops that each await one call after another, for about `durationMs`. The clock ends them, not a timer: calls that
 * need no input or output would never let one fire.
 */
export async function keepCalling(
  call: () => Promise<unknown>,
  callers: number,
  durationMs: number,
): Promise<Calls> {
  const startedAt = performance.now();
  let count = 0;
  let isOver = false;
  const caller = async () => {
    while (!isOver) {
      count += 1;
      if (count % LOOK_EVERY === 0) isOver = performance.now() - startedAt >= durationMs;
      await call();
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return { count, perSecond: (count * 1000) / (performance.now() - startedAt) };
}
