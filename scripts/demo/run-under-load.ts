import { type ResilientQueue, streamKey } from '@morningai/resilient-queue';
import { Ledger } from '../../test/support/ledger.js';
import { runLoad, settleWithin } from '../../test/support/load.js';
import type { RedisServer } from '../../test/support/redis-server.js';
import { readStream } from '../../test/support/stream.js';
import { waitFor } from '../../test/support/wait-for.js';
import type { Meter } from './meter.js';
import { play, type Span } from './scenario.js';
import type { View } from './view.js';

const REDRAW_EVERY_MS = 125;
const SETTLE_WITHIN_MS = 7_000;

/** Plays the scenario under a steady load. Resolves, when everything is replayed and read back, with the ledger. */
export async function runUnderLoad(options: {
  readonly queue: ResilientQueue;
  readonly server: RedisServer;
  readonly spans: readonly Span[];
  readonly jobsPerSecond: number;
  readonly meter: Meter;
  readonly view: View;
  readonly tell: (event: string) => void;
}): Promise<Ledger> {
  const { queue, server, spans, jobsPerSecond, meter, view, tell } = options;
  const ledger = new Ledger();
  const frames = setInterval(() => view.draw(meter.sample()), REDRAW_EVERY_MS);
  const load = new AbortController();
  const offering = runLoad({
    perSecond: jobsPerSecond,
    enqueue: (n) => meter.timed(queue.enqueue('demo.job', { n })),
    ledger,
    signal: load.signal,
  });
  await play(spans, server, { phase: (title) => view.phase(title), event: tell });

  view.phase('The load has ended; what is left is replayed, and then counted');
  load.abort();
  await offering;
  await settleWithin(ledger, SETTLE_WITHIN_MS);
  const isUp = () => queue.health().status === 'up';
  // A backlog that is not replayed by then shows in the ledger, as lost.
  await waitFor(isUp, { what: 'the backlog to be replayed', timeoutMs: SETTLE_WITHIN_MS }).catch(() => {});
  await queue.close({ timeoutMs: 2_000 });
  const entries = await readStream(server, streamKey(queue.name));
  ledger.delivered(entries.map(({ fields }) => fields.id ?? ''));
  clearInterval(frames);
  return ledger;
}
