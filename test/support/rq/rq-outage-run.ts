import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { MemoryBackupStore, ResilientQueue } from '../../../src/index.js';
import { type RqSerializer, RqTransport } from '../../../src/transport/rq.js';
import type { ClientKind } from '../clients.js';
import { expectEachOnce, type Fault, idOfEachThird, offerThrough, withOutage } from '../outage-run.js';
import { waitFor } from '../wait-for.js';
import { RqSite } from './rq-site.js';

const QUEUE = 'outage';
const PER_SECOND = 120;

/**
 * Offers jobs through a fault, has a real worker run them, and counts each run. `isWorkerThroughout`: the worker works meanwhile,
 * on a connection of its own; else from then on, since RQ itself loses a job that it was just taking from a server that dies.
 */
export function surviveWithWorker(
  kind: ClientKind,
  fault: Fault,
  serializer: RqSerializer,
  isWorkerThroughout: boolean,
): Promise<void> {
  return withOutage(fault, async (outage) => {
    const { server, proxy } = outage;
    await using site = await RqSite.open(server, serializer);
    const work = () => site.start(QUEUE, { isSimple: true });
    await using early = isWorkerThroughout ? await work() : undefined;
    const { client, end } = kind.make({ port: proxy.port, ...fault.credentials });
    const transport = new RqTransport({ serializer });
    const queue = new ResilientQueue(QUEUE, { redis: client, backup: new MemoryBackupStore(), transport });
    queue.on('error', () => {});
    try {
      // A third with options, beside the third with ids.
      const optionsOf = (n: number) =>
        n % 3 === 1 ? { transport: { ttlSeconds: 600, atFront: n % 2 === 0 } } : {};
      const done = await offerThrough(fault, outage, queue, {
        perSecond: PER_SECOND,
        enqueue: (n) => queue.enqueue('jobs.note', [n], { id: idOfEachThird(n), ...optionsOf(n) }),
        idOf: idOfEachThird,
      });

      await using late = isWorkerThroughout ? undefined : await work();
      const { accepted } = done.ledger.summary();
      await waitFor(() => new Set(site.ran()).size >= accepted, {
        what: `each of ${accepted} jobs to be run`,
        timeoutMs: 60_000,
      }).catch((error: Error) => {
        const log = (early ?? late)?.log().slice(-2000);
        throw new Error(`${error.message}: ${new Set(site.ran()).size} were run. ${log}`);
      });
      await waitFor(async () => (await server.command('LLEN', `rq:queue:${QUEUE}`)) === 0, {
        what: 'the line to be empty',
      });
      await sleep(200); // for a second run of the last one
      const { summary, told } = expectEachOnce(fault, queue, done, site.ran(), kind.name);
      expect(summary.duplicates, told).toBeGreaterThan(0);
      expect(await queue.close()).toEqual({ pending: 0 });
    } finally {
      await queue.close({ timeoutMs: 100 });
      end();
    }
  });
}
