import { expect } from 'vitest';

/** Which tests of the kit a broken transport fails. */
export interface Noticed {
  readonly fails: RegExp;
  /** All others pass. */
  readonly alone?: true;
}

/** Only tests that are named so fail: without them nobody would notice. */
export const alone = (fails: RegExp) => ({ fails, alone: true as const });

export function expectNoticed(failed: readonly string[], { fails, alone }: Noticed): void {
  expect(failed.filter((name) => fails.test(name))).not.toEqual([]);
  if (alone) expect(failed.filter((name) => !fails.test(name))).toEqual([]);
}
