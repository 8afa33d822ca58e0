import { type Goal, isMet, type PartResult, type Table } from './result.js';
import { writeFigure } from './write-figure.js';

/** A part's results as Markdown that is readable in a terminal, too. */
export function writeTables({ conditions, tables, goals }: PartResult): string {
  const sections = tables.map(writeTable);
  if (goals.length > 0) sections.push(writeGoals(goals));
  return `${sections.join('\n\n')}\n\n${conditions.map((condition) => `- ${condition}`).join('\n')}\n`;
}

function writeTable({ title, note, columns, rows }: Table): string {
  const cells = rows.map((row) => row.map((cell) => (typeof cell === 'string' ? cell : writeFigure(cell))));
  return `**${title}**${note === undefined ? '' : ` ${note}`}\n\n${grid(columns, cells)}`;
}

function writeGoals(goals: readonly Goal[]): string {
  const rows = goals.map((goal) => [
    goal.what,
    limits(goal),
    writeFigure(goal.measured),
    isMet(goal) ? 'met' : 'missed',
  ]);
  return `**Goals**\n\n${grid(['goal', 'limit', 'measured', ''], rows)}`;
}

function limits({ least, most }: Goal): string {
  if (least === undefined) return `≤ ${most}`;
  return most === undefined ? `≥ ${least}` : `${least} to ${most}`;
}

/** The first column is names, the others numbers. */
function grid(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map((title, i) =>
    Math.max(3, title.length, ...rows.map((row) => row[i]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join(' | ')} |`;
  const rule = widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [line(columns), line(rule), ...rows.map(line)].join('\n');
}
