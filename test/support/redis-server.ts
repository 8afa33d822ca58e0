import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findRedisServer } from '../../scripts/find-redis-server.js';
import { freePort } from './free-port.js';
import { sendCommand } from './resp-connection.js';
import { RespError } from './resp-parser.js';

export interface RedisServerOptions {
  /** @default a free port */
  readonly port?: number;
  /** More arguments of redis-server; they win over the kit's own. */
  readonly args?: readonly string[];
  /** Whether what it acknowledged survives its process, in an append-only file. @default 'yes' */
  readonly appendOnly?: 'yes' | 'no';
  /** @default true */
  readonly waitUntilReady?: boolean;
}

export interface CommandOptions {
  /** The most the reply is waited for. @default 5000 */
  readonly timeoutMs?: number;
}

const READY_WITHIN_MS = 15_000;

const PERSISTENCE = {
  // Written before the reply, which is enough for a process that is killed; an fsync would make a busy disk one more fault.
  yes: ['--appendonly', 'yes', '--appendfsync', 'no'],
  no: ['--appendonly', 'no'],
};

/** A real redis-server of the test's own, in a temporary folder, on 127.0.0.1 only, that can be killed, hung and restarted. */
export class RedisServer {
  readonly host = '127.0.0.1';
  readonly port: number;
  readonly directory = mkdtempSync(join(tmpdir(), 'resilient-queue-redis-'));
  readonly #binary: string;
  readonly #args: readonly string[];
  #process: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #logs = '';
  #isStopped = false;

  private constructor(binary: string, port: number, options: RedisServerOptions) {
    this.#binary = binary;
    this.port = port;
    this.#args = [
      ...['--port', String(port), '--bind', this.host, '--daemonize', 'no', '--dir', this.directory],
      ...['--save', '', ...PERSISTENCE[options.appendOnly ?? 'yes']],
      ...(options.args ?? []),
    ];
  }

  /** Resolves when the server answers. Rejects with the server's log when it does not start. */
  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    const binary = await findRedisServer();
    for (let attempt = 1; ; attempt++) {
      const server = new RedisServer(binary, options.port ?? (await freePort()), options);
      try {
        server.#launch([]);
        if (options.waitUntilReady ?? true) {
          await server.#untilAnswering();
          await server.#untilLoaded();
        }
        return server;
      } catch (error) {
        await server.stop();
        const isPortTaken = server.logs().includes('Address already in use');
        if (options.port !== undefined || !isPortTaken || attempt === 5) throw error;
      }
    }
  }

  /** A port for a server that is not up yet: `RedisServer.start({ port })` starts it later. */
  static reservePort(): Promise<number> {
    return freePort();
  }

  /** `undefined` while no server process runs. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** SIGKILL; resolves when the process is gone. The folder stays, for `restart()`. */
  async kill(): Promise<void> {
    killGroup(this.pid);
    await this.#exited;
  }

  /**
   * Kills the server if it runs, and starts it on the same port and folder. Resolves when it answers, if only LOADING to
   * everyone but the kit, whose own commands wait for that. `extraArgs` hold for this run alone.
   */
  async restart(extraArgs: readonly string[] = []): Promise<void> {
    if (this.#isStopped) throw new Error('This server was stopped: its folder is gone');
    await this.kill();
    this.#launch(extraArgs);
    await this.#untilAnswering();
  }

  /** SIGSTOP: connections stay open, the kernel goes on accepting, and nothing answers. */
  pause(): void {
    this.#process?.kill('SIGSTOP');
  }

  /** SIGCONT: what was sent in the meantime is executed now. */
  resume(): void {
    this.#process?.kill('SIGCONT');
  }

  /** One command on a fresh connection of the kit's own. Rejects with an error reply's text, and after 5 s. */
  command(...args: readonly string[]): Promise<unknown> {
    return this.commandWith({}, ...args);
  }

  /** As `command()`, with options. */
  commandWith(options: CommandOptions, ...args: readonly string[]): Promise<unknown> {
    return sendCommand({ ...options, port: this.port, host: this.host }, ...args);
  }

  /** What the server printed, over all its restarts. */
  logs(): string {
    return this.#logs;
  }

  /** Kills the server, paused or not, and removes its folder. */
  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    await this.kill(); // SIGKILL ends a paused process too, and without SIGCONT it executes nothing on its way out
    leftovers.delete(this);
    this.#removeDirectory();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** For the exit hook, which cannot wait. */
  killNow(): void {
    killGroup(this.pid);
    this.#removeDirectory();
  }

  #removeDirectory(): void {
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
  }

  #launch(extraArgs: readonly string[]): void {
    const [command, ...args] = [...diesWithItsParent(), this.#binary, ...this.#args, ...extraArgs] as [
      string,
    ];
    // A group of its own: Ctrl-C reaches the tests alone, and a kill also ends a fork that rewrites the file.
    const child = spawn(command, args, {
      cwd: this.directory,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#process = child;
    leftovers.add(this);
    installExitHook();
    const log = (text: string) => {
      this.#logs += text;
    };
    child.stdout.setEncoding('utf8').on('data', log);
    child.stderr.setEncoding('utf8').on('data', log);
    this.#exited = new Promise((resolve) => {
      const gone = () => {
        if (this.#process === child) this.#process = undefined;
        resolve();
      };
      child.once('exit', gone);
      child.once('error', (error) => {
        log(`${error.message}\n`);
        gone();
      });
    });
  }

  async #untilAnswering(): Promise<void> {
    const giveUpAt = Date.now() + READY_WITHIN_MS;
    while (this.#process !== undefined) {
      if (await this.#answers()) return;
      if (Date.now() > giveUpAt)
        throw new Error(`redis-server does not answer on port ${this.port}:\n${this.#logs}`);
      await sleep(5);
    }
    await sleep(20); // the last lines of its log come after its exit
    throw new Error(`redis-server ended on port ${this.port}:\n${this.#logs}`);
  }

  async #untilLoaded(): Promise<void> {
    await this.command('PING').catch((error: unknown) => {
      if (!(error instanceof RespError)) throw error; // NOAUTH is an answer too
    });
  }

  /** Whether it is this server that answers: another one may have taken the port in between. */
  async #answers(): Promise<boolean> {
    try {
      const info = String(await this.commandWith({ timeoutMs: 1_000 }, 'INFO', 'server'));
      return info.includes(`process_id:${this.pid}\r\n`);
    } catch (error) {
      return error instanceof RespError;
    }
  }
}

const leftovers = new Set<RedisServer>();
let hasExitHook = false;

function installExitHook(): void {
  if (hasExitHook) return;
  hasExitHook = true;
  const killLeftovers = () => {
    for (const server of leftovers) server.killNow();
    leftovers.clear();
  };
  process.on('exit', killLeftovers);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      killLeftovers();
      // With a listener the signal no longer ends the process; whoever else listens decides for himself.
      if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
    });
  }
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // gone already
  }
}

let deathSignal: readonly string[] | undefined;

/** No hook runs in a process that is killed with SIGKILL; where Linux can be asked to, it then kills the server. */
function diesWithItsParent(): readonly string[] {
  const wrapper = ['setpriv', '--pdeathsig', 'KILL'];
  deathSignal ??=
    process.platform === 'linux' && spawnSync('setpriv', [...wrapper.slice(1), 'true']).status === 0
      ? wrapper
      : [];
  return deathSignal;
}
