import type { Bench } from './bench.js';
import type { TestRunner } from './test-runner.js';
import type { TransportUnderTest } from './transport-under-test.js';

/** What a theme makes its tests with. */
export interface Kit {
  readonly subject: TransportUnderTest;
  readonly describe: TestRunner['describe'];
  /** A test with a bench of its own, which is closed whatever happens. */
  readonly test: (name: string, body: (bench: Bench) => Promise<void>) => unknown;
}

/** Tests of one thing that every transport promises. */
export type Theme = (kit: Kit) => void;
