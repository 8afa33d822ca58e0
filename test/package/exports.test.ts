import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import tsupConfig from '../../tsup.config.js';
import { dist, manifest, programs, root, subpaths } from './support.js';

const entryName = (subpath: string) => (subpath === '.' ? 'index' : subpath.slice('./'.length));

describe('package.json exports', () => {
  it('are, with the programs of bin, exactly the entries that tsup builds', () => {
    const entries = (tsupConfig as { entry: Record<string, string> }).entry;
    const names = [...subpaths.map(({ subpath }) => entryName(subpath)), ...programs];
    expect(Object.keys(entries).sort()).toEqual(names.sort());
  });

  describe.each(subpaths)('$subpath', ({ subpath, conditions }) => {
    const name = entryName(subpath);

    it('is built from the source of the same name', () => {
      const entries = (tsupConfig as { entry: Record<string, string> }).entry;
      const sources = [`src/${name}.ts`, `src/${name}/index.ts`];
      expect(sources).toContain(entries[name]);
      expect(sources.filter((source) => existsSync(join(root, source)))).toEqual([entries[name]]);
    });

    it('names types before default, for import and for require', () => {
      // As JSON, since the order of the keys is what counts: a resolver takes the first that fits.
      expect(JSON.stringify(conditions)).toBe(
        JSON.stringify({
          import: { types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` },
          require: { types: `./dist/${name}.d.cts`, default: `./dist/${name}.cjs` },
        }),
      );
    });

    it('names files that exist', () => {
      dist();
      const files = Object.values(conditions).flatMap((condition) => Object.values(condition));
      expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
    });
  });

  it('agree with main, module and types, for tools that do not read exports', () => {
    expect([manifest.main, manifest.module, manifest.types]).toEqual([
      './dist/index.cjs',
      './dist/index.js',
      './dist/index.d.ts',
    ]);
  });

  it('include package.json, which tools ask for', () => {
    expect(manifest.exports['./package.json']).toBe('./package.json');
  });
});
