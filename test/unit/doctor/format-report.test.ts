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

  it('breaks its lines between words on a terminal, and commands that are to be copied nowhere', () => {
    const acl = 'ACL SETUSER <user> ~rsq:* +evalsha +eval +xadd +bitfield +zadd +zrem +unlink +set +get';
    const well = check({ title: 'Port accepts', value: 'the port refuses connections, and nothing listens' });
    const bad = check({ verdict: 'fail', value: 'denied', remedy: `As an administrator: ${acl}` });
    const wide = formatReport(report(well, bad), { columns: 80 }).split('\n');
    expect(wide.slice(0, 7)).toEqual([
      'Resources',
      '  ✓ Port accepts                           the port refuses connections, and',
      '                                           nothing listens',
      '  ✗ Memory                                 denied',
      '      expected: at most 90 %',
      '      → As an administrator:',
      `        ${acl}`,
    ]);
    const narrow = formatReport(report(well, bad), { columns: 40, hasColours: true });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are what this takes away
    const lines = narrow.replace(/\u001b\[\d+m/g, '').split('\n');
    expect(lines.slice(1, 5)).toEqual([
      '  ✓ Port accepts',
      '      the port refuses connections, and',
      '      nothing listens',
      '  ✗ Memory',
    ]);
    expect(lines.filter((line) => line.length > 40)).toEqual([`        ${acl}`]);
    expect(formatReport(report(well, bad))).toContain(`${well.value}\n`);
    // As a terminal says that does not know: a serial console, `docker exec -t`.
    expect(formatReport(report(well, bad), { columns: 0 })).toBe(formatReport(report(well, bad)));
  });

  it('tells a Redis that could not be used from one that was not reached', () => {
    const failed = { ...report(check({})), reached: false };
    expect(formatReport(failed)).toContain('Redis was not reached');
    const stages = [{ stage: 'tcp', verdict: 'pass', ms: 1 }] as const;
    expect(formatReport({ ...failed, stages })).toContain('Redis could not be used');
  });

  it('has colours only where they are wanted', () => {
    const one = report(check({ verdict: 'fail', remedy: 'Mend it.' }));
    expect(formatReport(one)).not.toContain('\u001b');
    expect(formatReport(one, { hasColours: true })).toContain('\u001b[31m✗\u001b[0m');
  });
});
