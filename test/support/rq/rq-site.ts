import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findPython } from '../../../scripts/find-python.js';
import type { RqSerializer } from '../../../src/transport/rq.js';
import { waitFor } from '../wait-for.js';

const run = promisify(execFile);
const ownFunctions = fileURLToPath(new URL('./jobs.py', import.meta.url));

/** A worker that runs until it is stopped. */
export interface RqWorker extends AsyncDisposable {
  /** What it has printed. */
  log(): string;
  stop(): Promise<void>;
}

export interface WorkerOptions {
  /** Runs scheduled jobs, too. @default false */
  readonly withScheduler?: boolean;
  /** Runs jobs without a fork for each: five times as many a second. @default false */
  readonly isSimple?: boolean;
  /** After so many it stops. @default never */
  readonly maxJobs?: number;
}

/**
 * Where RQ's workers work: a temporary folder with a module of functions, real `rq worker` processes for a server's queues,
 * and Python to look at what they see.
 */
export class RqSite {
  readonly directory = mkdtempSync(join(tmpdir(), 'resilient-queue-rq-'));
  readonly #python: string;
  readonly #url: string;
  readonly #serializer: RqSerializer;

  private constructor(python: string, port: number, serializer: RqSerializer, functions: string) {
    this.#python = python;
    this.#url = `redis://127.0.0.1:${port}`;
    this.#serializer = serializer;
    copyFileSync(functions, join(this.directory, basename(functions)));
  }

  static async open(
    server: { readonly port: number },
    serializer: RqSerializer = 'json',
    functions = ownFunctions,
  ): Promise<RqSite> {
    return new RqSite(await findPython('rq'), server.port, serializer, functions);
  }

  /** Lets a worker run all jobs that wait in `queue`; resolves with what it printed. */
  async burst(queue: string, options: WorkerOptions = {}): Promise<string> {
    const args = [...this.#worker(options), '--burst', queue];
    const { stdout, stderr } = await run(this.#python, args, { cwd: this.directory, maxBuffer: 2 ** 28 });
    return stdout + stderr;
  }

  /** Starts a worker; resolves when it listens. */
  async start(queue: string, options: WorkerOptions = {}): Promise<RqWorker> {
    // A group of its own, because a worker forks.
    const worker = spawn(this.#python, [...this.#worker(options), queue], {
      cwd: this.directory,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const { pid } = worker;
    if (pid !== undefined) {
      running.add(pid);
      worker.once('exit', () => running.delete(pid));
    }
    let log = '';
    for (const stream of [worker.stdout, worker.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        log += text;
      });
    }
    const stop = () => endGroup(worker);
    const listens = () => log.includes('Listening on');
    await waitFor(listens, { what: 'an RQ worker to listen', timeoutMs: 30_000 }).catch(async () => {
      await stop();
      throw new Error(`The RQ worker does not listen:\n${log}`);
    });
    return { log: () => log, stop, [Symbol.asyncDispose]: stop };
  }

  /** The ids of the jobs that were run, in order, once for each run. */
  ran(): string[] {
    const ledger = join(this.directory, 'ran');
    return existsSync(ledger) ? readFileSync(ledger, 'utf8').split('\n').slice(0, -1) : [];
  }

  /**
   * What a Python program prints as JSON: lines after which `answer` holds it. It has `connection`, `serializer` and `Job`, and
   * what `rq` and `rq.registry` have.
   */
  async ask(...lines: readonly string[]): Promise<unknown> {
    const program = [
      ...['import json, sys', 'from redis import Redis', 'from rq import *', 'from rq.registry import *'],
      ...['from rq.job import Job', 'from rq.serializers import DefaultSerializer, JSONSerializer'],
      `connection = Redis.from_url(${JSON.stringify(this.#url)})`,
      `serializer = ${this.#serializer === 'json' ? 'JSONSerializer' : 'DefaultSerializer'}`,
      ...lines,
      'json.dump(answer, sys.stdout, default=str)',
    ].join('\n');
    const { stdout } = await run(this.#python, ['-W', 'ignore', '-c', program], { cwd: this.directory });
    return JSON.parse(stdout);
  }

  /** What `rq <command> …` prints. */
  async rq(command: string, ...args: readonly string[]): Promise<string> {
    const all = ['-m', 'rq.cli', command, '-u', this.#url, ...args];
    const { stdout } = await run(this.#python, all, { cwd: this.directory });
    return stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
  }

  #worker({ withScheduler = false, isSimple = false, maxJobs }: WorkerOptions): string[] {
    const json = ['--serializer', 'rq.serializers.JSONSerializer'];
    return [
      ...['-m', 'rq.cli', 'worker', '-u', this.#url],
      ...(this.#serializer === 'json' ? json : []),
      ...(withScheduler ? ['--with-scheduler'] : []),
      ...(isSimple ? ['--worker-class', 'rq.worker.SimpleWorker'] : []),
      ...(maxJobs === undefined ? [] : ['--max-jobs', String(maxJobs)]),
    ];
  }
}

const running = new Set<number>();
process.once('exit', () => {
  for (const pid of running) killGroup(pid);
});

async function endGroup(worker: ChildProcess): Promise<void> {
  if (worker.exitCode !== null || worker.signalCode !== null || worker.pid === undefined) return;
  const ended = new Promise((resolve) => worker.once('exit', resolve));
  killGroup(worker.pid);
  await ended;
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // gone already
  }
}
