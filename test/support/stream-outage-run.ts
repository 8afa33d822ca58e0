import { expect } from 'vitest';
import {
  type BackupStore,
  MemoryBackupStore,
  type QueueOptions,
  ResilientQueue,
  streamKey,
} from '../../src/index.js';
import type { ClientKind } from './clients.js';
import { expectEachOnce, type Fault, offerThrough, withOutage } from './outage-run.js';
import { readStream, type StreamEntry } from './stream.js';

const PER_SECOND = 1000;
/** The most by which a busy machine may delay a timer of ours. */
const TIMER_SLACK_MS = 400;
const DEADLINE_MS = 1000;

/** Offers jobs through a fault and holds the stream, and all that the queue told, against every promise at once. */
export function surviveOutage(
  kind: ClientKind,
  fault: Fault,
  options: Partial<QueueOptions> = {},
  store: BackupStore = new MemoryBackupStore(),
): Promise<void> {
  return withOutage(fault, async (outage) => {
    const { client, end } = kind.make({ port: outage.proxy.port, ...fault.credentials });
    const queue = new ResilientQueue('outage', {
      redis: client,
      backup: store,
      deadlineMs: DEADLINE_MS,
      ...options,
    });
    const outages: string[] = [];
    let unknown = 0;
    queue.on('outage', ({ phase, kind: what }) => outages.push(`${phase} ${what}`));
    queue.on('backed-up', (event) => {
      unknown += event.unknown;
    });
    queue.on('error', () => {});
    try {
      const done = await offerThrough(fault, outage, queue, {
        perSecond: PER_SECOND,
        enqueue: (n) => queue.enqueue('outage.job', { n }, n % 3 === 0 ? { id: `mine-${n}` } : {}),
      });
      const entries = await readStream(outage.server, streamKey('outage'));
      const arrived = entries.map((entry) => entry.fields.id as string);
      const under = `${kind.name}: ${outages.join(', ')}`;
      const { summary, told } = expectEachOnce(fault, queue, done, arrived, under);
      const { offered } = done;
      expect(summary, told).toMatchObject({ accepted: offered });
      expect(queue.health().totals, told).toMatchObject({ accepted: offered, delivered: offered });
      expect(summary.worstMs, told).toBeLessThan(DEADLINE_MS + TIMER_SLACK_MS);
      const phases = outages.map((text) => text.split(' ')[0]);
      if (fault.isOneOutage) expect(phases, told).toEqual(['started', 'ended']);
      if (fault.leavesUnknown) expect(unknown, told).toBeGreaterThan(0);
      if (options.ordering === 'queue') expect(inversions(entries), told).toEqual([]);
      expect(await store.stats('outage')).toMatchObject({ pending: 0, leased: 0, parked: 0 });
      expect(await queue.close()).toEqual({ pending: 0 });
    } finally {
      await queue.close({ timeoutMs: 100 });
      end();
    }
  });
}

/** Where a job stands behind one that was enqueued after it. */
function inversions(entries: readonly StreamEntry[]): string[] {
  const order = entries.map((entry) => (JSON.parse(entry.fields.payload as string) as { n: number }).n);
  const found: string[] = [];
  for (let i = 1; i < order.length; i++) {
    if ((order[i] as number) < (order[i - 1] as number)) found.push(`${order[i]} after ${order[i - 1]}`);
  }
  return found;
}
