import type { UnknowableReason, Verdict } from '../ledger/verdict.js';
import type { VerifyReport } from '../ledger/verify-report.js';

const meanings: Readonly<Record<Verdict, string>> = {
  delivered: 'stand in the queue, or were consumed',
  pending: 'wait in the backup, and are replayed by themselves',
  parked: 'were set aside, and wait for a person',
  dropped: 'expired while they waited, and were told of',
  lost: 'are nowhere',
  doubled: 'stand in the queue more than once',
  unknowable: 'nobody can tell of',
};

const reasons: Readonly<Record<UnknowableReason, string>> = {
  'window-passed':
    'Redis remembers them no longer (by default ids of yours for 24 hours, others for 7 days): verify sooner',
  evicted: 'Redis evicts keys, perhaps also what it remembered of these: use maxmemory-policy noeviction',
  'backup-not-seen':
    'they went to a backup: give --backup-lmdb, or --backup-gone if it was in memory and is gone',
  'parked-no-more': 'they were parked, and are in the backup no more: who removed them?',
};

const RED = '\u001b[31m';
const GREEN = '\u001b[32m';
const YELLOW = '\u001b[33m';
const PLAIN = '\u001b[0m';

/** The report for a person: counts, what is wrong by its ids, and what to do next. */
export function printVerdict(report: VerifyReport, hasColours: boolean): string {
  const paint = (text: string, colour: string) => (hasColours ? `${colour}${text}${PLAIN}` : text);
  return [
    `Queue ${JSON.stringify(report.queue)} (${report.transport}): ${number(report.jobs)} accepted jobs in the ledger`,
    '',
    ...table(report, paint),
    ...examples(report),
    ...notes(report),
    '',
    paint(...conclusion(report)),
    ...nextSteps(report),
    '',
  ].join('\n');
}

type Paint = (text: string, colour: string) => string;

function table({ counts }: VerifyReport, paint: Paint): string[] {
  const bad: Partial<Record<Verdict, string>> = {
    lost: RED,
    doubled: RED,
    unknowable: YELLOW,
    parked: YELLOW,
  };
  return (Object.keys(meanings) as Verdict[]).map((verdict) => {
    const count = counts[verdict];
    const row = `  ${verdict.padEnd(10)} ${number(count).padStart(11)}   ${count > 0 ? meanings[verdict] : ''}`;
    const colour = count > 0 ? bad[verdict] : undefined;
    return colour === undefined ? row.trimEnd() : paint(row, colour);
  });
}

function examples({ counts, examples }: VerifyReport): string[] {
  const lines: string[] = [];
  for (const kind of ['lost', 'doubled', 'parked', 'unknowable'] as const) {
    const ids = examples[kind];
    if (ids.length === 0) continue;
    const which =
      counts[kind] > ids.length ? `the first ${ids.length} of ${number(counts[kind])}` : 'all of them';
    lines.push('', `${kind}, ${which}:`, ...ids.map((id) => `  ${id}`));
  }
  return lines;
}

function notes({ unknowable, ledger, counts }: VerifyReport): string[] {
  const lines: string[] = [];
  for (const [reason, count] of Object.entries(unknowable)) {
    if (count > 0) lines.push(`${number(count)} unknowable: ${reasons[reason as UnknowableReason]}.`);
  }
  const { missing, torn, openWriters, redelivered, otherQueues } = ledger;
  if (missing > 0) {
    lines.push(`${number(missing)} lines could not be written to the ledger: their jobs are in no count.`);
  }
  if (torn > 0) lines.push(`${number(torn)} lines of the ledger are torn, or none of a ledger.`);
  if (openWriters > 0) {
    lines.push(
      `${number(openWriters)} of the processes that wrote it are still at work, or were killed: what they accepted last may be missing from the ledger (not from the queue).`,
    );
  }
  if (redelivered > 0) {
    lines.push(
      `Redis had lost data, and ${number(redelivered)} jobs were laid down again: a consumer may have run them twice.`,
    );
  }
  const others = Object.keys(otherQueues).length;
  if (others > 0) lines.push(`Jobs of ${number(others)} other queues in the ledger were not looked at.`);
  if (counts.lost > 0) {
    lines.push(
      'If Redis was emptied or failed over, jobs that had run before it are among the lost: it forgot them, too.',
    );
  }
  return lines.length > 0 ? ['', ...lines] : [];
}

function conclusion({ counts, isProven, ledger }: VerifyReport): [string, string] {
  if (counts.lost > 0 || counts.doubled > 0) {
    const wrong = [
      counts.lost > 0 ? `${number(counts.lost)} lost` : '',
      counts.doubled > 0 ? `${number(counts.doubled)} doubled` : '',
    ];
    return [`NOT WELL: ${wrong.filter((part) => part !== '').join(', ')}.`, RED];
  }
  if (isProven) return ['WELL: nothing lost, nothing doubled.', GREEN];
  const what =
    counts.unknowable > 0
      ? `of ${number(counts.unknowable)} jobs`
      : `of ${number(ledger.missing)} missing lines`;
  return [`NOT PROVEN: nothing found lost or doubled, but ${what} nobody can tell.`, YELLOW];
}

function nextSteps({ counts }: VerifyReport): string[] {
  const steps: string[] = [];
  if (counts.lost > 0) {
    steps.push(
      'Lost: enqueue them again under the same ids, from where their payloads are; a job that is there after all answers "duplicate".',
    );
  }
  if (counts.doubled > 0) {
    steps.push('Doubled: find out whether they have run; remove the second entry of each that has not.');
  }
  if (counts.parked > 0) {
    steps.push('Parked: look at their reasons (admin.list), mend them, then admin.unpark, or admin.remove.');
  }
  if (counts.pending > 0) {
    steps.push(
      'Pending: they go to Redis as soon as a process with this backup runs and Redis takes writes. Verify again then.',
    );
  }
  return steps.length > 0 ? ['', 'What to do next', ...steps.map((step) => `  - ${step}`)] : [];
}

function number(value: number): string {
  return value.toLocaleString('en-US');
}
