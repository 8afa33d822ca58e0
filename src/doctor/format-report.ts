import {
  type CheckGroup,
  type CheckReport,
  checkGroups,
  type DoctorReport,
  type Verdict,
} from './doctor-report.js';

const titles: Readonly<Record<CheckGroup, string>> = {
  connection: 'Connection',
  resources: 'Resources',
  logs: 'Logs',
  configuration: 'Configuration',
  network: 'Network',
  'high-availability': 'High availability',
  backup: 'Our own backup',
  client: "The client's settings",
};

const marks: Readonly<Record<Verdict, string>> = { pass: '✓', warn: '!', fail: '✗', skipped: '–' };
const colours: Readonly<Record<Verdict, string>> = { pass: '32', warn: '33', fail: '31', skipped: '2' };
const WIDTH = 38;
const VALUE_AT = WIDTH + 5;

/** What a report is not about. */
const limits: Readonly<Partial<Record<DoctorReport['scope'], string>>> = {
  'cluster-node':
    "This is one node of a cluster. Connection, resources, logs, configuration, network and replicas are this node's alone: have the others examined, too, each by its URL. State and slots are the cluster's, as this node sees it.",
  sentinel:
    'This is a Sentinel, which holds no jobs: its Sentinels and their view of the primary were examined, and not the Redis itself. Have that examined, too, by its URL (SENTINEL GET-MASTER-ADDR-BY-NAME tells where it is).',
};

/** How a report is to look. */
export interface ReportLook {
  /** @default false */
  readonly hasColours?: boolean | undefined;
  /** Of the terminal, whose lines are broken between words; 0 where it does not tell. @default unlimited, for a file or `grep` */
  readonly columns?: number | undefined;
}

/**
 * A report for people: the checks by group, one line each, with the remedy under what is not well; at the end what is to be
 * done, the worst first. Checks that there was nothing to look at for are counted only.
 */
export function formatReport(report: DoctorReport, look: ReportLook = {}): string {
  const paint = (text: string, colour: string) =>
    look.hasColours ? `\u001b[${colour}m${text}\u001b[0m` : text;
  const mark = (verdict: Verdict) => paint(marks[verdict], colours[verdict]);
  const columns = look.columns || Number.POSITIVE_INFINITY;
  const broken = (text: string, indent = '', room = indent.length) => linesOf(text, columns - room);

  const lineOf = ({ verdict, title, value, remedy, threshold }: CheckReport) => {
    const head = `  ${mark(verdict)} ${title}`;
    const isNarrow = columns < VALUE_AT + 24;
    const indent = ' '.repeat(isNarrow ? 6 : VALUE_AT);
    const values = broken(value, indent).map((line) => paint(line, colours[verdict]));
    const [first, ...more] = values;
    const lines = isNarrow
      ? [head, ...values.map((line) => indent + line)]
      : [
          `${head}${' '.repeat(Math.max(0, WIDTH - title.length))} ${first}`,
          ...more.map((line) => indent + line),
        ];
    if (!remedy) return lines;
    return [
      ...lines,
      ...broken(`expected: ${threshold}`, '      ').map((line) => paint(`      ${line}`, '2')),
      ...broken(remedy, '        ').map((line, n) => `${n === 0 ? '      → ' : '        '}${line}`),
    ];
  };

  const shown = report.checks.filter(({ skipped }) => skipped !== 'not-applicable');
  const unreached = shown.filter(({ skipped }) => skipped === 'unreachable');
  const groups = checkGroups.flatMap((group) => {
    const checks = shown.filter((check) => check.group === group && check.skipped !== 'unreachable');
    return checks.length === 0 ? [] : [paint(titles[group], '1'), ...collapse(checks).flatMap(lineOf), ''];
  });
  const worst = [...shown.filter(isVerdict('fail')), ...shown.filter(isVerdict('warn'))];
  const limit = limits[report.scope];

  return [
    ...(report.target ? [paint(report.target, '1'), ''] : []),
    ...groups,
    ...(unreached.length > 0
      ? [`  ${mark('skipped')} ${paint(`${unreached.length} checks were not come to`, '2')}`, '']
      : []),
    ...(limit ? [...broken(limit), ''] : []),
    ...(worst.length > 0 ? [paint('To do, the worst first', '1')] : []),
    ...worst.flatMap(({ verdict, title, value }) =>
      broken(`${title}: ${value}`, '    ').map((line, n) => `  ${n === 0 ? mark(verdict) : ' '} ${line}`),
    ),
    ...(worst.length > 0 ? [''] : []),
    ...summaryOf(report, shown, broken, paint),
    ...(report.coverage.refused > 0 ? ['', ...adviceOf(report)] : []),
    '',
  ].join('\n');
}

/** `text` in lines of at most `width`, but for longer words. A command to be copied, at the end of a text, is one word. */
function linesOf(text: string, width: number): readonly string[] {
  const [prose = '', command] = text.split(/ (?=ACL SETUSER )/);
  const words = [...prose.split(' '), ...(command === undefined ? [] : [command])];
  const lines: string[] = [];
  for (const word of words) {
    const line = lines.at(-1);
    if (line !== undefined && line.length + 1 + word.length <= width) lines.push(`${lines.pop()} ${word}`);
    else lines.push(word);
  }
  return lines;
}

const isVerdict = (verdict: Verdict) => (check: CheckReport) => check.verdict === verdict;

/** Of checks that were skipped for one and the same reason, one line. */
function collapse(checks: readonly CheckReport[]): readonly CheckReport[] {
  const reasons = new Map<string, CheckReport[]>();
  for (const check of checks.filter(isVerdict('skipped'))) {
    reasons.set(check.value, [...(reasons.get(check.value) ?? []), check]);
  }
  const merged = [...reasons.values()].map(([first, ...rest]) => {
    const one = first as CheckReport;
    return rest.length === 0 ? one : { ...one, title: `${one.title} and ${rest.length} more` };
  });
  return [...checks.filter((check) => check.verdict !== 'skipped'), ...merged];
}

function summaryOf(
  { verdict, coverage, durationMs, reached, stages }: DoctorReport,
  shown: readonly CheckReport[],
  broken: (text: string) => readonly string[],
  paint: (text: string, colour: string) => string,
): readonly string[] {
  const count = (of: Verdict) => shown.filter(isVerdict(of)).length;
  const words = { pass: 'All is well', warn: 'It works, with warnings', fail: 'Something is wrong' };
  // A wrong password is no matter of reaching.
  const isThere = stages.some((one) => one.stage === 'tcp' && one.verdict === 'pass');
  const opinion = reached ? words[verdict] : isThere ? 'Redis could not be used' : 'Redis was not reached';
  const counts = `${count('fail')} failed, ${count('warn')} warned, ${count('pass')} passed`;
  const made = `${coverage.made} of ${coverage.applicable} checks could be made`;
  const [first = '', ...more] = broken(`${opinion}: ${counts}; ${made}, in ${durationMs} ms.`);
  const said = Math.min(opinion.length, first.length);
  return [paint(first.slice(0, said), colours[verdict]) + first.slice(said), ...more];
}

function adviceOf({ minimalAcl, advisoryAcl }: DoctorReport): readonly string[] {
  return [
    'If it is rights that are missing: ACL SETUSER <user> …',
    `  the library needs:   ${minimalAcl}`,
    `  the doctor, besides: ${advisoryAcl}`,
  ];
}
