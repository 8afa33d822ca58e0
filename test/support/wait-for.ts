import { setTimeout as sleep } from 'node:timers/promises';

export interface WaitForOptions {
  /** What is waited for, for the error: "the backlog to be replayed". */
  readonly what: string;
  /** @default 10_000 */
  readonly timeoutMs?: number;
  /** @default 10 */
  readonly everyMs?: number;
}

type Truthy<T> = Exclude<T, false | 0 | 0n | '' | null | undefined>;

/**
 * Resolves with the first truthy value of `condition`, which may throw, reject or never settle meanwhile. Rejects after
 * `timeoutMs` with an error that names `what` and the last value or error.
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  { what, timeoutMs = 10_000, everyMs = 10 }: WaitForOptions,
): Promise<Truthy<T>> {
  const endsAt = performance.now() + timeoutMs;
  let last = 'nothing was seen';
  let cause: unknown;
  for (;;) {
    const outcome = await settle(condition, endsAt - performance.now());
    if ('value' in outcome) {
      if (outcome.value) return outcome.value as Truthy<T>;
      last = `the last value was ${describe(outcome.value)}`;
      cause = undefined;
    } else if ('error' in outcome) {
      last = `the last error was ${outcome.error instanceof Error ? outcome.error.message : describe(outcome.error)}`;
      cause = outcome.error;
    } else {
      last += ', and the last look did not settle';
    }
    if (performance.now() + everyMs > endsAt) {
      throw new Error(`Waited ${timeoutMs} ms for ${what}: ${last}`, { cause });
    }
    await sleep(everyMs);
  }
}

type Outcome<T> = { readonly value: T } | { readonly error: unknown } | { readonly isLate: true };

async function settle<T>(condition: () => T | Promise<T>, withinMs: number): Promise<Outcome<T>> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Outcome<T>>((resolve) => {
    timer = setTimeout(() => resolve({ isLate: true }), Math.max(0, withinMs));
  });
  const look = (async (): Promise<Outcome<T>> => ({ value: await condition() }))().catch(
    (error: unknown) => ({ error }),
  );
  try {
    return await Promise.race([look, late]);
  } finally {
    clearTimeout(timer);
  }
}

function describe(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}
