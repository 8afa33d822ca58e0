import type { UnknowableReason, Verdict } from '../ledger/verdict.js';
import type { VerifyReport } from '../ledger/verify-report.js';
import { number } from './number.js';
import { plain } from './plain.js';

const meanings: Readonly<Record<Verdict, string>> = {
  delivered: 'stand in the queue, or were consumed',
  pending: 'wait in the backup, and are replayed by themselves',
  parked: 'were set aside, and wait for a person',
  dropped: 'expired while they waited, and were told of',
  lost: 'are nowhere',
  doubled: 'stand in the queue more than once',
  unknowable: 'nobody can tell of',
};

function reasons({ recognition }: VerifyReport): Readonly<Record<UnknowableReason, string>> {
  const [callers, others] = [duration(recognition.callerMs), duration(recognition.generatedMs)];
  return {
    'window-passed': `Redis remembers them no longer (ids of yours for ${callers}, others for ${others}): verify sooner`,
    evicted:
      'Redis evicts keys, perhaps also these, or what it remembered of them: use maxmemory-policy noeviction',
    'backup-not-seen':
      'They went to a backup: give --backup-lmdb, or --backup-gone if it was in memory and is gone',
    'accepted-elsewhere':
      'A call was answered "duplicate", and no ledger given has their acceptance: give those of all processes',
    'clocks-differ':
      'Told to have expired within a minute of being accepted, by another clock: either may have come first',
    'parked-no-more': 'They were parked, and are in the backup no more: perhaps a person removed them',
  };
}

/** In hours up to two days, then in days. */
function duration(ms: number): string {
  const [count, unit] = ms < 2 * DAY_MS ? [ms / HOUR_MS, 'hour'] : [ms / DAY_MS, 'day'];
  const rounded = Number(count.toPrecision(3));
  return `${rounded} ${unit}${rounded === 1 ? '' : 's'}`;
}

const facts = {
  primary: 'that it is the primary (+role)',
  eviction: 'that it evicts nothing (+info)',
} as const;

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const RED = '\u001b[31m';
const GREEN = '\u001b[32m';
const YELLOW = '\u001b[33m';
const PLAIN = '\u001b[0m';

/** The report for a person: counts, what is wrong by its ids, and what to do next. */
export function printVerdict(report: VerifyReport, hasColours: boolean): string {
  const paint = (text: string, colour: string) => (hasColours ? `${colour}${text}${PLAIN}` : text);
  return [
    `Queue ${plain(JSON.stringify(report.queue))} (${report.transport}), accepted jobs in the ledger: ${number(report.jobs)}`,
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
    lines.push('', `${kind}, ${which}:`, ...ids.map((id) => `  ${plain(id)}`));
  }
  return lines;
}

function notes(report: VerifyReport): string[] {
  const { unknowable, ledger, counts } = report;
  const { missing, torn, openWriters, closedEarly, redelivered, otherQueues } = ledger;
  const because = reasons(report);
  const others = Object.keys(otherQueues).map((name) => plain(JSON.stringify(name)));
  const lines = [
    ...(Object.keys(because) as UnknowableReason[]).map(
      (reason) => unknowable[reason] > 0 && `Unknowable: ${number(unknowable[reason])}. ${because[reason]}.`,
    ),
    missing > 0 &&
      `Lines that could not be written to the ledger: ${number(missing)}. Their jobs are in no count.`,
    torn > 0 && `Lines of the ledger that are torn, or of something else: ${number(torn)}.`,
    openWriters > 0 &&
      `Writers of the ledger that are still at work, or were killed: ${number(openWriters)}. What they accepted last may be missing from it (not from the queue).`,
    closedEarly > 0 &&
      `Ledgers that were closed while their queue took jobs: ${number(closedEarly)}. What it took from then on is in no count: close the queue first.`,
    redelivered > 0 &&
      `Laid down again after Redis had lost data: ${number(redelivered)}. A consumer may have run these twice.`,
    report.onTrust.length > 0 &&
      `Taken on trust, since Redis does not say it to this user: ${report.onTrust.map((fact) => facts[fact]).join(', ')}.`,
    others.length > 0 && `Other queues in the ledger, not looked at: ${others.join(', ')}.`,
    counts.lost > 0 &&
      counts.delivered === 0 &&
      'Nothing of this queue was found in this Redis: is it the right server, database, user and transport?',
    counts.lost > 0 &&
      'If Redis was emptied or failed over, jobs that had run before it are among the lost: it forgot them, too.',
  ].filter((line) => line !== false);
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
  const gaps = {
    unknowable: counts.unknowable,
    'missing lines': ledger.missing,
    'closed too early': ledger.closedEarly,
  };
  const what = Object.entries(gaps).filter(([, count]) => count > 0);
  const words = what.map(([gap, count]) => `${gap}: ${number(count)}`).join(', ');
  return [`NOT PROVEN: nothing found lost or doubled, but ${words}.`, YELLOW];
}

function nextSteps({ counts, ledger }: VerifyReport): string[] {
  const steps: string[] = [];
  if (counts.lost > 0 && ledger.openWriters > 0) {
    steps.push(
      'Lost: a process at work may be laying down again what Redis lost. Verify again in a minute, first of all.',
    );
  }
  if (counts.lost > 0) {
    steps.push(
      'Lost: enqueue them again under the same ids, from where their payloads are; a job that is there after all answers "duplicate". If Redis was emptied or failed over, look first whether they have run.',
    );
  }
  if (counts.doubled > 0) {
    steps.push('Doubled: find out whether they have run; remove the second entry of each that has not.');
  }
  if (counts.parked > 0) {
    steps.push('Parked: `resilient-queue parked` shows their reasons, puts them back or removes them.');
  }
  if (counts.pending > 0) {
    steps.push(
      'Pending: they go to Redis as soon as a process with this backup runs and Redis takes writes. Verify again then.',
    );
  }
  return steps.length > 0 ? ['', 'What to do next', ...steps.map((step) => `  - ${step}`)] : [];
}
