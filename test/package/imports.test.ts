import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { allowedPackages, dist, manifest, root, run, specifier, subpaths } from './support.js';

type Format = 'import' | 'require';

describe.each([
  { what: 'the root', subpath: '.', entry: 'index' },
  { what: 'health', subpath: './health', entry: 'health' },
  { what: 'the transport for RQ', subpath: './transport/rq', entry: 'transport/rq' },
  { what: 'the doctor', subpath: './doctor', entry: 'doctor' },
])('importing $what', ({ subpath, entry }) => {
  it.each<Format>(['import', 'require'])(
    'by %s loads only the package itself and its dependencies',
    (format) => {
      const { files } = load(format, specifier(subpath));
      const own = files.filter((file) => file.startsWith(dist()));
      expect(own).toContain(join(dist(), format === 'import' ? `${entry}.js` : `${entry}.cjs`));
      const allowed = allowedPackages.map((name) => join(root, 'node_modules', name, '/'));
      const others = files.filter(
        (file) => !own.includes(file) && !allowed.some((folder) => file.startsWith(folder)),
      );
      expect(others).toEqual([]);
    },
  );
});

describe('both formats', () => {
  it.each(subpaths)('export the same names from $subpath', ({ subpath }) => {
    const { names } = load('import', specifier(subpath));
    expect(names).not.toEqual([]);
    expect(names).not.toContain('default');
    expect(load('require', specifier(subpath)).names).toEqual(names);
  });
});

it('a user gets two dependencies and no more', () => {
  expect(Object.keys(manifest.dependencies).sort()).toEqual(allowedPackages);
});

/**
 * Loads a module in a process of its own, which must end by itself; returns what the module exports, and every file that
 * V8 parsed meanwhile.
 */
function load(format: Format, name: string): { names: string[]; files: string[] } {
  dist();
  // The debugger sees ES modules and CommonJS alike; a module loader's hook sees only one of them.
  const program = `
    const { Session } = require('node:inspector');
    const session = new Session();
    session.connect();
    const urls = [];
    session.on('Debugger.scriptParsed', ({ params }) => urls.push(params.url));
    session.post('Debugger.enable', async () => {
      urls.length = 0;
      const loaded = ${format === 'import' ? 'await import' : 'require'}(${JSON.stringify(name)});
      process.on('exit', () => console.log(JSON.stringify({ names: Object.keys(loaded).sort(), urls })));
    });`;
  const { names, urls } = JSON.parse(run(process.execPath, ['--eval', program], root)) as {
    names: string[];
    urls: string[];
  };
  return { names, files: urls.filter((url) => url.startsWith('file:')).map((url) => fileURLToPath(url)) };
}
