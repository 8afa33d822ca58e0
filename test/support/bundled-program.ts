import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

// Inside node_modules, so that what is not bundled is found; and git does not look there.
const cache = fileURLToPath(new URL('../../node_modules/.cache/', import.meta.url));

/** For what is CommonJS in the bundle. */
const REQUIRE =
  'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);';
/** A test that is ended has no time to end its processes. */
const DIE_WITH_PARENT = 'process.stdin.on("end", () => process.exit(1)).resume().unref();';

/** A TypeScript program as one file of JavaScript: it starts in a fraction of the time, and in one process. */
export class BundledProgram {
  readonly #folder: string;
  readonly #file: string;
  readonly #running = new Set<RunningProgram>();

  private constructor(folder: string, file: string) {
    this.#folder = folder;
    this.#file = file;
  }

  static async build(source: URL): Promise<BundledProgram> {
    mkdirSync(cache, { recursive: true });
    const folder = mkdtempSync(join(cache, 'test-program-'));
    const file = join(folder, 'program.mjs');
    await build({
      entryPoints: [fileURLToPath(source)],
      bundle: true,
      platform: 'node',
      target: 'node20',
      format: 'esm',
      outfile: file,
      external: ['lmdb'],
      banner: { js: `${REQUIRE}\n${DIE_WITH_PARENT}` },
      logLevel: 'error',
    });
    return new BundledProgram(folder, file);
  }

  /** `settings` reach it as JSON, in its first argument. */
  start(settings: unknown): RunningProgram {
    const program = new RunningProgram(
      this.#file,
      settings,
      join(this.#folder, `output-${this.#running.size}`),
    );
    this.#running.add(program);
    return program;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const program of this.#running) program.signal('SIGKILL');
    await Promise.all([...this.#running].map((program) => program.ended));
    rmSync(this.#folder, { recursive: true });
  }
}

/** A process whose output goes to a file: what it wrote before it was killed is there. */
export class RunningProgram {
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  readonly #process: ChildProcess;
  readonly #output: string;

  constructor(file: string, settings: unknown, output: string) {
    this.#output = output;
    const handle = openSync(output, 'w');
    this.#process = spawn(process.execPath, ['--no-warnings', file, JSON.stringify(settings)], {
      stdio: ['pipe', handle, handle],
    });
    closeSync(handle);
    this.ended = new Promise((resolve) => {
      this.#process.once('close', (code, signal) => resolve({ code, signal }));
    });
  }

  /** The lines it has written; not the last one, while it may be half of one. */
  lines(): string[] {
    return readFileSync(this.#output, 'utf8').split('\n').slice(0, -1);
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.ended;
  }
}
