import { onTestFinished } from 'vitest';
import type { CheckReport, DoctorReport } from '../../src/doctor/index.js';
import { RedisServer, type RedisServerOptions } from './redis-server.js';

/** A server that ends with the test. Without persistence, unless told otherwise. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const server = await RedisServer.start({ appendOnly: 'no', ...options });
  onTestFinished(() => server.stop());
  return server;
}

/** One check of a report. */
export function checkOf(report: DoctorReport, id: string): CheckReport {
  const check = report.checks.find((one) => one.id === id);
  if (!check) throw new Error(`The report has no check ${id}`);
  return check;
}

/** Those that warn or fail, but for what a busy machine does to its own network. */
export function unwell(report: DoctorReport): readonly CheckReport[] {
  return report.checks.filter(
    ({ verdict, group }) => (verdict === 'fail' || verdict === 'warn') && group !== 'network',
  );
}

/** The ids of those that failed. */
export function failed(report: DoctorReport): readonly string[] {
  return report.checks.filter(({ verdict }) => verdict === 'fail').map(({ id }) => id);
}
