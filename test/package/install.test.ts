import { readFileSync, rmSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { filesIn, makeConsumer, manifest, run } from './support.js';

describe('the packed package, unpacked into a project without a Redis client', () => {
  let consumer: ReturnType<typeof makeConsumer>;
  beforeAll(() => {
    consumer = makeConsumer();
  });
  afterAll(() => rmSync(consumer.folder, { recursive: true }));

  it('holds what users need, and dist', () => {
    const files = filesIn(consumer.installed).filter((file) => !file.startsWith('dist/'));
    expect(files).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json']);
  });

  it('has only code, declarations and source maps in dist', () => {
    const files = filesIn(join(consumer.installed, 'dist'));
    expect(files.filter((file) => !/\.(js|cjs|d\.ts|d\.cts)(\.map)?$/.test(file))).toEqual([]);
    expect(files.filter((file) => /(^|\/)(test|tests|src|node_modules)\/|\.test\./.test(file))).toEqual([]);
  });

  it('has source maps that need no file outside the package', () => {
    const maps = filesIn(consumer.installed).filter((file) => file.endsWith('.map'));
    const outside = maps.flatMap((map) => {
      const { sources, sourcesContent }: SourceMap = JSON.parse(
        readFileSync(join(consumer.installed, map), 'utf8'),
      );
      return sources
        .filter((source, at) => {
          const place = relative(consumer.installed, join(consumer.installed, dirname(map), source));
          return place.startsWith('..') || source.startsWith('/') || typeof sourcesContent?.[at] !== 'string';
        })
        .map((source) => `${map} points to ${source}`);
    });
    expect(outside).toEqual([]);
  });

  it.each([
    { how: 'import', flag: 'module', load: `import * as library from '${manifest.name}';` },
    { how: 'require', flag: 'commonjs', load: `const library = require('${manifest.name}');` },
  ])('answers to $how', ({ flag, load }) => {
    const program = `${load} console.log(typeof library.ResilientQueue, typeof library.isResilientQueueError);`;
    const output = run(process.execPath, [`--input-type=${flag}`, '--eval', program], consumer.folder);
    expect(output).toBe('function function\n');
  });
});

interface SourceMap {
  readonly sources: readonly string[];
  readonly sourcesContent?: readonly (string | null)[];
}
