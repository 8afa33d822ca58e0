import type { Socket } from 'node:net';
import { StageFailure } from './stage.js';

/** Asks Redis over a bare socket what it answers with one line: AUTH, PING, SELECT. */
export class LineSocket {
  readonly #socket: Socket;
  #text = '';
  #ended: StageFailure | undefined;
  #wake: () => void = () => {};

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (bytes: Buffer) => {
      this.#text += bytes.toString('latin1');
      this.#wake();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => this.#end(error.code));
    socket.on('close', () => this.#end(undefined));
  }

  /** Resolves with the answer's line. Rejects with a {@link StageFailure}: `closed` or `no-answer`. */
  ask(args: readonly string[], timeoutMs: number): Promise<string> {
    this.#socket.write(
      `*${args.length}\r\n${args.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`).join('')}`,
    );
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => done(() => reject(new StageFailure('no-answer'))), timeoutMs);
      const done = (settle: () => void) => {
        clearTimeout(timer);
        this.#wake = () => {};
        settle();
      };
      const look = () => {
        const end = this.#text.indexOf('\n');
        if (end !== -1) {
          const line = this.#text.slice(0, end).trimEnd();
          this.#text = this.#text.slice(end + 1);
          done(() => resolve(line));
        } else if (this.#ended) {
          const failure = this.#ended;
          done(() => reject(failure));
        }
      };
      this.#wake = look;
      look();
    });
  }

  #end(detail: string | undefined): void {
    this.#ended ??= new StageFailure('closed', detail);
    this.#wake();
  }
}
