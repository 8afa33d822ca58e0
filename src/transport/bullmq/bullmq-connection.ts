import { scrub } from '../../errors/scrub.js';
import { recogniseClient } from '../../redis/connect.js';
import type { Argument, ConnectionHints, RedisConnection } from '../../redis/redis-connection.js';
import type { Producer } from './bullmq-queue.js';
import { clientOf } from './queue-check.js';

/**
 * The connection of a BullMQ queue, as far as it concerns us.
 *
 * 1. BullMQ hands its client over when it has been connected once, which may be never: until then it is not ready, nothing is
 *    sent, and why (a wrong password) only the queue's own errors say.
 * 2. From then on it is as ready as the client is.
 * 3. If BullMQ fails at connecting it never tries again, and every call of the queue fails, whatever becomes of Redis. So it does
 *    once the queue is closed. Both are told, once, and it stays not ready.
 */
export class BullMqConnection implements RedisConnection {
  readonly #queue: Producer;
  readonly #listeners = new Set<ConnectionHints>();
  #current: RedisConnection | undefined;
  #unusable: Error | undefined;
  #isClosed = false;
  #cuts = 0;
  #detach: () => void = () => {};

  constructor(queue: Producer) {
    this.#queue = queue;
    clientOf(queue)?.then(
      (client) => this.#adopt(client),
      (error: unknown) => this.#giveUp(queue.closing === undefined ? gaveUp(error) : closed()),
    );
  }

  get client(): unknown {
    return this.#current?.client;
  }

  get isReady(): boolean {
    if (this.#queue.closing !== undefined && !this.#isClosed) this.#close();
    return !this.#isClosed && (this.#current?.isReady ?? false);
  }

  /** How often it was lost. */
  get cuts(): number {
    return this.#cuts;
  }

  send(args: readonly Argument[], key: string): Promise<unknown> {
    if (this.#current) return this.#current.send(args, key);
    return Promise.reject(Object.assign(new Error('No client yet'), { code: 'RSQ_NO_CLIENT' }));
  }

  isUnsent(error: unknown): boolean {
    return this.#current?.isUnsent?.(error) ?? false;
  }

  listen(hints: ConnectionHints): () => void {
    this.#listeners.add(hints);
    if (this.#listeners.size === 1) this.#attach();
    const unusable = this.#unusable;
    // Whoever made the queue has its listeners on by then.
    if (unusable) queueMicrotask(() => hints.error(unusable));
    return () => {
      this.#listeners.delete(hints);
      if (this.#listeners.size === 0) this.#detach();
    };
  }

  /** It is not ours to end. */
  destroy(): void {}

  #adopt(client: unknown): void {
    // BullMQ puts an adapter around node-redis.
    const connection =
      recogniseClient(client) ?? recogniseClient((client as { readonly raw?: unknown } | null)?.raw);
    if (!connection) {
      this.#giveUp(unknownClient());
      return;
    }
    this.#detach();
    this.#current = connection;
    if (this.#listeners.size > 0) this.#attach();
    if (this.isReady) this.#each((hints) => hints.up());
  }

  /** Listens to the client or, until there is one, to the queue. */
  #attach(): void {
    const error = (heard: unknown) => this.#each((hints) => hints.error(heard));
    if (this.#current) {
      this.#detach = this.#current.listen({
        up: () => this.#each((hints) => hints.up()),
        down: () => {
          this.#cuts += 1;
          this.#each((hints) => hints.down());
        },
        error,
      });
    } else if (!this.#unusable) {
      this.#queue.on?.('error', error);
      this.#detach = () => void this.#queue.off?.('error', error);
    }
  }

  #close(): void {
    this.#isClosed = true;
    this.#giveUp(closed());
  }

  #giveUp(error: Error): void {
    if (this.#unusable) return;
    this.#unusable = error;
    if (!this.#current) this.#detach();
    // Not in the middle of whatever asked whether it is ready.
    queueMicrotask(() => this.#each((hints) => hints.error(error)));
  }

  #each(tell: (hints: ConnectionHints) => void): void {
    for (const hints of this.#listeners) tell(hints);
  }
}

/** What becomes of jobs through a connection that will not get well: they wait in the backup. */
function unusable(what: string): Error {
  const error = new Error(what);
  error.name = 'UnusableClientError';
  return error;
}

function gaveUp(error: unknown): Error {
  const why = error instanceof Error && error.message !== '' ? error.message : 'no reason given';
  return unusable(
    `BullMQ has given this queue's connection up for good (${scrub(why).slice(0, 100)}). Jobs go to the backup. Make a new Queue, as a restart does; one with skipWaitingForReady, or a client that fails fast, breaks when Redis is away at its start.`,
  );
}

function closed(): Error {
  return unusable(
    'The BullMQ queue was closed, so jobs go to the backup. Close the ResilientQueue first, then the queue that it was given.',
  );
}

function unknownClient(): Error {
  return unusable(
    "BullMQ's client is neither ioredis (also behind Sentinel) nor node-redis (standalone), so jobs go to the backup. Give the queue one of these.",
  );
}
