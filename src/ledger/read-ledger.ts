import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { type LedgerLine, readLedgerLine } from './ledger-line.js';
import { notAFile } from './not-a-file.js';

/** Longer than any line that a ledger has: what has no end by then is some other file. */
const LONGEST_LINE = 64 * 1024 * 1024;

/** What the lines of a ledger begin with. Inside one it cannot stand: JSON writes a quote of an id as `\"`. */
const START = '{"v":';

/**
 * Hands each line of the ledger at `path` to `onLine`, in its order, and holds no more of it in memory than a piece. `undefined`
 * stands for one that is torn or none of a ledger (`text` is what it was); a whole line that was written right behind a torn one
 * is read. Rejects where the file cannot be read, or is none (a pipe can be read only once, and may have no end), or a later
 * release wrote to it.
 */
export async function readLedger(
  path: string,
  onLine: (line: LedgerLine | undefined, text: string) => void,
): Promise<void> {
  const read = (text: string) => {
    if (text.trim() === '') return;
    const line = readLedgerLine(text);
    onLine(line, text);
    // One writer was killed in the middle of a line, and another went on in it.
    const next = line ? 0 : text.lastIndexOf(START);
    const behind = next > 0 ? readLedgerLine(text.slice(next)) : undefined;
    if (behind) onLine(behind, text);
  };
  const stats = await stat(path);
  if (!stats.isFile()) throw notAFile(path, stats);
  let rest = '';
  for await (const piece of createReadStream(path, { encoding: 'utf8', highWaterMark: 256 * 1024 })) {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) read(line);
    if (rest.length > LONGEST_LINE) throw new Error(`${path} has a line without an end: it is no ledger.`);
  }
  read(rest);
}
