import type { Clock } from '../../../src/index.js';

/** A clock that stands still until it is told otherwise. It has no timers. */
export class FakeClock implements Clock {
  ms: number;

  constructor(ms = 1_700_000_000_000) {
    this.ms = ms;
  }

  advance(ms: number): void {
    this.ms += ms;
  }

  now(): number {
    return this.ms;
  }

  monotonicMs(): number {
    return this.ms;
  }

  setTimeout(): never {
    throw new Error('This clock has no timers');
  }

  clearTimeout(): void {}
}
