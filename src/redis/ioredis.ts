import type { Argument, ConnectionHints, RedisConnection } from './redis-connection.js';

/** The part of an ioredis 5 or 6 client that is used. */
export interface IoredisClient {
  readonly status: string;
  readonly options?: { readonly maxRetriesPerRequest?: number | null | undefined };
  connect?(): Promise<unknown>;
  call(command: string, args: Argument[]): Promise<unknown>;
  on(event: string, listener: (value: unknown) => void): unknown;
  off(event: string, listener: (value: unknown) => void): unknown;
  disconnect(): void;
}

/** Recognised by shape: the constructor's name is no help (ioredis 6 says "EventEmitter"). */
export function isIoredis(client: object): client is IoredisClient {
  return 'isCluster' in client && client.isCluster === false && 'defineCommand' in client && 'call' in client;
}

/** A standalone (or Sentinel) client of ioredis 5 or 6. */
export class IoredisConnection implements RedisConnection {
  readonly client: IoredisClient;

  constructor(client: IoredisClient) {
    this.client = client;
  }

  get isReady(): boolean {
    // 'wait' is a lazy client that connects on its first command, as its owner asked for.
    return this.client.status === 'ready' || this.client.status === 'wait';
  }

  send(args: readonly Argument[]): Promise<unknown> {
    return this.client.call(args[0] as string, args.slice(1));
  }

  isUnsent(error: unknown): boolean {
    // With one retry or more the same text is also used for commands that had been written: 806 of 55,045 were executed.
    return (
      error instanceof Error &&
      error.message.startsWith("Stream isn't writeable") &&
      this.client.options?.maxRetriesPerRequest === 0
    );
  }

  listen(hints: ConnectionHints): () => void {
    const up = () => hints.up();
    const down = () => hints.down();
    const error = (value: unknown) => hints.error(value);
    this.client.on('ready', up);
    this.client.on('close', down);
    this.client.on('error', error);
    return () => {
      this.client.off('ready', up);
      this.client.off('close', down);
      this.client.off('error', error);
    };
  }

  /** Has a lazy client connect now, rather than keep the first command in its offline queue until it has. */
  wake(): void {
    if (this.client.status === 'wait') this.client.connect?.().catch(() => {});
  }

  destroy(): void {
    this.client.disconnect();
  }
}
