import { systemClock } from '../clock/clock.js';
import type { QueueStatus } from '../health/queue-status.js';
import { sortFailure } from '../policy/outage.js';
import { checkQueueName } from '../queue/options.js';
import { recogniseClient } from '../redis/connect.js';
import type { IoredisClient } from '../redis/ioredis.js';
import type { NodeRedisClient } from '../redis/node-redis.js';
import type { RedisConnection } from '../redis/redis-connection.js';
import { allChecks } from './checks/all-checks.js';
import { settingsOf } from './client-settings.js';
import type { CheckReport, DoctorReport, StageReport } from './doctor-report.js';
import { advisoryAcl, type DoctorTransport, doctorTransports, minimalAcl } from './needed-rights.js';
import { loadClient, NoClientError } from './open-client.js';
import { runChecks } from './run-checks.js';
import { Server } from './server.js';
import { goThroughStages } from './stages/go-through-stages.js';
import type { StageResult } from './stages/stage.js';
import { stageOfClient } from './stages/stage-of-client.js';
import { type Address, type ConnectionConfig, parseTarget } from './target.js';

/** What {@link diagnose} examines: where Redis is, or the client that you use. */
export type DoctorTarget = string | ConnectionConfig | IoredisClient | NodeRedisClient | RedisConnection;

/** How to examine. */
export interface DiagnoseOptions {
  /** The most each stage of connecting and each command may take, ms. @default 5000 */
  readonly timeoutMs?: number | undefined;
  /** Its backup is examined, too, and the canary is written beside its keys. */
  readonly queue?: QueueStatus | undefined;
  /** Whose keys the canary is written beside, where there is no `queue`. @default 'doctor' */
  readonly queueName?: string | undefined;
  /** How jobs are laid down, for the rights that takes. BullMQ's with its own prefix, `bull`. @default 'streams' */
  readonly transport?: DoctorTransport | undefined;
  /** Puts host, port and database into the report; never the password. @default false */
  readonly showTarget?: boolean | undefined;
}

/** `setTimeout` takes no more, and of more makes 1 ms. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

interface Connected {
  readonly stages: readonly StageResult[];
  readonly connection: RedisConnection | undefined;
  end(): void;
}

/**
 * Examines a Redis, and what is between it and here. Given a URL (`redis://`, `rediss://`) or a {@link ConnectionConfig} it times
 * each stage of connecting, by itself; given an ioredis or node-redis client, or a {@link RedisConnection}, it uses that, never
 * ends it, and examines how it was made.
 *
 * It writes one key, which expires after a minute, and changes nothing else. Resolves also when Redis cannot be reached: the
 * report says why. Rejects with `TypeError` or `RangeError` when `target` or `options` is none, and with an error that says what
 * to install when a URL is given and no client is there.
 */
export async function diagnose(target: DoctorTarget, options: DiagnoseOptions = {}): Promise<DoctorReport> {
  const timeoutMs = options.timeoutMs ?? 5000;
  if (!(timeoutMs > 0 && timeoutMs <= LONGEST_TIMER_MS)) {
    throw new RangeError(
      `timeoutMs must be a number above 0 and at most ${LONGEST_TIMER_MS}, not ${String(timeoutMs)}`,
    );
  }
  const transport = options.transport ?? 'streams';
  if (!doctorTransports.includes(transport)) {
    throw new TypeError(`transport must be one of ${doctorTransports.join(', ')}`);
  }
  if (options.queueName !== undefined) checkQueueName(options.queueName);
  const startedAt = Date.now();
  const clockAt = performance.now();

  const given = typeof target === 'string' ? undefined : recogniseClient(target);
  const address = given ? undefined : readAddress(target);
  // Before anybody of ours listens to it.
  const client = given && settingsOf(given);
  const { stages, connection, end } = await (given
    ? useClient(given, timeoutMs)
    : connect(address as Address, timeoutMs));
  try {
    const { queue } = options;
    const server = new Server(connection, systemClock, timeoutMs);
    const isSentinel = await server.isSentinel().catch(() => false);
    const checks = await runChecks(allChecks, {
      ...{ stages, client, queue, queueName: queue?.name ?? options.queueName ?? 'doctor' },
      ...{ server, transport, isSentinel },
    });
    return {
      version: 1,
      scope: isSentinel ? 'sentinel' : (await server.isClusterNode()) ? 'cluster-node' : 'server',
      verdict: worstOf(checks),
      reached: connection !== undefined,
      startedAt,
      durationMs: Math.round(performance.now() - clockAt),
      ...(options.showTarget && address && { target: nameOf(address) }),
      stages: stages.map(reportOf),
      checks,
      coverage: coverageOf(checks),
      minimalAcl: minimalAcl(transport),
      advisoryAcl,
    };
  } finally {
    end();
  }
}

