import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type LedgerLine, readLedger } from '../../../src/ledger/index.js';
import { jobRecord } from '../support/job-record.js';
import { temporaryFolder } from '../support/temporary-folder.js';

async function read(text: string): Promise<(LedgerLine | undefined)[]> {
  const path = join(temporaryFolder(), 'ledger.ndjson');
  writeFileSync(path, text);
  const lines: (LedgerLine | undefined)[] = [];
  await readLedger(path, (line) => lines.push(line));
  return lines;
}

const line = { v: 1, at: 5, queue: 'orders', event: 'enqueued', id: 'ä' };

it('reads lines across the pieces of a large file, and skips empty ones', async () => {
  const many = Array.from({ length: 20_000 }, (_, n) => ({ ...line, id: `ä-${n}` }));
  expect(await read(`\n${many.map((one) => JSON.stringify(one)).join('\n')}\n\n`)).toEqual(many);
});

it.each([
  ['a torn one', JSON.stringify(line).slice(0, -3)],
  ['one of an event that is not known', JSON.stringify({ ...line, event: 'sung' })],
  ['one without an id', JSON.stringify({ ...line, id: undefined })],
  ['one of the year 0', JSON.stringify({ ...line, at: 0 })],
  [
    'one that does not know how long its jobs are recognised',
    '{"v":1,"at":5,"queue":"orders","event":"opened","writer":"a","recognition":5}',
  ],
  ['no object', '5'],
])('takes %s for no line, and goes on', async (_, bad) => {
  expect(await read(`${bad}\n${JSON.stringify(line)}\n`)).toEqual([undefined, line]);
  expect(await read(`${JSON.stringify(line)}\n${bad}`)).toEqual([line, undefined]);
});

it('reads a line that another writer wrote behind one that a kill tore', async () => {
  const other = { ...line, id: '{"v":1,' };
  for (const torn of [JSON.stringify(line).slice(0, 30), '\0\0\0\0']) {
    expect(await read(`${torn}${JSON.stringify(other)}\n${JSON.stringify(line)}\n`)).toEqual([
      ...[undefined, other, line],
    ]);
  }
});

it("takes a store's export", async () => {
  const job = jobRecord({ id: 'a', enqueuedAt: 7 });
  const parked = { job: { ...job, id: 'b' }, reason: 'rejected: ERR', parkedAt: 9 };
  expect(await read(`${JSON.stringify(job)}\n${JSON.stringify(parked)}\n`)).toEqual([
    { v: 1, at: 7, queue: job.queue, event: 'backed-up', id: 'a' },
    { v: 1, at: 9, queue: job.queue, event: 'parked', id: 'b', reason: 'rejected' },
  ]);
});

it('rejects what a later release wrote, which would be in no count', async () => {
  const later = JSON.stringify({ ...line, v: 2 });
  await expect(read(`${JSON.stringify(line)}\n${later}\n`)).rejects.toThrow('lines of version 2');
});

it('rejects a file that is not there', async () => {
  await expect(readLedger('/no/such/ledger', () => {})).rejects.toThrow('ENOENT');
});

it.each([
  ['a folder', () => temporaryFolder()],
  ['a pipe', () => newPipe()],
  ['a device', () => '/dev/zero'],
])('rejects %s, and does not wait for its end', async (kind, path) => {
  await expect(readLedger(path(), () => {})).rejects.toThrow(`is ${kind}.`);
});

function newPipe(): string {
  const path = join(temporaryFolder(), 'pipe');
  execFileSync('mkfifo', [path]);
  return path;
}
