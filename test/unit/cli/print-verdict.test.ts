import { expect, it } from 'vitest';
import { printVerdict } from '../../../src/cli/print-verdict.js';
import type { VerifyReport } from '../../../src/ledger/index.js';

const nothing = { delivered: 0, pending: 0, parked: 0, dropped: 0, lost: 0, doubled: 0, unknowable: 0 };
const well: VerifyReport = {
  queue: 'orders',
  transport: 'streams',
  jobs: 12_000,
  counts: { ...nothing, delivered: 12_000 },
  examples: { lost: [], doubled: [], parked: [], unknowable: [] },
  unknowable: {
    ...{ 'window-passed': 0, evicted: 0, 'backup-not-seen': 0 },
    ...{ 'accepted-elsewhere': 0, 'clocks-differ': 0, 'parked-no-more': 0 },
  },
  recognition: { generatedMs: 7 * 86_400_000, callerMs: 86_400_000 },
  ledger: {
    ...{ files: 1, lines: 12_002, torn: 0, missing: 0, openWriters: 0, closedEarly: 0, redelivered: 0 },
    otherQueues: {},
  },
  onTrust: [],
  isBackupSeen: true,
  isProven: true,
};

it('is short where all is well', () => {
  expect(printVerdict(well, false).split('\n')).toEqual([
    'Queue "orders" (streams), accepted jobs in the ledger: 12,000',
    '',
    '  delivered       12,000   stand in the queue, or were consumed',
    '  pending              0',
    '  parked               0',
    '  dropped              0',
    '  lost                 0',
    '  doubled              0',
    '  unknowable           0',
    '',
    'WELL: nothing lost, nothing doubled.',
    '',
  ]);
});

it('does not call proven what a ledger with missing lines cannot prove', () => {
  const ledger = {
    ...well.ledger,
    missing: 7,
    torn: 1,
    openWriters: 2,
    closedEarly: 4,
    redelivered: 3,
    otherQueues: { mails: 5 },
  };
  const text = printVerdict({ ...well, ledger, onTrust: ['primary', 'eviction'], isProven: false }, false);
  for (const line of [
    'Lines that could not be written to the ledger: 7. Their jobs are in no count.',
    'Lines of the ledger that are torn, or of something else: 1.',
    'Writers of the ledger that are still at work, or were killed: 2.',
    'Laid down again after Redis had lost data: 3.',
    'Taken on trust, since Redis does not say it to this user: that it is the primary (+role), that it evicts nothing (+info).',
    'Other queues in the ledger, not looked at: "mails".',
    'NOT PROVEN: nothing found lost or doubled, but missing lines: 7, closed too early: 4.',
    'Ledgers that were closed while their queue took jobs: 4.',
  ]) {
    expect(text).toContain(`\n${line}`);
  }
});

it('says why nobody can tell of some jobs, and what to do about each kind', () => {
  const text = printVerdict(
    {
      ...well,
      counts: { ...nothing, pending: 1, parked: 2, doubled: 1, unknowable: 6 },
      examples: { lost: [], doubled: ['d'], parked: ['p', 'q'], unknowable: ['u'] },
      unknowable: {
        ...{ 'window-passed': 1, evicted: 1, 'backup-not-seen': 1 },
        ...{ 'accepted-elsewhere': 1, 'clocks-differ': 1, 'parked-no-more': 1 },
      },
      recognition: { generatedMs: 36 * 3_600_000, callerMs: 90_000 },
      isProven: false,
    },
    false,
  );
  for (const kind of ['Pending: ', 'Parked: ', 'Doubled: ']) expect(text).toContain(`  - ${kind}`);
  expect(text).toContain('unknowable, the first 1 of 6:\n  u\n');
  expect(text).toContain('parked, all of them:\n  p\n  q\n');
  expect(text.match(/^Unknowable: 1\. /gm)).toHaveLength(6);
  expect(text).toContain('(ids of yours for 0.025 hours, others for 36 hours)');
  expect(text).toContain('NOT WELL: 1 doubled.');
});

it('has colours only where they may be', () => {
  const bad = { ...well, counts: { ...well.counts, lost: 1 }, isProven: false };
  expect(printVerdict(bad, true)).toContain('\u001b[31m  lost ');
  expect(printVerdict(bad, false)).not.toContain('\u001b');
});

it('asks whether it is the right Redis when nothing at all is there, and whether somebody is still mending a loss', () => {
  const lost = { ...well, counts: { ...nothing, lost: 3 }, isProven: false };
  const text = printVerdict({ ...lost, ledger: { ...well.ledger, openWriters: 1 } }, false);
  expect(text).toContain('is it the right server, database, user and transport?');
  expect(text).toContain('Verify again in a minute');
  expect(text).toContain('If Redis was emptied or failed over, look first whether they have run.');
  const some = printVerdict({ ...lost, counts: { ...nothing, lost: 3, delivered: 1 } }, false);
  expect(some).not.toContain('is it the right server');
  expect(some).not.toContain('Verify again in a minute');
});

it('lets no id or name of a queue move the cursor of a terminal', () => {
  const text = printVerdict(
    {
      ...{ ...well, queue: 'a\u009b2J', counts: { ...nothing, lost: 1 } },
      examples: { lost: ['b\u001b[1A\r\n'], doubled: [], parked: [], unknowable: [] },
      ledger: { ...well.ledger, otherQueues: { 'c\u009b': 1 } },
    },
    false,
  );
  expect(text).toContain('\n  b\\u001b[1A\\u000d\\u000a\n');
  expect(text.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
});
