import { Queue, Worker } from 'bullmq';
import { Queue as Queue5, Worker as Worker5 } from 'bullmq5';
import { createClient } from 'redis';
import type { BullMqQueue } from '../../../src/transport/bullmq.js';

/** What tests do with a queue of either major. */
export interface AnyQueue extends BullMqQueue {
  readonly name: string;
  waitUntilReady(): Promise<unknown>;
  remove(id: string): Promise<number>;
  close(): Promise<void>;
  on(event: 'error', listener: () => void): unknown;
}

/** Options of a queue, as far as tests need some. */
export interface QueueSettings {
  readonly defaultJobOptions?: {
    readonly removeOnComplete?: boolean | { readonly count: number };
    readonly removeOnFail?: boolean;
    readonly delay?: number;
    readonly sizeLimit?: number;
  };
}

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** A BullMQ as its users have it. */
export interface BullMqKind {
  readonly name: string;
  /** Makes a queue and lets it connect; Redis may be down. */
  make(
    name: string,
    port: number,
    settings?: QueueSettings,
    credentials?: Credentials,
  ): { readonly queue: AnyQueue; end(): Promise<void> };
  /** A worker of the same major, on a connection of its own. */
  work(name: string, port: number, run: (job: RunJob) => unknown): AnyWorker;
}

/** What of a job tests look at in a worker. */
export interface RunJob {
  readonly id?: string | undefined;
  readonly name: string;
  readonly data: unknown;
  readonly opts: object;
  readonly timestamp: number;
}

export interface AnyWorker {
  waitUntilReady(): Promise<unknown>;
  close(force?: boolean): Promise<void>;
}

const host = '127.0.0.1';
// It reports lost connections as errors, and without a listener each would be printed.
const quietly = <T extends AnyQueue>(queue: T) => {
  queue.on('error', () => {});
  return queue;
};
const worker = { concurrency: 20, lockDuration: 120_000, stalledInterval: 120_000 };

export const bullMq6: BullMqKind = {
  name: 'BullMQ 6, its own connection',
  make(name, port, settings, credentials) {
    const queue = quietly(new Queue(name, { connection: { host, port, ...credentials }, ...settings }));
    return { queue, end: () => queue.close() };
  },
  work(name, port, run) {
    const made = new Worker(name, async (job) => run(job), { connection: { host, port }, ...worker });
    made.on('error', () => {});
    return made;
  },
};

export const bullMq5: BullMqKind = {
  name: 'BullMQ 5, its own connection',
  make(name, port, settings, credentials) {
    const queue = quietly(new Queue5(name, { connection: { host, port, ...credentials }, ...settings }));
    return { queue, end: () => queue.close() };
  },
  work(name, port, run) {
    const made = new Worker5(name, async (job) => run(job), { connection: { host, port }, ...worker });
    made.on('error', () => {});
    return made;
  },
};

export const bullMq6OverNodeRedis: BullMqKind = {
  name: 'BullMQ 6, over node-redis',
  make(name, port, settings, credentials) {
    const client = createClient({ socket: { host, port }, ...credentials });
    client.on('error', () => {});
    const queue = quietly(new Queue(name, { connection: client, ...settings }));
    return {
      queue,
      async end() {
        await queue.close();
        if (client.isOpen) client.destroy();
      },
    };
  },
  work: bullMq6.work,
};

export const bullMqKinds = [bullMq6, bullMq5, bullMq6OverNodeRedis];
