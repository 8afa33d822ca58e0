import { batches } from './batches.js';
import { Bench } from './bench.js';
import { deliveriesAgain } from './deliveries-again.js';
import { refusals } from './refusals.js';
import type { TestRunner } from './test-runner.js';
import type { Kit } from './theme.js';
import type { TransportUnderTest } from './transport-under-test.js';
import { wishes } from './wishes.js';
import { witness } from './witness.js';

/**
 * What every transport promises, as tests. Of `capabilities`, `witness`, `tellsDuplicates`, `runAt` and `headers` are tried where they
 * are claimed; a test of what is not claimed passes.
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
  for (const theme of [batches, deliveriesAgain, refusals, wishes, witness])
    theme({ subject, describe, test });
}
