import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { partNames } from '../../../bench/parts/index.js';
import { figure, isMet, median, type PartResult, ratios } from '../../../bench/report/result.js';
import { writeBetweenMarkers } from '../../../bench/report/write-docs.js';
import { writeFigure } from '../../../bench/report/write-figure.js';
import { writeTables } from '../../../bench/report/write-tables.js';

describe('figures of the benchmark', () => {
  it('are medians, which one bad round does not move', () => {
    expect(median([5, 1, 4, 2, 900])).toBe(4);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([])).toBeNaN();
  });

  it('compare what was measured in the same round', () => {
    // The second round was half as fast for both, and in the third only one was disturbed: the medians alone would say 1.
    expect(ratios([200, 100, 100], [100, 50, 200])).toMatchObject({ value: 2, samples: [2, 2, 0.5] });
  });

  it('are written in their unit, a ratio with its range', () => {
    expect(writeFigure(figure('ratio', [2, 1.5, 2.25]))).toBe('2.00× (1.50–2.25)');
    expect(writeFigure(figure('per second', [123_456]))).toBe('123,000');
    expect(writeFigure(figure('ms', [3.21]))).toBe('3.2 ms');
    expect(writeFigure(figure('ms', [Number.NaN]))).toBe('–');
  });

  it('meet a goal from its lower to its upper limit', () => {
    const met = (value: number) =>
      isMet({ what: '', least: 0.8, most: 1.2, measured: figure('ratio', [value]) });
    expect([0.79, 0.8, 1.2, 1.21, Number.NaN].map(met)).toEqual([false, true, true, false, false]);
  });
});

it('writes a part as Markdown tables, goals and conditions', () => {
  const result: PartResult = {
    part: 'enqueue',
    conditions: ['On a quiet machine.'],
    tables: [{ title: 'Speed.', columns: ['', 'jobs'], rows: [['ours', figure('count', [1200])]] }],
    goals: [{ what: 'fast', least: 2, measured: figure('ratio', [1.9]) }],
  };
  expect(writeTables(result)).toBe(`**Speed.**

|      |  jobs |
| ---- | ----: |
| ours | 1,200 |

**Goals**

| goal | limit | measured |        |
| ---- | ----: | -------: | -----: |
| fast |   ≥ 2 |    1.90× | missed |

- On a quiet machine.
`);
});

describe('docs/performance.md', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'resilient-queue-docs-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('has a place for the tables of every part', () => {
    const file = join(folder, 'performance.md');
    const before = readFileSync('docs/performance.md', 'utf8');
    writeFileSync(file, before);
    for (const part of partNames) writeBetweenMarkers(file, part, `the tables of ${part}`);
    const after = readFileSync(file, 'utf8');
    for (const part of partNames) expect(after).toContain(`the tables of ${part}`);
    expect(after.match(/^#.*$/gm), 'the text around them stays').toEqual(before.match(/^#.*$/gm));
  });

  it('gets the tables of a new run in place of the old ones', () => {
    const file = join(folder, 'some.md');
    writeFileSync(file, 'before\n<!-- bench a -->\nold\n<!-- /bench a -->\nafter\n');
    writeBetweenMarkers(file, 'a', 'newer\n');
    writeBetweenMarkers(file, 'a', 'newest\n');
    expect(readFileSync(file, 'utf8')).toBe(
      'before\n<!-- bench a -->\n\nnewest\n\n<!-- /bench a -->\nafter\n',
    );
    expect(() => writeBetweenMarkers(file, 'b', 'x')).toThrow('has no place for "b"');
  });
});
