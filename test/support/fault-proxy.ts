import { createServer, type Server } from 'node:net';
import { freePort } from './free-port.js';
import { type Fault, ProxiedConnection, type Target } from './proxied-connection.js';

export interface SpoilOptions {
  /**
   * Whether `heal()` closes the connections that were spoiled. If not they go on, one or more replies short, as after a
   * broken middlebox: a client may take the next reply for an earlier command's.
   *
   * @default false
   */
  readonly closeOnHeal?: boolean;
}

/**
 * A TCP proxy on 127.0.0.1 in front of a server, to make a network misbehave between the two. One fault at a time: a
 * new one replaces the last. Faults hold for present and new connections alike, unless said otherwise.
 */
export class FaultProxy {
  readonly port: number;
  /** Where new connections go; settable while running. */
  target: Target;
  readonly #connections = new Set<ProxiedConnection>();
  readonly #listener: Server;
  #fault: Fault = { kind: 'none' };

  private constructor(port: number, target: Target) {
    this.port = port;
    this.target = target;
    this.#listener = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
      const connection = new ProxiedConnection(
        client,
        this.target,
        () => this.#fault,
        () => this.#connections.delete(connection),
      );
      this.#connections.add(connection);
    });
  }

  static async start({ port, host = '127.0.0.1' }: { port: number; host?: string }): Promise<FaultProxy> {
    for (let attempt = 1; ; attempt++) {
      const proxy = new FaultProxy(await freePort(), { port, host });
      try {
        await proxy.accept();
        return proxy;
      } catch (error) {
        if (attempt === 5) throw error;
      }
    }
  }

  /** How many connections clients hold open here. */
  get connections(): number {
    let open = 0;
    for (const connection of this.#connections) if (connection.isOpen) open++;
    return open;
  }

  /** Forwards again whatever can be; what was held is released first, in order. Does not undo `refuse()`. */
  heal(): void {
    this.#fault = { kind: 'none' };
    for (const connection of [...this.#connections]) connection.heal();
  }

  /** Requests are forwarded and executed; the first reply is dropped and its connection closed. */
  cutReplies(): void {
    this.#set({ kind: 'cut-replies' });
  }

  /** Requests are forwarded and executed; replies vanish, and connections stay open. */
  swallowReplies({ closeOnHeal = false }: SpoilOptions = {}): void {
    this.#set({ kind: 'swallow-replies', closeOnHeal });
  }

  /**
   * Bytes and closings are held in both directions, and new connections are accepted and held; the next fault or
   * `heal()` releases them, in order, also what clients sent that have closed since: a network that comes back.
   */
  blackhole(): void {
    this.#set({ kind: 'blackhole' });
  }

  /** The connections of this moment are dead for ever, without either end learning of it; new ones are as usual. */
  deadConnections(): void {
    for (const connection of this.#connections) connection.die();
  }

  /** Requests, not replies, travel this long. */
  latency(ms: number): void {
    this.#set({ kind: 'latency', ms });
  }

  /** Each chunk of replies is replaced by a line that is no RESP. */
  garbage({ closeOnHeal = false }: SpoilOptions = {}): void {
    this.#set({ kind: 'garbage', closeOnHeal });
  }

  /** Half of the first chunk of replies is forwarded, and its connection closed. */
  halfReplies(): void {
    this.#set({ kind: 'half-replies' });
  }

  /** Closes every connection and the listener: new connections get ECONNREFUSED until `accept()`. */
  async refuse(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#listener.close(() => resolve()); // also when it does not listen
    });
    this.cutConnections();
    await closed;
  }

  /** Listens (again), on the same port. */
  async accept(): Promise<void> {
    if (this.#listener.listening) return;
    await new Promise<void>((resolve, reject) => {
      this.#listener.once('error', reject);
      this.#listener.listen(this.port, '127.0.0.1', () => {
        this.#listener.off('error', reject);
        resolve();
      });
    });
  }

  /** Closes the connections of this moment, as CLIENT KILL does. */
  cutConnections(): void {
    for (const connection of [...this.#connections]) connection.destroy();
  }

  async stop(): Promise<void> {
    await this.refuse();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #set(fault: Fault): void {
    this.#fault = fault;
    for (const connection of [...this.#connections]) connection.faultChanged();
  }
}
