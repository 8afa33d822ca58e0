import { describe, expect, it } from 'vitest';
import { type LmdbBackupOptions, LmdbBackupStore } from '../../../src/backup/lmdb.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { thrownBy } from '../support/thrown.js';

const wrong: readonly [
  what: string,
  options: unknown,
  kind: typeof TypeError | typeof RangeError,
  text: RegExp,
][] = [
  ['no options', undefined, TypeError, /options must be an object with "path", got undefined/],
  ['no path', {}, TypeError, /"path" must be the path of a folder, got undefined/],
  ['a path that is a number', { path: 5 }, TypeError, /"path" .* got 5/],
  ['an empty path', { path: '' }, RangeError, /"path" .* got an empty string/],
  ['a path with a zero character', { path: 'a\0b' }, RangeError, /"path" .* zero character/],
  ['a path that is too long', { path: 'x'.repeat(5000) }, RangeError, /at most 4000 bytes, got 5000 bytes/],
  ['the path of a file', { path: process.execPath }, RangeError, /"path" .* got that of a file/],
  ['a path below a file', { path: `${process.execPath}/backup` }, RangeError, /"path" .* got that of a file/],
  [
    'a clock without now()',
    { path: 'never-made', clock: {} },
    TypeError,
    /"clock" must have a method now\(\), got an object/,
  ],
  [
    'an option that there is not',
    { path: 'never-made', maxBytes: 5 },
    TypeError,
    /Unknown option "maxBytes"; the options are path, clock/,
  ],
];

describe('the options of LmdbBackupStore', () => {
  it.each(wrong)('are refused by name: %s', (_, options, kind, text) => {
    const error = thrownBy(() => new LmdbBackupStore(options as LmdbBackupOptions));
    expect(error).toBeInstanceOf(kind);
    expect((error as Error).message).toMatch(text);
  });

  it('may name a clock of undefined', async () => {
    await new LmdbBackupStore({ path: temporaryFolder(), clock: undefined }).close();
  });
});
