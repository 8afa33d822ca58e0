export type { VerifiableTransport } from './evidence/evidence-of.js';
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
export type { LedgerReading } from './ledger-reading.js';
export type { WrittenLines } from './line-buffer.js';
export { readLedger } from './read-ledger.js';
export type { UnknowableReason, Verdict } from './verdict.js';
export { type VerifyOptions, verify } from './verify.js';
export type { VerifyReport } from './verify-report.js';
export { type LedgerOptions, type LedgerWriter, writeLedger } from './write-ledger.js';
