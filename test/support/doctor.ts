import { Redis } from 'ioredis';
import { onTestFinished } from 'vitest';
import type { CheckReport, DoctorReport } from '../../src/doctor/index.js';
import { IoredisConnection } from '../../src/redis/ioredis.js';
import type { Argument } from '../../src/redis/redis-connection.js';
import { RedisServer, type RedisServerOptions } from './redis-server.js';
import { waitFor } from './wait-for.js';

/** A server that ends with the test. Without persistence, unless told otherwise. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const server = await RedisServer.start({ appendOnly: 'no', ...options });
  onTestFinished(() => server.stop());
  return server;
}

/**
 * A real client of the server on `port`, that does with each command what `onCommand` does: something to the server before
 * it is sent, or something to the reply.
 */
export async function connectThrough(
  port: number,
  onCommand: (args: readonly Argument[], send: () => Promise<unknown>) => Promise<unknown>,
): Promise<IoredisConnection> {
  const redis = new Redis({ port, disconnectTimeout: 10 });
  onTestFinished(() => redis.disconnect());
  await waitFor(() => redis.status === 'ready', { what: 'the client to be connected' });
  const connection = new IoredisConnection(redis);
  const send = connection.send.bind(connection);
  connection.send = (args) => onCommand(args, () => send(args));
  return connection;
}

/** One check of a report. */
export function checkOf(report: DoctorReport, id: string): CheckReport {
  const check = report.checks.find((one) => one.id === id);
  if (!check) throw new Error(`The report has no check ${id}`);
  return check;
}

/** What a busy machine does to its own network, and to a Redis on it, whose commands then take long. */
const ofTheMachine = /^network\.|^resources\.cpu$|^logs\.slow-commands$/;

/** Those that warn or fail, but for what a busy machine does to them. */
export function unwell(report: DoctorReport): readonly CheckReport[] {
  return report.checks.filter(
    ({ verdict, id }) => (verdict === 'fail' || verdict === 'warn') && !ofTheMachine.test(id),
  );
}

/** The ids of those that failed. */
export function failed(report: DoctorReport): readonly string[] {
  return report.checks.filter(({ verdict }) => verdict === 'fail').map(({ id }) => id);
}
