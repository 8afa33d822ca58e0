import { scrub } from '../errors/scrub.js';
import { type Check, NotMade, notApplicable, type Patient } from './check.js';
import type { CheckReport } from './doctor-report.js';

/** Makes one check after the other, so that none disturbs what another measures. Never rejects because of one. */
export async function runChecks(checks: readonly Check[], patient: Patient): Promise<readonly CheckReport[]> {
  const reports: CheckReport[] = [];
  for (const check of checks) reports.push(await runCheck(check, patient));
  return reports;
}

/** What a server says of itself may not move the cursor of whoever reads it. */
function printable(value: string): string {
  return value.replace(/\p{Cc}/gu, '?');
}

async function runCheck(check: Check, patient: Patient): Promise<CheckReport> {
  const { id, group, title, reads: read, threshold, source } = check;
  const head = { id, group, title, read, threshold, source };
  try {
    if (patient.isSentinel && !check.isOfSentinels) throw notApplicable('A Sentinel holds no data');
    const { verdict, value, observed, remedy, cause } = await check.examine(patient);
    return {
      ...{ ...head, verdict, value: printable(value) },
      ...(observed !== undefined && { observed }),
      ...(remedy !== undefined && { remedy }),
      ...(cause !== undefined && { cause }),
    };
  } catch (error) {
    if (error instanceof NotMade) {
      return { ...head, verdict: 'skipped', value: error.message, skipped: error.reason };
    }
    // Not a pass: what went wrong is said, and the check is counted as one that could not be made.
    const value = `It could not be read: ${scrub(error instanceof Error ? error.message : String(error))}`;
    return { ...head, verdict: 'skipped', value, skipped: 'refused' };
  }
}
