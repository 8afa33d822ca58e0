import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { waitFor } from '../../support/wait-for.js';

export const root = fileURLToPath(new URL('../../../', import.meta.url));

/** A program's file, TypeScript if nothing else is said, run as its users run it, in one process, so that a signal to its pid reaches it. */
export class Child {
  /** Everything it printed. */
  output = '';
  /** Resolves when it has ended and its output is complete. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  readonly #process: ChildProcess;
  #hasEnded = false;

  constructor(
    file: string,
    options: {
      readonly env?: NodeJS.ProcessEnv;
      readonly args?: string[];
      /** What runs the file. @default node with tsx */
      readonly program?: readonly string[];
    } = {},
  ) {
    const [command = '', ...before] = options.program ?? [process.execPath, '--import', 'tsx'];
    const { NO_COLOR, FORCE_COLOR, ...env } = process.env;
    this.#process = spawn(command, [...before, file, ...(options.args ?? [])], {
      cwd: root,
      env: { ...env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    }
    this.ended = new Promise((resolve) => {
      this.#process.once('close', (code, signal) => {
        this.#hasEnded = true;
        resolve({ code, signal });
      });
    });
  }

  /** Resolves with the match once `pattern` was printed. Rejects when the process ends without, and after 40 s. */
  async printed(pattern: RegExp): Promise<RegExpMatchArray> {
    const match = await waitFor(() => this.output.match(pattern) ?? this.#hasEnded, {
      what: `${pattern} to be printed`,
      // On a busy machine Nest alone has taken more than 20 s to be loaded.
      timeoutMs: 40_000,
    }).catch(() => undefined);
    const found = match === true ? this.output.match(pattern) : match;
    if (!found)
      throw new Error(`${pattern} was not printed${this.#hasEnded ? '' : ' in time'}:\n${this.output}`);
    return found;
  }

  /** The first group of every match so far. */
  all(pattern: RegExp): string[] {
    return [...this.output.matchAll(new RegExp(pattern, `${pattern.flags}g`))].map((match) => match[1] ?? '');
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#hasEnded) this.signal('SIGKILL');
    await this.ended;
  }
}

export const redisUrl = (server: { readonly port: number }) => `redis://127.0.0.1:${server.port}`;
