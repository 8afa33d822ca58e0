// Measures the built package against what a service would use without it, and prints tables.
//   npm run bench                              everything; about 20 minutes on a quiet machine
//   npm run bench -- --only enqueue,replay     some parts
//   npm run bench -- --quick                   does it work? the numbers mean nothing
//   npm run bench -- --rounds 9                more rounds than 5
//   npm run bench -- --json results.json       one file instead of one a part in bench/results/
//   npm run bench -- --write-docs              puts the tables into docs/performance.md
//   npm run bench -- --profile --callers 16    which functions enqueue() spends its time in
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runInChild } from './child/run-in-child.js';
import { type CommandLine, readCommandLine } from './command-line.js';
import { parts } from './parts/index.js';
import { profileEnqueue } from './profile/profile-enqueue.js';
import { tell } from './progress.js';
import { describeMachine, writeMachine } from './report/machine.js';
import type { PartResult } from './report/result.js';
import { writeBetweenMarkers } from './report/write-docs.js';
import { writeTables } from './report/write-tables.js';
import type { Settings } from './settings.js';

const root = fileURLToPath(new URL('../', import.meta.url));
const resultsFolder = join(root, 'bench/results');
const docs = join(root, 'docs/performance.md');

const print = (text: string) => process.stdout.write(`${text}\n`);

async function bench(options: CommandLine): Promise<void> {
  const machine = await describeMachine();
  const where = writeMachine(machine);
  print(`${where}\n`);
  if (machine.loadBefore > 0.5 && !options.quick) tell('The machine is not quiet: expect wide ranges.\n');

  // Not in the system's temporary folder, which may be in memory: what is measured there is made durable.
  mkdirSync(resultsFolder, { recursive: true });
  const directory = mkdtempSync(join(resultsFolder, 'stores-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  const { quick, rounds } = options;
  const settings: Settings = { quick, rounds, directory };
  const results: PartResult[] = [];
  for (const part of options.parts) {
    const result = await runInChild<PartResult>(`parts/${part}`, settings);
    results.push(result);
    const tables = writeTables(result);
    print(`## ${parts[part]}\n\n${tables}`);
    if (options.json === undefined)
      save(join(resultsFolder, `${part}.json`), { machine, quick, rounds, ...result });
    if (options.writeDocs) writeBetweenMarkers(docs, part, `${tables}- ${where}\n`);
  }
  if (options.json !== undefined) save(options.json, { machine, quick, rounds, results });
}

function save(file: string, report: unknown): void {
  writeFileSync(file, `${JSON.stringify(report, undefined, 2)}\n`);
}

function complain(error: unknown): never {
  tell(error instanceof Error ? error.message : String(error));
  process.exit(2);
}

let options: CommandLine;
try {
  options = readCommandLine(process.argv.slice(2));
  if (!existsSync(join(root, 'dist/index.js')))
    throw new Error('There is no dist: run `npm run build` first.');
} catch (error) {
  complain(error);
}
// With a listener, so that what stands in temporary folders is removed.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
try {
  if (options.profile === undefined) await bench(options);
  else await profileEnqueue(options.profile, resultsFolder, print);
} catch (error) {
  tell(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
