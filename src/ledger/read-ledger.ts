import { createReadStream } from 'node:fs';
import { type LedgerLine, readLedgerLine } from './ledger-line.js';

/** Longer than any line that a ledger has: what has no end by then is some other file. */
const LONGEST_LINE = 64 * 1024 * 1024;

/**
 * Hands each line of the ledger at `path` to `onLine`, in its order, and holds no more of it in memory than a piece. `undefined`
 * stands for one that is torn or none of a ledger. Rejects where the file cannot be read.
 */
export async function readLedger(
  path: string,
  onLine: (line: LedgerLine | undefined) => void,
): Promise<void> {
  let rest = '';
  for await (const piece of createReadStream(path, { encoding: 'utf8', highWaterMark: 256 * 1024 })) {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') onLine(readLedgerLine(line));
    if (rest.length > LONGEST_LINE) throw new Error(`${path} has a line without an end: it is no ledger.`);
  }
  if (rest.trim() !== '') onLine(readLedgerLine(rest));
}
