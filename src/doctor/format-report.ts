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

/** What a report is not about. */
const limits: Readonly<Record<DoctorReport['scope'], readonly string[]>> = {
  server: [],
  'cluster-node': [
    "This is one node of a cluster. Connection, resources, logs, configuration, network and replicas are this node's alone: have the others examined, too, each by its URL. State and slots are the cluster's, as this node sees it.",
    '',
  ],
  sentinel: [
    'This is a Sentinel, which holds no jobs: its Sentinels and their view of the primary were examined, and not the Redis itself. Have that examined, too, by its URL (SENTINEL GET-MASTER-ADDR-BY-NAME tells where it is).',
    '',
  ],
};

/**
 * A report for people: the checks by group, one line each, with the remedy under what is not well; at the end what is to be
 * done, the worst first. Checks that there was nothing to look at for are counted only.
 */
export function formatReport(report: DoctorReport, options: { readonly hasColours?: boolean } = {}): string {
  const paint = (text: string, colour: string) =>
    options.hasColours ? `\u001b[${colour}m${text}\u001b[0m` : text;
  const mark = (verdict: Verdict) => paint(marks[verdict], colours[verdict]);

  const lineOf = ({ verdict, title, value, remedy, threshold }: CheckReport) => {
    const line = `  ${mark(verdict)} ${title.padEnd(WIDTH)} ${paint(value, colours[verdict])}`;
    if (!remedy) return [line];
    return [line, paint(`      expected: ${threshold}`, '2'), `      → ${remedy}`];
  };

  const shown = report.checks.filter(({ skipped }) => skipped !== 'not-applicable');
  const unreached = shown.filter(({ skipped }) => skipped === 'unreachable');
  const groups = checkGroups.flatMap((group) => {
    const checks = shown.filter((check) => check.group === group && check.skipped !== 'unreachable');
    return checks.length === 0 ? [] : [paint(titles[group], '1'), ...collapse(checks).flatMap(lineOf), ''];
  });
  const worst = [...shown.filter(isVerdict('fail')), ...shown.filter(isVerdict('warn'))];

  return [
    ...(report.target ? [paint(report.target, '1'), ''] : []),
    ...groups,
    ...(unreached.length > 0
      ? [`  ${mark('skipped')} ${paint(`${unreached.length} checks were not come to`, '2')}`, '']
      : []),
    ...limits[report.scope],
    ...(worst.length > 0 ? [paint('To do, the worst first', '1')] : []),
    ...worst.map(({ verdict, title, value }) => `  ${mark(verdict)} ${title}: ${value}`),
    ...(worst.length > 0 ? [''] : []),
    summaryOf(report, shown, paint),
    ...(report.coverage.refused > 0 ? ['', ...adviceOf(report)] : []),
    '',
  ].join('\n');
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
  { verdict, coverage, durationMs, reached }: DoctorReport,
  shown: readonly CheckReport[],
  paint: (text: string, colour: string) => string,
): string {
  const count = (of: Verdict) => shown.filter(isVerdict(of)).length;
  const words = { pass: 'All is well', warn: 'It works, with warnings', fail: 'Something is wrong' };
  const opinion = reached ? words[verdict] : 'Redis was not reached';
  const counts = `${count('fail')} failed, ${count('warn')} warned, ${count('pass')} passed`;
  const made = `${coverage.made} of ${coverage.applicable} checks could be made`;
  return `${paint(opinion, colours[verdict])}: ${counts}; ${made}, in ${durationMs} ms.`;
}

function adviceOf({ minimalAcl, advisoryAcl }: DoctorReport): readonly string[] {
  return [
    'Rights of a user, ACL SETUSER <user> …',
    `  the library needs:   ${minimalAcl}`,
    `  the doctor, besides: ${advisoryAcl}`,
  ];
}
