import { describe, expect, it } from 'vitest';
import type { CheckReport, DoctorReport } from '../../../src/doctor/index.js';
import { formatReport } from '../../../src/doctor/index.js';

const check = (own: Partial<CheckReport>): CheckReport => ({
  ...{
    id: 'resources.memory',
    group: 'resources',
    title: 'Memory',
    verdict: 'pass',
    read: 'INFO',
    value: '50 %',
  },
  ...{ threshold: 'at most 90 %', source: 'here' },
  ...own,
});

const report = (...checks: CheckReport[]): DoctorReport => ({
  ...{
    version: 1,
    scope: 'server',
    verdict: 'fail',
    reached: true,
    startedAt: 0,
    durationMs: 12,
    stages: [],
    checks,
  },
  coverage: { applicable: checks.length, made: checks.length, refused: 0 },
  ...{ minimalAcl: '~rsq:* +set', advisoryAcl: '+info' },
});

describe('a report for people', () => {
  it('has a line a check, a remedy under what is not well, and the worst first at the end', () => {
    const text = formatReport(
      report(
        check({ verdict: 'warn', value: 'hm', remedy: 'Look.' }),
        check({ group: 'network', title: 'Round trip', value: '1 ms' }),
        check({ group: 'network', title: 'Clock', verdict: 'fail', value: 'bad', remedy: 'Mend it.' }),
      ),
    );
    expect(text.split('\n')).toEqual([
      'Resources',
      '  ! Memory                                 hm',
      '      expected: at most 90 %',
      '      → Look.',
      '',
      'Network',
      '  ✓ Round trip                             1 ms',
      '  ✗ Clock                                  bad',
      '      expected: at most 90 %',
      '      → Mend it.',
      '',
      'To do, the worst first',
      '  ✗ Clock: bad',
      '  ! Memory: hm',
      '',
      'Something is wrong: 1 failed, 1 warned, 1 passed; 3 of 3 checks could be made, in 12 ms.',
      '',
    ]);
  });

  it('tells one reason once, and leaves out what does not apply', () => {
    const refused = { verdict: 'skipped', skipped: 'refused', value: 'This user may not use INFO' } as const;
    const text = formatReport(
      report(
        check(refused),
        check({ ...refused, title: 'Clients' }),
        check({ title: 'Sentinels', verdict: 'skipped', skipped: 'not-applicable' }),
      ),
    );
    expect(text).toContain('– Memory and 1 more                      This user may not use INFO');
    expect(text).not.toContain('Sentinels');
  });

  it('says what it is not about, of a Sentinel and of a node of a cluster', () => {
    expect(formatReport({ ...report(check({})), scope: 'sentinel' })).toMatch(/a Sentinel, .* not the Redis/);
    expect(formatReport({ ...report(check({})), scope: 'cluster-node' })).toMatch(/one node of a cluster/);
    expect(formatReport(report(check({})))).not.toMatch(/Sentinel|cluster/);
  });

  it('has colours only where they are wanted', () => {
    const one = report(check({ verdict: 'fail', remedy: 'Mend it.' }));
    expect(formatReport(one)).not.toContain('\u001b');
    expect(formatReport(one, { hasColours: true })).toContain('\u001b[31m✗\u001b[0m');
  });
});
