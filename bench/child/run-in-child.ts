import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('./program.ts', import.meta.url));
const tsconfig = fileURLToPath(new URL('../tsconfig.run.json', import.meta.url));

/** However long a machine takes, it is over by then. */
const LIMIT_MS = 30 * 60_000;

/** What the child is told. */
export interface Order {
  /** A module of bench/ that exports `run`. */
  readonly module: string;
  readonly input: unknown;
}

/** What it says in the end. */
export interface Answer {
  readonly output: unknown;
}

/**
 * Runs `run(input)` of a module of bench/ in a process of its own, so that no part meets the heap or the compiled code of
 * another. It gets the built package. Resolves with what `run` did; rejects when the process ends without.
 */
export function runInChild<Output>(module: string, input: unknown): Promise<Output> {
  return new Promise((resolve, reject) => {
    const child = fork(program, {
      execArgv: ['--import', 'tsx', '--expose-gc'],
      env: { ...process.env, TSX_TSCONFIG_PATH: tsconfig },
      serialization: 'advanced',
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
    child.once('message', (answer) => resolve((answer as Answer).output as Output));
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      // Too late to matter when it has sent its output.
      reject(new Error(`bench/${module} ended without a result (${signal ?? `code ${code}`}).`));
    });
    child.send({ module, input } satisfies Order);
  });
}
