import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { Figure, Goal, Table } from '../../bench/report/result.js';
import { Child } from './support/child.js';

interface Report {
  readonly quick: boolean;
  readonly rounds: number;
  readonly machine: { readonly node: string };
  readonly results: readonly {
    readonly part: string;
    readonly tables: readonly Table[];
    readonly goals: readonly Goal[];
  }[];
}

const figuresOf = ({ rows }: Table): Figure[] => rows.flat().filter((cell) => typeof cell !== 'string');

it('measures, prints tables and writes every figure with its samples', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'resilient-queue-bench-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'results.json');
  const args = [
    '--quick',
    '--rounds',
    '2',
    '--only',
    'enqueue,transports,replay,recognition',
    '--json',
    file,
  ];
  await using bench = new Child('bench/main.ts', { args });
  expect((await bench.ended).code, bench.output).toBe(0);

  const report: Report = JSON.parse(readFileSync(file, 'utf8'));
  expect(report).toMatchObject({ quick: true, rounds: 2, machine: { node: process.version } });
  expect(report.results.map(({ part }) => part)).toEqual(['enqueue', 'transports', 'replay', 'recognition']);
  const [enqueue] = report.results;
  const ratiosToRaw = enqueue?.tables[0] as Table;
  expect(ratiosToRaw.rows.map(([name]) => name)).toEqual([
    'ioredis xadd',
    'ioredis xadd, auto-pipelined',
    'node-redis xAdd',
    'the script alone over ioredis',
    'enqueue() over ioredis',
    'enqueue() over node-redis',
    'BullMQ add',
  ]);
  for (const { value, samples } of figuresOf(ratiosToRaw)) {
    expect(value).toBeGreaterThan(0);
    expect(samples).toHaveLength(2);
  }
  expect(enqueue?.goals.map(({ least }) => least)).toEqual([2, 5, 0.85]);

  const longLived = report.results[3]?.goals[0]?.measured.value;
  expect(longLived, 'bytes of Redis’s memory a job').toBeLessThan(1);
  expect(longLived).toBeGreaterThan(0.125); // a bit is the least there is
  expect(bench.output).toMatch(/^\| enqueue\(\) over ioredis +\|.*× \(\d/m);
  expect(bench.output).toMatch(/^\| replay\(\) from memory +\|.*×/m);
});

it('says which parts there are', async () => {
  await using bench = new Child('bench/main.ts', { args: ['--only', 'speed'] });
  expect((await bench.ended).code).toBe(2);
  expect(bench.output).toContain('there is no part "speed"');
  expect(bench.output).toContain(
    '--only enqueue,transports,backup,replay,backlog,recognition,outage,event-loop',
  );
});