function readAddress(target: DoctorTarget): Address {
  if (typeof target === 'string') return parseTarget(target);
  const isConfig =
    typeof target === 'object' && target !== null && Object.getPrototypeOf(target) === Object.prototype;
  if (!isConfig) {
    throw new TypeError(
      'The doctor examines a URL, a configuration ({ host, port … }), an ioredis or node-redis client (no cluster), or a RedisConnection.',
    );
  }
  return parseTarget(target as ConnectionConfig);
}

async function useClient(connection: RedisConnection, timeoutMs: number): Promise<Connected> {
  // Ours to hear, since its owner may hear none: node-redis would end the process.
  const end = connection.listen({ up() {}, down() {}, error() {} });
  const stage = await stageOfClient(connection, timeoutMs);
  return { stages: [stage], connection: stage.outcome === 'pass' ? connection : undefined, end };
}

async function connect(address: Address, timeoutMs: number): Promise<Connected> {
  // First, so that what has to be installed is not found out only when Redis is well again.
  const open = await loadClient();
  const stages = await goThroughStages(address, timeoutMs);
  if (stages.some(({ outcome }) => outcome === 'fail')) return { stages, connection: undefined, end() {} };
  // Some clients would not go on where Redis has no password and they have one.
  const isUnasked = stages.some(({ outcome }) => outcome === 'warn');
  const accepted = isUnasked ? { ...address, username: undefined, password: undefined } : address;
  const startedAt = performance.now();
  try {
    const connection = await open(accepted, timeoutMs);
    return { stages, connection, end: () => connection.destroy() };
  } catch (error) {
    if (error instanceof NoClientError) throw error;
    // It answered once, and not when asked again.
    return {
      stages: failedAtLast(stages, error, performance.now() - startedAt),
      connection: undefined,
      end() {},
    };
  }
}

function failedAtLast(
  stages: readonly StageResult[],
  error: unknown,
  elapsedMs: number,
): readonly StageResult[] {
  const ms = Math.round(elapsedMs * 10) / 10;
  const { kind } = sortFailure(error, false);
  const cause = kind === 'timeout' ? 'no-answer' : kind === 'maxclients' ? 'max-clients' : 'closed';
  const last: StageResult = { stage: 'first-command', outcome: 'fail', ms, cause, detail: kind };
  return stages.map((one) => (one.stage === last.stage ? last : one));
}

function reportOf(result: StageResult): StageReport {
  const { stage, outcome } = result;
  return outcome === 'skipped' ? { stage, verdict: outcome } : { stage, verdict: outcome, ms: result.ms };
}

function worstOf(checks: readonly CheckReport[]): DoctorReport['verdict'] {
  const verdicts = new Set(checks.map(({ verdict }) => verdict));
  // Redis stopped to answer on the way: what was not come to is not well.
  if (checks.some(({ skipped }) => skipped === 'unreachable')) return 'fail';
  return verdicts.has('fail') ? 'fail' : verdicts.has('warn') ? 'warn' : 'pass';
}

function coverageOf(checks: readonly CheckReport[]): DoctorReport['coverage'] {
  const applicable = checks.filter(({ skipped }) => skipped !== 'not-applicable');
  return {
    applicable: applicable.length,
    made: applicable.filter(({ verdict }) => verdict !== 'skipped').length,
    refused: applicable.filter(({ skipped }) => skipped === 'refused').length,
  };
}

function nameOf({ host, port, db, tls }: Address): string {
  return `${tls ? 'rediss' : 'redis'}://${host.includes(':') ? `[${host}]` : host}:${port}/${db}`;
}
