import { batches } from './batches.js';
import { Bench } from './bench.js';
import { clients } from './clients.js';
import { deliveriesAgain } from './deliveries-again.js';
import { expiry } from './expiry.js';
import { interruptions } from './interruptions.js';
import { order } from './order.js';
import { refusals } from './refusals.js';
import type { TestRunner } from './test-runner.js';
import type { Kit, Theme } from './theme.js';
import type { TransportUnderTest } from './transport-under-test.js';
import { wishes } from './wishes.js';
import { witness } from './witness.js';

const themes: readonly Theme[] = [
  ...[batches, order, deliveriesAgain, refusals, interruptions],
  ...[wishes, expiry, witness, clients],
];

/**
 * What every transport promises, as tests. Of `capabilities`, `witness`, `tellsDuplicates`, `runAt`, `headers` and `orderingKey` are
 * tried where they are claimed, `expiresAt()` and `checkClient()` where they are there; a test of what is not claimed passes.
 */
export function describeTransport(subject: TransportUnderTest, { describe, it }: TestRunner): void {
  const test: Kit['test'] = (name, body) =>
    it(name, async () => {
      const opened = await subject.open();
      try {
        await body(new Bench(opened, subject));
      } finally {
        await opened.close();
      }
    });
  for (const theme of themes) theme({ subject, describe, test });
}
