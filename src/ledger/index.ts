export type { VerifiableTransport } from './evidence/evidence-of.js';
export {
  type AcceptedLine,
  type ClosedLine,
  type DataLossLine,
  type DroppedLine,
  type DuplicateLine,
  LEDGER_VERSION,
  type LedgerLine,
  type MissingLine,
  type OpenedLine,
  type ParkedLine,
} from './ledger-line.js';
export type { LedgerReading } from './ledger-reading.js';
export type { WrittenLines } from './line-buffer.js';
export { readLedger } from './read-ledger.js';
export type { UnknowableReason, Verdict } from './verdict.js';
export { verify } from './verify.js';
export type { VerifyOptions } from './verify-options.js';
export type { VerifyReport } from './verify-report.js';
export { type LedgerOptions, type LedgerWriter, writeLedger } from './write-ledger.js';
