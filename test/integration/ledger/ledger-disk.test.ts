import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { type LedgerLine, readLedger, writeLedger } from '../../../src/ledger/index.js';
import { waitFor } from '../../support/wait-for.js';
import { ToldQueue } from '../../unit/support/told-queue.js';
import { mayMount } from '../lmdb/privileges.js';

const BYTES = 256 * 1024;

function smallDisk(): string {
  const path = mkdtempSync(join(tmpdir(), 'resilient-queue-ledger-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${BYTES}`, 'tmpfs', path]);
  onTestFinished(() => {
    execFileSync('umount', ['--lazy', path]);
    rmdirSync(path);
  });
  return path;
}

it.skipIf(!mayMount)('loses no line to a disk that was full for a while, if memory holds them', async () => {
  const disk = smallDisk();
  const ballast = join(disk, 'ballast');
  writeFileSync(ballast, Buffer.alloc(BYTES / 2));
  const path = join(disk, 'ledger.ndjson');
  const queue = new ToldQueue();
  const errors: Error[] = [];
  const ledger = writeLedger(queue, path, { onError: (error) => errors.push(error) });
  const ids = Array.from({ length: 2000 }, (_, n) => `job-${n}`);
  for (const id of ids) {
    queue.accept(id);
    if (Number(id.slice(4)) % 100 === 0) await new Promise(setImmediate);
  }
  await waitFor(() => errors.length > 0, { what: 'the disk to be full' });
  expect((errors[0] as NodeJS.ErrnoException).code).toBe('ENOSPC');
  rmSync(ballast);
  const written = await ledger.close();
  expect(written).toEqual({ lines: 2000, missing: 0 });
  const lines: (LedgerLine | undefined)[] = [];
  await readLedger(path, (line) => lines.push(line));
  expect(lines.flatMap((line) => (line && 'id' in line ? [line.id] : []))).toEqual(ids);
  // Of the line that was cut there is a torn piece more.
  expect(lines.filter((line) => line === undefined).length).toBeLessThanOrEqual(1);
});
