import { scrub } from '../errors/scrub.js';
import { adoptClient } from './connect.js';
import type { Argument, ConnectionHints, RedisConnection } from './redis-connection.js';

/** Makes a client: called at start, and again for a replacement when a connection is silently dead. */
export type ClientFactory = () => unknown;

/** A factory that connects its client itself may wait for Redis. One that waits longer than this may wait for ever. */
const PATIENCE_MS = 15_000;
/** Calls of the factory that have not settled: each may hold a client that goes on connecting. */
const MAX_CALLS = 3;

/**
 * A connection whose client can be replaced. Some clients never notice that their connection is dead (bytes go nowhere, no
 * error comes): then only a new client helps, and only a factory can make one.
 */
export class FactoryConnection implements RedisConnection {
  readonly #factory: ClientFactory;
  readonly #check: (client: unknown) => void;
  readonly #listeners = new Set<ConnectionHints>();
  #current: RedisConnection | undefined;
  #unlisten: (() => void) | undefined;
  readonly #patienceMs: number;
  /** Calls of the factory that have not settled. */
  #calls = 0;
  #calledAt = 0;
  #latest = 0;
  /** The call that the present client is of: a client that comes after a later call's is not wanted any more. */
  #currentOf = 0;
  #destroyed = false;

  /** `check` throws for a client that must not be used, saying why. */
  constructor(factory: ClientFactory, check: (client: unknown) => void = () => {}, patienceMs = PATIENCE_MS) {
    this.#factory = factory;
    this.#check = check;
    this.#patienceMs = patienceMs;
  }

  get client(): unknown {
    return this.#current?.client;
  }

  get isReady(): boolean {
    return this.#current?.isReady ?? false;
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
    return () => {
      this.#listeners.delete(hints);
    };
  }

  /**
   * Asks the factory for a client and changes over to it, once it is there, ending the one before. One at a time, but for a
   * call that has not been answered for long. A factory that throws or rejects leaves the present client in place.
   */
  async replace(): Promise<void> {
    if (this.#destroyed || this.#isWaiting) return;
    this.#calls += 1;
    this.#latest += 1;
    const call = this.#latest;
    this.#calledAt = performance.now();
    try {
      // Whoever made the queue has its listeners on by then.
      await undefined;
      this.#changeOver(this.#adopt(await this.#factory()), call);
    } catch (error) {
      const why = error instanceof Error ? error.message : `it threw a ${typeof error}`;
      const failure = new Error(`The function given as \`redis\` failed: ${scrub(why)}`);
      failure.name = 'ClientFactoryError';
      for (const hints of this.#listeners) hints.error(failure);
    } finally {
      this.#calls -= 1;
    }
  }

  #adopt(client: unknown): RedisConnection {
    const next = adoptClient(client);
    try {
      this.#check(next?.client ?? client);
      if (next) return next;
      throw new TypeError('The factory given as `redis` returned no ioredis or node-redis client.');
    } catch (error) {
      // Nobody else would end it.
      if (next) end(next);
      else endUnknown(client);
      throw error;
    }
  }

  get #isWaiting(): boolean {
    if (this.#calls === 0) return false;
    return this.#calls >= MAX_CALLS || performance.now() - this.#calledAt < this.#patienceMs;
  }

  destroy(): void {
    this.#destroyed = true;
    this.#end();
    this.#listeners.clear();
  }

  #changeOver(next: RedisConnection, call: number): void {
    // A factory may hand out the same client again; its connection object is new all the same.
    if (next.client === this.#current?.client) return;
    if (this.#destroyed || call < this.#currentOf) {
      end(next);
      return;
    }
    this.#currentOf = call;
    this.#end();
    this.#current = next;
    this.#unlisten = next.listen({
      up: () => this.#each((hints) => hints.up()),
      down: () => this.#each((hints) => hints.down()),
      error: (error) => this.#each((hints) => hints.error(error)),
    });
    // The one before may have been ready: that nobody is now is not for the next `close` to tell, which may never come.
    this.#each((hints) => (next.isReady ? hints.up() : hints.down()));
  }

  #each(tell: (hints: ConnectionHints) => void): void {
    for (const hints of this.#listeners) tell(hints);
  }

  #end(): void {
    const old = this.#current;
    if (!old) return;
    this.#current = undefined;
    this.#unlisten?.();
    end(old);
  }
}

function end(connection: RedisConnection): void {
  // It may still emit `error`; without a listener that would end the process.
  connection.listen({ up() {}, down() {}, error() {} });
  connection.destroy();
}

/** Ends what is no client that the library knows, a cluster's say, if it looks as if it could be ended. */
function endUnknown(client: unknown): void {
  if (typeof client !== 'object' || client === null) return;
  const { on, destroy, disconnect, close } = client as Readonly<Record<string, unknown>>;
  try {
    if (typeof on === 'function') on.call(client, 'error', () => {});
    // Of those that a client has, the first is the one that waits least.
    const finish = [destroy, disconnect, close].find((method) => typeof method === 'function');
    if (typeof finish === 'function') Promise.resolve(finish.call(client)).catch(() => {});
  } catch {
    // It had ended before, or is something else: why it was refused is what counts.
  }
}
