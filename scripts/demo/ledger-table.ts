import type { LedgerSummary } from '../../test/support/ledger.js';
import { count, type Paint } from './ansi.js';

/** Nothing lost, doubled or refused, and every call settled. */
export function isClean(ledger: LedgerSummary): boolean {
  const { accepted, lost, doubled, ghosts, rejected, unsettled } = ledger;
  return accepted > 0 && lost + doubled + ghosts + rejected + unsettled === 0;
}

/** The ledger as a table, and what it means in one sentence. */
export function ledgerTable(ledger: LedgerSummary, recognised: number, paint: Paint): string {
  const { accepted, backedUp, delivered, lost, doubled, ghosts, rejected, unsettled, worstMs } = ledger;
  const row = (name: string, value: string, note = '') =>
    `  ${name.padEnd(16)}${value}  ${paint('dim', note)}`;
  const figure = (value: number) => count(value).padStart(10);
  const none = (value: number) => paint(value === 0 ? 'green' : 'red', figure(value));
  const lines = [
    paint('bold', '  The ledger'),
    `  ${'─'.repeat(26)}`,
    row('accepted', figure(accepted), `${count(backedUp)} of them into the backup`),
    row('delivered', figure(delivered), 'read back from the stream in Redis'),
    row('lost', none(lost)),
    row('doubled', none(doubled), `${count(recognised)} were sent again, and recognised`),
    row('rejected', none(rejected)),
    row(
      'worst enqueue()',
      `${count(worstMs)} ms`.padStart(10),
      'the library waits 1,000 ms for Redis at most',
    ),
  ];
  if (ghosts > 0) lines.push(row('ghosts', none(ghosts), 'in the stream, though their callers were refused'));
  if (unsettled > 0) lines.push(row('unsettled', none(unsettled), 'calls that never settled'));
  const verdict = isClean(ledger)
    ? paint('green', 'Redis was killed and hung; every accepted job stands in its stream exactly once.')
    : paint('red', 'The promise was broken: please report this with the lines above.');
  return `${lines.map((line) => line.trimEnd()).join('\n')}\n\n  ${verdict}`;
}
