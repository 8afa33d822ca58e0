import type { VerifiableTransport } from './evidence/evidence-of.js';
import type { JobBook } from './job-book.js';
import type { LedgerReading } from './ledger-reading.js';
import { type UnknowableReason, type Verdict, verdictOn } from './verdict.js';

/** What `verify()` found out. Has no address and no payload in it. */
export interface VerifyReport {
  readonly queue: string;
  readonly transport: VerifiableTransport;
  /** Accepted jobs in the ledger: the sum of {@link counts}. A job is an id, however often it was accepted. */
  readonly jobs: number;
  readonly counts: Readonly<Record<Verdict, number>>;
  /** The first ids of what is lost, doubled, parked and unknowable. */
  readonly examples: Readonly<Record<Example, readonly string[]>>;
  readonly unknowable: Readonly<Record<UnknowableReason, number>>;
  readonly ledger: LedgerReading;
  /** How long it was reckoned that Redis remembers deliveries, and ids of callers; ms. */
  readonly recognition: { readonly generatedMs: number; readonly callerMs: number };
  /** What Redis did not say, so that it is taken on trust: that it is a primary, that it evicts nothing. */
  readonly onTrust: readonly ('primary' | 'eviction')[];
  /** Whether the backup was looked into. */
  readonly isBackupSeen: boolean;
  /** Nothing is lost or doubled, and nothing is missing: neither jobs nobody can tell of, nor lines of the ledger, nor its end. */
  readonly isProven: boolean;
}

type Example = 'lost' | 'doubled' | 'parked' | 'unknowable';

export function makeReport(
  book: JobBook,
  about: Pick<VerifyReport, 'queue' | 'transport' | 'ledger' | 'recognition' | 'onTrust' | 'isBackupSeen'>,
  /** The backup, if there was one, is known: seen, or gone. */
  isBackupKnown: boolean,
  mostExamples: number,
): VerifyReport {
  const counts = { delivered: 0, pending: 0, parked: 0, dropped: 0, lost: 0, doubled: 0, unknowable: 0 };
  const unknowable: Record<UnknowableReason, number> = {
    ...{ 'window-passed': 0, evicted: 0, 'backup-not-seen': 0 },
    ...{ 'accepted-elsewhere': 0, 'clocks-differ': 0, 'parked-no-more': 0 },
  };
  const examples: Record<Example, string[]> = { lost: [], doubled: [], parked: [], unknowable: [] };
  for (const job of book.jobs()) {
    const found = verdictOn(job, isBackupKnown);
    const verdict: Verdict = isReason(found, unknowable) ? 'unknowable' : found;
    if (isReason(found, unknowable)) unknowable[found] += 1;
    counts[verdict] += 1;
    const ids = verdict in examples ? examples[verdict as Example] : undefined;
    if (ids && ids.length < mostExamples) ids.push(job.id);
  }
  const { missing, closedEarly } = about.ledger;
  const isWhole = counts.unknowable === 0 && missing === 0 && closedEarly === 0;
  const isProven = counts.lost === 0 && counts.doubled === 0 && isWhole;
  return { ...about, jobs: book.size, counts, examples, unknowable, isProven };
}

function isReason(
  found: ReturnType<typeof verdictOn>,
  reasons: Readonly<Record<UnknowableReason, number>>,
): found is UnknowableReason {
  return found in reasons;
}
