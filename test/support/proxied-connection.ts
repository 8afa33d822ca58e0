import { randomBytes, randomInt } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { Lane, type Piece } from './lane.js';

// No RESP2 or RESP3 type begins with any of these.
const UNDECODABLE = Buffer.from('?@^&Zq\u0001\u007f');

/** What a proxy does to the bytes of its connections. */
export type Fault =
  | { readonly kind: 'none' | 'cut-replies' | 'blackhole' | 'half-replies' }
  | { readonly kind: 'swallow-replies' | 'garbage'; readonly closeOnHeal: boolean }
  | { readonly kind: 'latency'; readonly ms: number };

export interface Target {
  readonly port: number;
  readonly host: string;
}

/** A client's connection and the one to the server behind it, with the proxy's present fault in between. */
export class ProxiedConnection {
  readonly #client: Socket;
  readonly #connectToServer: () => Socket;
  readonly #fault: () => Fault;
  readonly #onGone: () => void;
  readonly #requests = new Lane(
    (piece) => this.#toServer(piece),
    () => this.#isHeld(),
  );
  readonly #replies = new Lane(
    (piece) => this.#toClient(piece),
    () => this.#isHeld(),
  );
  #server: Socket | undefined;
  #isDead = false;
  #isClientOpen = true;
  #isClosedOnHeal = false;

  constructor(client: Socket, target: Target, fault: () => Fault, onGone: () => void) {
    this.#client = client;
    this.#fault = fault;
    this.#onGone = onGone;
    this.#connectToServer = () => connect({ ...target, noDelay: true, allowHalfOpen: true });
    client.on('data', (bytes) => this.#fromClient(bytes));
    client.on('end', () => this.#fromClient('end'));
    client.on('drain', () => this.#server?.resume());
    client.on('error', () => undefined); // 'close' follows
    client.on('close', () => {
      this.#fromClient('end');
      this.#server?.resume(); // nobody is left whose slowness it should feel
      this.#forgetWhenClosed();
    });
    this.faultChanged();
  }

  /** Whether the client holds its end open, as far as the proxy can see. */
  get isOpen(): boolean {
    return this.#isClientOpen && !this.#client.destroyed;
  }

  /** Lets go of what is no longer held. */
  faultChanged(): void {
    if (this.#isHeld() || this.#isDead) return;
    if (!this.#server && !this.#client.destroyed) this.#openServer();
    this.#requests.release();
    this.#replies.release();
  }

  heal(): void {
    if (this.#isClosedOnHeal && !this.#isDead) this.destroy();
    else this.faultChanged();
  }

  /** From now on bytes vanish both ways, and neither end learns of anything. */
  die(): void {
    this.#isDead = true;
    this.#requests.clear();
    this.#replies.clear();
    this.#client.resume(); // vanishing bytes are read too
    this.#server?.resume();
  }

  destroy(): void {
    this.#isDead = true;
    this.#requests.clear();
    this.#replies.clear();
    this.#client.destroy();
    this.#server?.destroy();
  }

  #isHeld(): boolean {
    return this.#fault().kind === 'blackhole';
  }

  #openServer(): void {
    const server = this.#connectToServer();
    this.#server = server;
    server.on('data', (bytes) => this.#fromServer(bytes));
    server.on('end', () => this.#fromServer('end'));
    server.on('drain', () => this.#client.resume());
    server.on('error', () => undefined); // 'close' follows
    server.on('close', () => {
      this.#fromServer('end');
      this.#forgetWhenClosed();
    });
  }

  #fromClient(piece: Piece): void {
    if (piece === 'end') this.#isClientOpen = false;
    if (this.#isDead) return;
    const fault = this.#fault();
    this.#requests.send(piece, fault.kind === 'latency' ? fault.ms : 0);
  }

  #fromServer(piece: Piece): void {
    if (!this.#isDead) this.#replies.send(piece);
  }

  #toServer(piece: Piece): void {
    // A client that came and went while everything was held: what it sent arrives all the same.
    if (!this.#server) this.#openServer();
    const server = this.#server;
    if (!server?.writable) {
      if (server?.destroyed) this.#client.destroySoon();
      return;
    }
    if (piece === 'end') server.end();
    else if (!server.write(piece)) this.#client.pause();
  }

  #toClient(piece: Piece): void {
    if (!this.#client.writable) return;
    if (piece === 'end') {
      if (this.#server?.destroyed) this.#client.destroySoon();
      else this.#client.end();
      return;
    }
    const fault = this.#fault();
    switch (fault.kind) {
      case 'cut-replies':
        this.#loseClient(() => this.#client.destroy());
        break;
      case 'half-replies':
        this.#client.write(piece.subarray(0, Math.floor(piece.length / 2)));
        this.#loseClient(() => this.#client.destroySoon());
        break;
      case 'swallow-replies':
        this.#isClosedOnHeal = fault.closeOnHeal;
        break;
      case 'garbage':
        this.#isClosedOnHeal = fault.closeOnHeal;
        this.#writeToClient(garbage());
        break;
      default:
        this.#writeToClient(piece);
    }
  }

  #writeToClient(bytes: Buffer): void {
    if (!this.#client.write(bytes)) this.#server?.pause();
  }

  /** The server's end is closed only behind the requests that were forwarded, so that all of them are executed. */
  #loseClient(close: () => void): void {
    close();
    this.#isClientOpen = false;
    this.#requests.send('end');
    this.#server?.resume();
  }

  #forgetWhenClosed(): void {
    // Without a server's end yet, what the client sent may still be held for it.
    const isServerGone = this.#server ? this.#server.destroyed : this.#isDead || !this.#isHeld();
    if (this.#client.destroyed && isServerGone) this.#onGone();
  }
}

function garbage(): Buffer {
  const first = UNDECODABLE[randomInt(UNDECODABLE.length)] ?? 0;
  // Hexadecimal, so that no line end or valid type hides among the random bytes.
  return Buffer.from(`${String.fromCharCode(first)}${randomBytes(8).toString('hex')}\r\n`, 'latin1');
}
