import { statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type LedgerLine, readLedger } from '../../../src/ledger/index.js';
import { BundledProgram } from '../../support/bundled-program.js';
import { temporaryFolder } from '../../unit/support/temporary-folder.js';
import type { LedgerProgramSettings } from './ledger-program.js';

it('lets several processes write one file, and no line comes inside another', async () => {
  await using program = await BundledProgram.build(new URL('ledger-program.ts', import.meta.url));
  const path = join(temporaryFolder(), 'ledger.ndjson');
  const names = ['a', 'b', 'c'];
  const settings: Omit<LedgerProgramSettings, 'name'> = { path, batches: 100, batchSize: 256 };
  const writers = names.map((name) => program.start({ ...settings, name }));
  for (const writer of writers) {
    expect(await writer.ended).toEqual({ code: 0, signal: null });
    expect(writer.lines()).toEqual([JSON.stringify({ lines: 25_600, missing: 0 })]);
  }
  const ids: string[] = [];
  const others: (LedgerLine | undefined)[] = [];
  await readLedger(path, (line) => {
    if (line && 'id' in line) ids.push(line.id);
    else others.push(line);
  });
  expect(new Set(ids).size).toBe(3 * 25_600);
  expect(ids).toHaveLength(3 * 25_600);
  // Each one's own lines are in their order.
  for (const name of names) {
    const own = ids.filter((id) => id.startsWith(name));
    const inOrder = own.map((_, n) => `${name}-${Math.floor(n / 256)}-${n % 256}`);
    expect(own).toEqual(inOrder);
  }
  expect(others.map((line) => line?.event).sort()).toEqual([
    'closed',
    'closed',
    'closed',
    'opened',
    'opened',
    'opened',
  ]);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});
