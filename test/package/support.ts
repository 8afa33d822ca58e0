import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
} from 'node:fs';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** The repository's folder. */
export const root = fileURLToPath(new URL('../../', import.meta.url));

/** The part of package.json these tests read. */
export interface Manifest {
  readonly name: string;
  readonly main: string;
  readonly module: string;
  readonly types: string;
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | Record<string, Record<string, string>>>>;
  readonly dependencies: Readonly<Record<string, string>>;
}

export const manifest: Manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** The only packages a user gets with this one. */
export const allowedPackages: readonly string[] = ['cockatiel', 'eventemitter3'];

/** Every public subpath (`.`, `./backup/lmdb`) with its conditions, `./package.json` left out. */
export const subpaths = Object.entries(manifest.exports).flatMap(([subpath, conditions]) =>
  typeof conditions === 'string' ? [] : [{ subpath, conditions }],
);

/** What tsup builds for `bin`: `cli/main`. */
export const programs = Object.values(manifest.bin).map((file) =>
  file.slice('./dist/'.length, -'.js'.length),
);

/** `@morningai/resilient-queue` for `.`, `@morningai/resilient-queue/backup/lmdb` for `./backup/lmdb`. */
export const specifier = (subpath: string) => `${manifest.name}${subpath.slice(1)}`;

/** Every file below `folder`, relative to it, with `/` on every system. */
export function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll(sep, '/'))
    .sort();
}

/** The built package. Throws where nobody has built it. */
export function dist(): string {
  const folder = join(root, 'dist');
  if (!existsSync(folder)) throw new Error('There is no dist: run `npm run build` before these tests.');
  return folder;
}

/** What a source or declaration file imports, exports from or references; type imports included. */
export function importsOf(file: string): string[] {
  const found = ts.preProcessFile(readFileSync(file, 'utf8'), true, true);
  return [...found.importedFiles, ...found.referencedFiles, ...found.typeReferenceDirectives].map(
    ({ fileName }) => fileName,
  );
}

/** True for what any part of the core may import from outside: Node itself and the two dependencies. */
export const isAllowedOutside = (name: string) =>
  isBuiltin(name) ||
  allowedPackages.includes(name) ||
  allowedPackages.some((own) => name.startsWith(`${own}/`));

/**
 * A consumer's project in a temporary folder: the package as `npm pack` makes it, unpacked as `npm install` would, its
 * dependencies and `others` linked; `aliases` puts another package in a name's place. No other package is in reach. The
 * caller removes the folder.
 */
export function makeConsumer(others: readonly string[] = [], aliases: Readonly<Record<string, string>> = {}) {
  dist();
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'resilient-queue-consumer-')));
  const installed = join(folder, 'node_modules', manifest.name);
  mkdirSync(installed, { recursive: true });
  // Scripts are left out so that packing never builds: other test files are reading dist at this moment.
  run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], root);
  const [tarball] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  if (tarball === undefined) throw new Error(`npm pack left no tarball in ${folder}`);
  run('tar', ['-xzf', tarball, '--strip-components=1', '-C', installed], folder);
  for (const name of [...allowedPackages, ...others]) {
    const link = join(folder, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(root, 'node_modules', aliases[name] ?? name), link, 'dir');
  }
  return { folder, installed };
}

/** Runs a program to its end and returns what it printed; where it fails, that is in the error. */
export function run(program: string, args: readonly string[], cwd: string): string {
  const { status, error, stdout, stderr } = spawnSync(program, args, {
    cwd,
    encoding: 'utf8',
    timeout: 50_000,
  });
  if (status === 0) return stdout;
  throw new Error(`${program} ${args.join(' ')} failed: ${error ?? `status ${status}`}\n${stdout}${stderr}`);
}

/** Type-checks as strictly as TypeScript can, with no library but Node's; throws with what the compiler says. */
export function compile(folder: string, flags: string, files: readonly string[]): void {
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const strict = '--strict --exactOptionalPropertyTypes --noEmit --target es2022 --lib es2022 --types node';
  run(process.execPath, [compiler, ...`${strict} ${flags}`.split(' '), ...files], folder);
}
