import { describe, expect, it } from 'vitest';
import { type DoctorReport, diagnose } from '../../../src/doctor/index.js';
import { checkOf, connectThrough, startRedis, unwell } from '../../support/doctor.js';

/** Examines a real Redis whose INFO is as `edit` makes it: managed services and Redis's relatives tell other things. */
async function examineWithInfo(edit: (info: string) => string): Promise<DoctorReport> {
  const args = ['--maxmemory', '100mb', '--maxmemory-policy', 'noeviction'];
  const { port } = await startRedis({
    appendOnly: 'yes',
    args: [...args, '--repl-diskless-sync-delay', '0'],
  });
  const connection = await connectThrough(port, async ([command], send) => {
    const reply = await send();
    return command === 'INFO' ? edit(String(reply)) : reply;
  });
  return diagnose(connection);
}

/** What it says of a server is never made of what the server did not say. */
function expectSense(report: DoctorReport): void {
  for (const { id, value, observed } of report.checks) {
    expect(`${id}: ${value} ${observed ?? ''}`).not.toMatch(/NaN|undefined|Infinity|null/);
  }
}

const setting = (field: string, value: string) => (info: string) =>
  info.replace(new RegExp(`^${field}:.*$`, 'm'), `${field}:${value}`);

describe('a server whose INFO', () => {
  it.each([
    ['is empty', () => ''],
    ['has the section of the server alone', (info: string) => /# Server.*?(?=# |$)/s.exec(info)?.[0] ?? ''],
    ['has words where numbers are', (info: string) => info.replace(/:[\d.-]+[KMG%]?\r$/gm, ':none\r')],
    [
      'has nothing behind its colons',
      (info: string) => info.replace(/^(?!redis_version|role)(\w+):.*$/gm, '$1:'),
    ],
  ])('%s is examined as far as it tells, and is not ill for its silence', async (_, edit) => {
    const report = await examineWithInfo(edit);
    expectSense(report);
    const ofResources = report.checks.filter(({ group }) => group === 'resources');
    expect(new Set(ofResources.map(({ skipped }) => skipped))).toEqual(new Set(['refused']));
    expect(unwell(report).filter(({ id }) => !/client|eviction-policy|persistence/.test(id))).toEqual([]);
    expect(report.coverage.refused).toBeGreaterThan(6);
  });

  it('tells no limits is not full for it', async () => {
    const none = (info: string) => setting('maxclients', '0')(setting('total_system_memory', '0')(info));
    const report = await examineWithInfo((info) => setting('maxmemory', '0')(none(info)));
    expectSense(report);
    expect(checkOf(report, 'resources.memory')).toMatchObject({ skipped: 'refused' });
    expect(checkOf(report, 'resources.clients')).toMatchObject({ skipped: 'refused' });
  });

  it('does not tell since when it counts has its counts told', async () => {
    const report = await examineWithInfo((info) =>
      setting('evicted_keys', '3')(info.replace(/^uptime_in_seconds:.*\r\n/m, '')),
    );
    expect(checkOf(report, 'resources.evicted-keys')).toMatchObject({ verdict: 'warn', value: '3' });
  });

  it('tells of a replica without its lag does not pass for it', async () => {
    const report = await examineWithInfo(
      setting('connected_slaves', '1\r\nslave0:ip=10.0.0.1,port=6379,state=online'),
    );
    expectSense(report);
    expect(checkOf(report, 'high-availability.replica-lag')).toMatchObject({ skipped: 'refused' });
  });

  it('is of Valkey is called so', async () => {
    const report = await examineWithInfo((info) =>
      setting('redis_version', '7.2.4\r\nvalkey_version:8.0.1')(info.replace(/^valkey_version.*\r\n/m, '')),
    );
    expect(checkOf(report, 'configuration.version')).toMatchObject({
      ...{ verdict: 'pass', value: '7.2.4, of Valkey 8.0.1' },
    });
  });

  it('has no end of a machine moves nobody to raise maxmemory where there is none', async () => {
    const report = await examineWithInfo((info) =>
      setting('maxmemory', '0')(setting('total_system_memory', '1000')(info)),
    );
    expect(checkOf(report, 'resources.memory')).toMatchObject({ verdict: 'fail' });
    expect(checkOf(report, 'resources.memory').remedy).not.toContain('maxmemory');
  });
});
