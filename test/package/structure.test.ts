import { readFileSync } from 'node:fs';
import { basename, join, posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { filesIn, importsOf, isAllowedOutside, root } from './support.js';

const src = join(root, 'src');
const files = filesIn(src).filter((file) => file.endsWith('.ts'));

/** Each import in src: by which file, of what, and which of our files that is. */
const imports = files.flatMap((file) =>
  importsOf(join(src, file)).map((name) => ({ file, name, target: targetOf(file, name) })),
);

describe('src', () => {
  it('begins at index.ts', () => {
    expect(files).toContain('index.ts');
  });

  it('imports its own files by relative paths that exist', () => {
    const missing = imports.filter(
      ({ name, target }) => name.startsWith('.') && !files.includes(target ?? ''),
    );
    expect(missing.map(({ file, name }) => `${file} imports ${name}`)).toEqual([]);
  });

  it('has no circle between its folders', () => {
    expect(findCircle()).toBe('no circle');
  });

  it.each(['conformance', 'testing'])('never needs its own %s: that is for users', (folder) => {
    const users = imports.filter(
      ({ file, target }) => folderOf(target) === folder && folderOf(file) !== folder,
    );
    expect(users.map(({ file, target }) => `${file} imports ${target}`)).toEqual([]);
  });

  it('has a core that imports no package but its dependencies, types included', () => {
    const core = reachableFrom('index.ts');
    const strangers = imports.filter(
      ({ file, name, target }) => core.has(file) && target === undefined && !isAllowedOutside(name),
    );
    expect(strangers.map(({ file, name }) => `${file} imports ${name}`)).toEqual([]);
  });

  it('has no catch-all files', () => {
    const catchAll = /^(utils?|helpers?|types|common|misc)\.ts$/;
    expect(files.filter((file) => catchAll.test(basename(file)))).toEqual([]);
  });

  it('lists every exported name: no default exports, no export *', () => {
    const unlisted = /^\s*export\s+(default\b|\*)|^\s*export\s*\{[^}]*\bas\s+default\b/m;
    expect(files.filter((file) => unlisted.test(readFileSync(join(src, file), 'utf8')))).toEqual([]);
  });
});

/** `job/codec.ts` for `'../job/codec.js'`; undefined for a package. */
function targetOf(file: string, name: string): string | undefined {
  return name.startsWith('.') ? posix.join(posix.dirname(file), name).replace(/\.js$/, '.ts') : undefined;
}

/** `job` for `job/codec.ts`; a file directly in src stands for itself. */
function folderOf(file: string | undefined): string | undefined {
  return file?.split('/')[0];
}

function reachableFrom(start: string): ReadonlySet<string> {
  const reached = new Set([start]);
  for (const from of reached) {
    for (const { file, target } of imports) if (file === from && target !== undefined) reached.add(target);
  }
  return reached;
}

/** A circle as a path of imports, one a line. Depth first: a folder met again on the way to itself closes a circle. */
function findCircle(): string {
  const edges = imports.filter(
    ({ file, target }) => target !== undefined && folderOf(file) !== folderOf(target),
  );
  const finished = new Set<string | undefined>();

  const search = (folder: string | undefined, path: typeof edges): typeof edges | undefined => {
    const start = path.findIndex(({ file }) => folderOf(file) === folder);
    if (start !== -1) return path.slice(start);
    if (finished.has(folder)) return undefined;
    for (const edge of edges.filter(({ file }) => folderOf(file) === folder)) {
      const circle = search(folderOf(edge.target), [...path, edge]);
      if (circle !== undefined) return circle;
    }
    finished.add(folder);
    return undefined;
  };

  for (const { file } of edges) {
    const circle = search(folderOf(file), []);
    if (circle === undefined) continue;
    const folders = [...circle.map((edge) => folderOf(edge.file)), folderOf(circle[0]?.file)].join(' → ');
    return [folders, ...circle.map((edge) => `  ${edge.file} imports ${edge.target}`)].join('\n');
  }
  return 'no circle';
}
