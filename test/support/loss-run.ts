import { expect } from 'vitest';
import {
  MemoryBackupStore,
  type QueueOptions,
  type RedisDataLossEvent,
  ResilientQueue,
  streamKey,
} from '../../src/index.js';
import { Ledger } from './ledger.js';
import { runLoad, settleWithin } from './load.js';
import { readStream } from './stream.js';
import { waitFor } from './wait-for.js';

/** A window that is larger than any load here. */
export const large = { ms: 60_000, jobs: 100_000 } as const;

/** A memory that outlives its queues, as a disk would. */
export class LastingBackupStore extends MemoryBackupStore {
  // @ts-expect-error a subclass that is more durable than its parent
  override readonly durability = 'fsynced';

  override async close(): Promise<void> {}
}

/** A queue, what it was told to do, and what it told. */
export class WatchedQueue {
  readonly name: string;
  readonly queue: ResilientQueue;
  readonly ledger = new Ledger();
  readonly losses: RedisDataLossEvent[] = [];
  readonly #unbalanced: string[] = [];
  readonly #audit: NodeJS.Timeout;
  #offered = 0;

  constructor(name: string, options: Partial<QueueOptions> & Pick<QueueOptions, 'redis'>) {
    this.name = name;
    this.queue = new ResilientQueue(name, {
      backup: new MemoryBackupStore(),
      lossWindow: large,
      ...options,
    });
    this.queue.on('redis-data-loss', (event) => this.losses.push(event));
    this.queue.on('error', () => {});
    this.#audit = setInterval(() => this.#checkBooks(), 10);
  }

  /** Offers one job after the other, every third under an id of its own, until the signal is aborted. */
  async offer(perSecond: number, until: { readonly signal: AbortSignal } | { readonly durationMs: number }) {
    const first = this.#offered;
    const { offered } = await runLoad({
      ...until,
      perSecond,
      ledger: this.ledger,
      enqueue: (n) => this.#enqueue(first + n),
    });
    this.#offered += offered;
  }

  /** Enqueues `count` jobs as fast as they are taken; resolves when Redis has acknowledged all. */
  async fill(count: number): Promise<void> {
    for (const end = this.#offered + count; this.#offered < end; ) {
      for (let i = 0; i < 1000 && this.#offered < end; i++) {
        void this.ledger.track(undefined, this.#enqueue(this.#offered++));
      }
      await this.settled();
    }
    expect(this.queue.health().totals).toMatchObject({ delivered: this.#offered });
  }

  async settled(): Promise<void> {
    await settleWithin(this.ledger, 10_000);
    expect(this.ledger.summary()).toMatchObject({ accepted: this.#offered, unsettled: 0, rejected: 0 });
  }

  /** Resolves when so many more jobs were laid down, as far as Redis says. */
  async untilDelivered(count: number): Promise<void> {
    const before = this.queue.health().totals.delivered;
    await waitFor(() => this.queue.health().totals.delivered >= before + count, {
      what: `${count} more jobs in ${this.name}`,
      timeoutMs: 20_000,
    });
  }

  /** Resolves with the losses, once so many are known. */
  async untilLost(count = 1): Promise<RedisDataLossEvent[]> {
    await waitFor(() => this.losses.length >= count, { what: `${this.name} to tell of ${count} losses` });
    return this.losses;
  }

  /** Resolves when every accepted job stands in the stream, and nothing waits. */
  async untilWhole(server: { readonly port: number; command(...args: string[]): Promise<unknown> }) {
    const isWhole = async () => {
      const length = Number(await server.command('XLEN', streamKey(this.name)));
      return length >= this.#offered && this.queue.health().status === 'up';
    };
    await waitFor(isWhole, { what: `${this.name} to have all its jobs`, timeoutMs: 20_000 }).catch(
      (error: Error) => {
        throw new Error(`${error.message}: ${JSON.stringify([this.queue.health(), this.losses])}`);
      },
    );
  }

  /** Closes the queue, and then compares what was promised with what stands in the stream of `server`. */
  async verdict(server: { readonly port: number }) {
    await this.queue.close();
    clearInterval(this.#audit);
    this.#checkBooks();
    const entries = await readStream(server, streamKey(this.name));
    this.ledger.delivered(entries.map((entry) => entry.fields.id as string));
    const summary = this.ledger.summary();
    const { totals } = this.queue.health();
    const told = `${this.name}\n${this.ledger}\n${JSON.stringify([this.losses, totals], undefined, 1)}`;
    expect(this.#unbalanced, told).toEqual([]);
    expect(summary, told).toMatchObject({ doubled: 0, ghosts: 0, rejected: 0, unsettled: 0, errors: {} });
    expect(totals.redelivered, told).toBe(this.losses.reduce((sum, { redelivered }) => sum + redelivered, 0));
    return { summary, totals, told, offered: this.#offered };
  }

  /** All that was accepted stands in the stream once, the losses were told, and none went beyond what is remembered. */
  async expectMadeGood(server: { readonly port: number }) {
    const { summary, totals, told, offered } = await this.verdict(server);
    expect(summary, told).toMatchObject({ accepted: offered, delivered: offered, lost: 0 });
    expect(totals, told).toMatchObject({ accepted: offered, delivered: offered, pending: 0, dropped: 0 });
    expect(this.losses.length, told).toBeGreaterThan(0);
    for (const loss of this.losses) {
      expect(loss.windowExceeded, told).toBe(false);
      expect(loss.redelivered + loss.recognised, told).toBe(loss.remembered);
    }
    expect(totals.redelivered, told).toBeGreaterThan(0);
    return { summary, totals, told, offered };
  }

  async end(): Promise<void> {
    clearInterval(this.#audit);
    await this.queue.close({ timeoutMs: 100 });
  }

  #enqueue(n: number) {
    return this.queue.enqueue('loss.job', { n }, n % 3 === 0 ? { id: `mine-${n}` } : {});
  }

  #checkBooks(): void {
    const { totals } = this.queue.health();
    const { accepted, inherited, delivered, pending, parked, dropped } = totals;
    if (accepted + inherited !== delivered + pending + parked + dropped) {
      this.#unbalanced.push(JSON.stringify(totals));
    }
  }
}

/** Lets jobs flow, strikes in the middle, lets them flow on, and waits until all that was accepted is there. */
export async function strikeUnderLoad(
  watched: WatchedQueue,
  server: { readonly port: number; command(...args: string[]): Promise<unknown> },
  strike: () => Promise<unknown>,
): Promise<void> {
  const ended = new AbortController();
  const load = watched.offer(1500, { signal: ended.signal });
  await watched.untilDelivered(600);
  await strike();
  await watched.untilDelivered(500);
  ended.abort();
  await load;
  await watched.settled();
  await watched.untilWhole(server);
}
