export {
  type AcceptedLine,
  type DataLossLine,
  type DroppedLine,
  LEDGER_VERSION,
  type LedgerLine,
  type MissingLine,
  type ParkedLine,
  type WriterLine,
} from './ledger-line.js';
export type { WrittenLines } from './line-buffer.js';
export { readLedger } from './read-ledger.js';
export { type LedgerOptions, type LedgerWriter, writeLedger } from './write-ledger.js';
