import { allChecks } from '../src/doctor/checks/all-checks.js';
import type { CheckGroup } from '../src/doctor/doctor-report.js';

/** The checks of a group as a table of docs/doctor.md. */
export function doctorTable(group: CheckGroup): string {
  const rows = allChecks
    .filter((check) => check.group === group)
    .map(({ id, title, reads, threshold, source }) => {
      const cells = [`\`${id}\``, title, reads, threshold, source];
      return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
    });
  return ['| id | check | read from | well is | who says so |', '|---|---|---|---|---|', ...rows].join('\n');
}
