/** One argument of a command. Only these two are sent as they are by every client. */
export type Argument = string | Buffer;

/** What a {@link RedisConnection} tells about its client's connection: hints to look now, never the truth itself. */
export interface ConnectionHints {
  /** The client says that it can take commands. */
  up(): void;
  /**
   * The client lost its connection. A client that sends commands again by itself has to say so before their second answer:
   * a refusal is not taken for proof then that the job is nowhere.
   */
  down(): void;
  /** The client emitted an error. */
  error(error: unknown): void;
}

/**
 * Our narrow view of somebody's Redis client. Write one to bring a client that the library does not know: pass it as
 * `redis` in place of the client.
 */
export interface RedisConnection {
  /** The client behind it, handed to `queue.execute()`. */
  readonly client: unknown;
  /**
   * False while the client is known to have no connection: then nothing is sent, so nothing can wait in a client's offline
   * queue. A client that connects by itself on its first command is ready.
   */
  readonly isReady: boolean;
  /**
   * Sends one command, binary-safe; `args[0]` is its name, `key` a key it touches (a cluster routes by it). Settles as the
   * client does, perhaps never: the caller has its own deadline. Replies of scripts are strings, integers, null or arrays.
   */
  send(args: readonly Argument[], key: string): Promise<unknown>;
  /** Calls `hints` from now on; returns the function that ends it. */
  listen(hints: ConnectionHints): () => void;
  /**
   * True when a rejected command is known not to have been written to a socket, whatever its text says. Absent: the table of
   * errors decides alone.
   */
  isUnsent?(error: unknown): boolean;
  /** Ends the client, at once and without waiting for replies. Called only on clients that a factory made for us. */
  destroy(): void;
}

/** Whether `value` is a {@link RedisConnection} already. */
export function isRedisConnection(value: unknown): value is RedisConnection {
  const candidate = value as Partial<Record<keyof RedisConnection, unknown>> | null;
  return (
    typeof candidate === 'object' &&
    candidate !== null &&
    typeof candidate.send === 'function' &&
    typeof candidate.listen === 'function' &&
    typeof candidate.destroy === 'function' &&
    'isReady' in candidate
  );
}
