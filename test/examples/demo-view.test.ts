import { MemoryBackupStore, ResilientQueue } from '@morningai/resilient-queue';
import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { bar, chart, clip, inColour, withoutColour } from '../../scripts/demo/ansi.js';
import { isClean, ledgerTable } from '../../scripts/demo/ledger-table.js';
import { LiveView } from '../../scripts/demo/live-view.js';
import type { Snapshot } from '../../scripts/demo/meter.js';
import { schedule } from '../../scripts/demo/scenario.js';
import { isLive } from '../../scripts/demo/view.js';
import { Ledger } from '../support/ledger.js';

// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what an escape sequence begins with
const plain = (text: string) => text.replaceAll(/\x1b\[[?0-9;]*[a-zA-Z]/g, '');

async function snapshot(): Promise<Snapshot> {
  const redis = new Redis({ lazyConnect: true });
  const queue = new ResilientQueue('demo', { redis, backup: new MemoryBackupStore() });
  const report = queue.health();
  await queue.close();
  return {
    elapsedMs: 12_345,
    perSecond: { toRedis: 1000, toBackup: 0 },
    report,
    replay: { replayed: 500, total: 2000, perSecond: 9000, leftMs: 166, tookMs: undefined },
    waiting: 0,
    worstMs: 1002,
  };
}

const history = (_figure: string, _spanMs: number, columns: number) =>
  Array.from({ length: columns }, (_, i) => i * 10);

it.each([
  { columns: 100, rows: 30 },
  { columns: 80, rows: 24 },
  { columns: 40, rows: 12 },
  { columns: 250, rows: 60 },
  { columns: 10, rows: 3 },
])('fits into a terminal of $columns × $rows', async ({ columns, rows }) => {
  const written: string[] = [];
  const terminal = { columns, rows, write: (text: string) => written.push(text) };
  const view = new LiveView(terminal, { history }, schedule(18.5), 1000);
  view.start();
  view.phase('Redis is dead');
  for (let n = 0; n < 50; n++) view.event(n * 100, `event ${n} ${'x'.repeat(300)}`);
  view.draw(await snapshot());
  const lines = plain(written.at(-1) ?? '').split('\r\n');
  expect(lines.length).toBeLessThanOrEqual(Math.max(4, rows));
  for (const line of lines) expect(line.length).toBeLessThan(Math.max(21, columns));
  if (columns >= 80) {
    const screen = lines.join('\n');
    for (const word of [
      'Redis is dead',
      'breaker ● closed',
      'status ● up',
      'worst enqueue() 1,002 ms',
      '500 of 2,000',
    ]) {
      expect(screen).toContain(word);
    }
    expect(screen, 'the latest events').toContain('event 49');
  }
});

it('gives the terminal back, once, and draws no more', async () => {
  const written: string[] = [];
  const view = new LiveView({ write: (text) => written.push(text) }, { history }, schedule(18.5), 1000);
  view.start();
  expect(written).toEqual(['\x1b[?1049h\x1b[?25l']);
  view.stop();
  view.stop();
  view.draw(await snapshot());
  expect(written).toEqual(['\x1b[?1049h\x1b[?25l', '\x1b[?25h\x1b[?1049l']);
});

it('draws only where somebody watches who wants it', () => {
  expect(isLive({ isTTY: true }, {})).toBe(true);
  expect(isLive({}, {})).toBe(false);
  expect(isLive({ isTTY: true }, { NO_COLOR: '1' })).toBe(false);
  expect(isLive({ isTTY: true }, { CI: 'true' })).toBe(false);
  expect(isLive({ isTTY: true }, { TERM: 'dumb' })).toBe(false);
});

it('measures text without its colours', () => {
  expect(plain(clip(`${inColour('red', 'abc')}def`, 4))).toBe('abcd');
  expect(bar(0.5, 4)).toBe('██░░');
  expect(bar(7, 2)).toBe('██');
  expect(chart([0, 1, 8, 16, 99], 16, 2)).toEqual(['   ██', ' ▁███']);
});

it.each([
  { fault: 'nothing', stream: ['a', 'b'], clean: true },
  { fault: 'a lost job', stream: ['a'], clean: false },
  { fault: 'a doubled job', stream: ['a', 'b', 'b'], clean: false },
  { fault: 'a job of nobody', stream: ['a', 'b', 'c'], clean: false },
])('finds $fault in the ledger', async ({ stream, clean }) => {
  const ledger = new Ledger();
  for (const id of ['a', 'b']) await ledger.track(id, Promise.resolve({ id, outcome: 'enqueued' }));
  ledger.delivered(stream);
  expect(isClean(ledger.summary())).toBe(clean);
  const table = ledgerTable(ledger.summary(), 0, withoutColour);
  expect(table.includes('exactly once')).toBe(clean);
  expect(table.includes('The promise was broken')).toBe(!clean);
});

it('finds a refused and an unsettled call in the ledger', async () => {
  for (const call of [Promise.reject(new Error('no')), new Promise<never>(() => {})]) {
    const ledger = new Ledger();
    await ledger.track('a', Promise.resolve({ id: 'a', outcome: 'enqueued' }));
    await Promise.race([ledger.track('b', call), new Promise(setImmediate)]);
    ledger.delivered(['a']);
    expect(isClean(ledger.summary())).toBe(false);
  }
});
