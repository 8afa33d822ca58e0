import { connect, createServer, type Server, type Socket } from 'node:net';
import { freePort } from './free-port.js';
import { RespParser } from './resp-parser.js';
import { waitFor } from './wait-for.js';

/**
 * A TCP proxy on 127.0.0.1 that can put another Redis behind the connections of its clients: an address that fails over, as
 * a managed service's does, without a client noticing. RESP2 only.
 */
export class SwitchingProxy {
  readonly port: number;
  #serverPort: number;
  readonly #listener: Server;
  readonly #connections = new Set<SwitchedConnection>();

  private constructor(port: number, serverPort: number) {
    this.port = port;
    this.#serverPort = serverPort;
    this.#listener = createServer({ noDelay: true }, (client) => {
      const connection = new SwitchedConnection(client, this.#serverPort);
      this.#connections.add(connection);
      client.on('close', () => this.#connections.delete(connection));
    });
  }

  static async start({ port }: { port: number }): Promise<SwitchingProxy> {
    const proxy = new SwitchingProxy(await freePort(), port);
    await new Promise<void>((resolve, reject) => {
      proxy.#listener.once('error', reject);
      proxy.#listener.listen(proxy.port, '127.0.0.1', resolve);
    });
    return proxy;
  }

  /**
   * From now on clients talk to the server on `port`. Resolves when all do; what they send in between waits. What the old
   * server was sent it answers first, so no reply is taken for another command's.
   */
  async switchTo({ port }: { port: number }): Promise<void> {
    this.#serverPort = port;
    await Promise.all([...this.#connections].map((connection) => connection.switchTo(port)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => {
      this.#listener.close(resolve);
    });
    for (const connection of this.#connections) connection.destroy();
    await closed;
  }
}

class SwitchedConnection {
  readonly #client: Socket;
  #server: Socket;
  #requests = new RespParser();
  #replies = new RespParser();
  #unanswered = 0;
  #isSwitching = false;
  /** What waits for the new server. */
  #held: Buffer[] = [];

  constructor(client: Socket, port: number) {
    this.#client = client;
    this.#server = this.#open(port);
    client.on('data', (bytes) => this.#fromClient(bytes));
    client.on('error', () => {}); // 'close' follows
    client.on('close', () => this.#server.destroy());
  }

  async switchTo(port: number): Promise<void> {
    this.#isSwitching = true;
    await waitFor(() => this.#requests.isBetweenValues && this.#unanswered === 0, {
      what: 'the old server to answer',
      everyMs: 1,
    });
    const old = this.#server;
    this.#server = this.#open(port);
    old.destroy();
    this.#replies = new RespParser();
    this.#isSwitching = false;
    for (const bytes of this.#held.splice(0)) this.#fromClient(bytes);
  }

  destroy(): void {
    this.#client.destroy();
    this.#server.destroy();
  }

  #open(port: number): Socket {
    const server = connect({ port, host: '127.0.0.1', noDelay: true });
    server.on('data', (bytes) => {
      if (server !== this.#server) return;
      this.#unanswered -= this.#replies.push(bytes).length;
      this.#client.write(bytes);
    });
    server.on('error', () => {});
    server.on('close', () => {
      if (server === this.#server) this.#client.destroy();
    });
    return server;
  }

  #fromClient(bytes: Buffer): void {
    // A command whose beginning the old server has must end there.
    if (this.#isSwitching && this.#requests.isBetweenValues) {
      this.#held.push(bytes);
      return;
    }
    this.#unanswered += this.#requests.push(bytes).length;
    this.#server.write(bytes);
  }
}
