import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { RespError, RespParser } from './resp-parser.js';

export interface RespConnectionOptions {
  readonly port: number;
  /** @default '127.0.0.1' */
  readonly host?: string;
  /** The most a reply is waited for. @default 5000 */
  readonly timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 5_000;

interface Waiting {
  resolve(reply: unknown): void;
  reject(error: Error): void;
  readonly timer: NodeJS.Timeout;
}

/** A connection of the kit's own, so that no test depends on the client it tests. Commands sent at once are pipelined. */
export class RespConnection {
  readonly #socket: Socket;
  readonly #parser = new RespParser();
  readonly #waiting: Waiting[] = [];
  readonly #timeoutMs: number;
  #closedBy: Error | undefined;

  constructor({ port, host = '127.0.0.1', timeoutMs = DEFAULT_TIMEOUT_MS }: RespConnectionOptions) {
    this.#timeoutMs = timeoutMs;
    this.#socket = connect({ port, host, noDelay: true });
    this.#socket.on('data', (bytes) => this.#receive(bytes));
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.on('close', () => this.#fail(new Error('The connection was closed')));
  }

  /** Resolves with the reply. Rejects with an error reply's text, when the connection fails, and after `timeoutMs`. */
  send(...args: readonly string[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#closedBy) {
        reject(this.#closedBy);
        return;
      }
      const timer = setTimeout(
        () => this.#fail(new Error(`No reply to ${args[0]} within ${this.#timeoutMs} ms`)),
        this.#timeoutMs,
      );
      this.#waiting.push({ resolve, reject, timer });
      this.#socket.write(encode(args));
    });
  }

  close(): void {
    this.#fail(new Error('The connection was closed by the test'));
  }

  #receive(bytes: Buffer): void {
    let replies: unknown[];
    try {
      replies = this.#parser.push(bytes);
    } catch (error) {
      this.#fail(error as Error);
      return;
    }
    // One splice, not a shift() a reply, which is slow with 100,000 commands in flight.
    const answered = this.#waiting.splice(0, replies.length);
    for (const [i, reply] of replies.entries()) {
      const waiting = answered[i];
      clearTimeout(waiting?.timer);
      if (reply instanceof RespError) waiting?.reject(reply);
      else waiting?.resolve(reply);
    }
  }

  #fail(error: Error): void {
    this.#closedBy ??= error;
    this.#socket.destroy();
    for (const { reject, timer } of this.#waiting.splice(0)) {
      clearTimeout(timer);
      reject(error);
    }
  }
}

/** One command on a fresh connection; within `timeoutMs` it waits for a server that is LOADING its data. */
export async function sendCommand(
  options: RespConnectionOptions,
  ...args: readonly string[]
): Promise<unknown> {
  const giveUpAt = performance.now() + (options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
  const connection = new RespConnection(options);
  try {
    for (;;) {
      try {
        return await connection.send(...args);
      } catch (error) {
        const isLoading = error instanceof RespError && error.message.startsWith('LOADING');
        if (!isLoading || performance.now() > giveUpAt) throw error;
        await sleep(5);
      }
    }
  } finally {
    connection.close();
  }
}

function encode(args: readonly string[]): string {
  return `*${args.length}\r\n${args.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`).join('')}`;
}
