import type { Argument, ConnectionHints, RedisConnection } from './redis-connection.js';

/** The part of a node-redis (`redis`) 5 or 6 client that is used. */
export interface NodeRedisClient {
  readonly isOpen: boolean;
  readonly isReady: boolean;
  connect(): Promise<unknown>;
  sendCommand(args: readonly Argument[]): Promise<unknown>;
  on(event: string, listener: (value: unknown) => void): unknown;
  off(event: string, listener: (value: unknown) => void): unknown;
  destroy(): void;
}

export function isNodeRedis(client: object): client is NodeRedisClient {
  const isStandalone = !('acquire' in client) && !('masters' in client) && !('getMasters' in client);
  // The Sentinel and cluster clients' sendCommand() takes other arguments.
  return isStandalone && 'sendCommand' in client && 'isReady' in client && 'isOpen' in client;
}

const ignore = () => {};
const guarded = new WeakSet<object>();

/** A standalone client of node-redis 5 or 6. */
export class NodeRedisConnection implements RedisConnection {
  readonly client: NodeRedisClient;

  constructor(client: NodeRedisClient) {
    this.client = client;
  }

  get isReady(): boolean {
    return this.client.isReady;
  }

  send(args: readonly Argument[]): Promise<unknown> {
    return this.client.sendCommand(args);
  }

  listen(hints: ConnectionHints): () => void {
    const up = () => hints.up();
    const down = () => hints.down();
    // Without an `error` listener node-redis ends the process when its socket drops. This one stays for the client's life: a
    // queue that closes must not take the safety away.
    if (!guarded.has(this.client)) {
      guarded.add(this.client);
      this.client.on('error', ignore);
    }
    const error = (value: unknown) => {
      hints.error(value);
      // There is no event for a lost connection but this one.
      if (!this.client.isReady) hints.down();
    };
    this.client.on('ready', up);
    this.client.on('end', down);
    this.client.on('error', error);
    return () => {
      this.client.off('ready', up);
      this.client.off('end', down);
      this.client.off('error', error);
    };
  }

  /** Connects a client that a factory handed over unconnected; its own reconnect strategy goes on from there. */
  connect(): void {
    if (!this.client.isOpen) this.client.connect().catch(() => {});
  }

  destroy(): void {
    if (this.client.isOpen) this.client.destroy();
  }
}
