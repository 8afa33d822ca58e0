import { EventEmitter } from 'node:events';
import { Redis } from 'ioredis';

/**
 * A client that follows a failover to another address, as those for Sentinel do, and leaves the old connection open: what was
 * sent there may still be answered. It looks like ioredis to the library.
 */
export class MovingClient extends EventEmitter {
  readonly isCluster = false;
  readonly options = {};
  #current: Redis;
  readonly #all: Redis[] = [];
  /** Replies of a server that the client had left. */
  lateReplies = 0;

  constructor({ port }: { readonly port: number }) {
    super();
    this.#current = this.#connect(port);
  }

  get status(): string {
    return this.#current.status;
  }

  defineCommand(): void {}

  async call(command: string, args: (string | Buffer)[]): Promise<unknown> {
    const client = this.#current;
    try {
      return await client.call(command, args);
    } finally {
      if (client !== this.#current) this.lateReplies += 1;
    }
  }

  moveTo({ port }: { readonly port: number }): void {
    this.#current = this.#connect(port);
  }

  disconnect(): void {
    for (const client of this.#all) client.disconnect();
  }

  #connect(port: number): Redis {
    const client = new Redis({ port });
    this.#all.push(client);
    for (const event of ['ready', 'close', 'error']) {
      client.on(event, (value: unknown) => {
        if (client === this.#current && this.listenerCount(event) > 0) this.emit(event, value);
      });
    }
    return client;
  }
}
