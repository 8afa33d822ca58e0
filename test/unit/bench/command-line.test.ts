import { describe, expect, it } from 'vitest';
import { readCommandLine } from '../../../bench/command-line.js';
import { partNames } from '../../../bench/parts/index.js';

describe('the benchmark’s command line', () => {
  it('runs every part in five rounds by default', () => {
    expect(readCommandLine([])).toMatchObject({
      parts: partNames,
      rounds: 5,
      quick: false,
      writeDocs: false,
    });
  });

  it('runs one round where only a try was asked for', () => {
    expect(readCommandLine(['--quick', '--only', 'replay,enqueue'])).toMatchObject({
      parts: ['replay', 'enqueue'],
      rounds: 1,
      quick: true,
    });
  });

  it.each([
    [['--only', 'enqueu'], 'there is no part "enqueu"'],
    [['--rounds', 'many'], '--rounds must be a whole number from 1 to 100, got "many"'],
    [['--rounds', '0'], '--rounds must be a whole number from 1 to 100, got "0"'],
    [['--profile', '--callers', '1.5'], '--callers must be a whole number from 1 to 10000, got "1.5"'],
    [['--quick', '--write-docs'], 'leave --quick out'],
    [['--fast'], '--fast'],
  ])('refuses %s', (args, reason) => {
    expect(() => readCommandLine(args)).toThrow(reason);
  });
});
