import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { doctorTable } from '../../../scripts/doctor-table.js';
import { allChecks } from '../../../src/doctor/checks/all-checks.js';
import { stageCauses } from '../../../src/doctor/checks/stage-causes.js';
import { checkGroups } from '../../../src/doctor/doctor-report.js';
import { type DoctorTransport, neededRights } from '../../../src/doctor/needed-rights.js';

const docs = readFileSync(new URL('../../../docs/doctor.md', import.meta.url), 'utf8');
const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');

describe('the checks', () => {
  it('have ids of their own that begin with their group', () => {
    const ids = allChecks.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(allChecks.filter(({ id, group }) => !id.startsWith(`${group}.`))).toEqual([]);
  });

  it('stand in the order of the groups, and every group has some', () => {
    expect([...new Set(allChecks.map(({ group }) => group))]).toEqual(checkGroups);
  });

  it('say what they read, what is well, and who says so', () => {
    const silent = allChecks.filter(
      ({ reads, threshold, source, title }) => !(reads && threshold && source && title),
    );
    expect(silent).toEqual([]);
  });

  it('have titles that fit into their column', () => {
    expect(allChecks.filter(({ title }) => title.length > 38).map(({ title }) => title)).toEqual([]);
  });

  it('ask for the rights that the README names', () => {
    const line = readme.split('\n').find((text) => text.startsWith("The client's Redis user needs")) ?? '';
    const [own, ofRq, ofBullMq, canary] = [...line.matchAll(/`(\+[^`]+ [^`]+)`/g)].map(([, rights = '']) =>
      rights.split(' '),
    ) as [string[], string[], string[], string[]];
    const needed = (transport: DoctorTransport) =>
      new Set(neededRights[transport].commands.map((name) => `+${name}`));
    expect(needed('streams')).toEqual(new Set(own));
    expect(needed('rq')).toEqual(new Set([...own.filter((name) => name !== '+xadd'), ...ofRq]));
    expect(needed('bullmq')).toEqual(new Set([...ofBullMq, ...canary]));
  });

  it.each(checkGroups)('stand in docs/doctor.md as they are: %s', (group) => {
    expect(docs).toContain(doctorTable(group));
  });

  it('are as many as the README says, and their causes stand in docs/doctor.md', () => {
    expect(readme).toContain(`[${allChecks.length} checks](docs/doctor.md)`);
    const rows = Object.entries(stageCauses).map(
      ([cause, row]) => `| \`${cause}\` | ${row.value} | ${row.remedy} |`,
    );
    expect(rows.filter((row) => !docs.includes(row))).toEqual([]);
  });

  it('know a remedy for every fault of a connection', () => {
    expect(Object.values(stageCauses).filter(({ value, remedy }) => !value || !remedy.endsWith('.'))).toEqual(
      [],
    );
  });
});
