import { type Check, fail, NotMade, notApplicable, pass, warn } from '../check.js';
import type { Server } from '../server.js';
import { withinUptime } from './uptime.js';
import { duration } from './words.js';

const SLOW_MS = 10;
const LATENCY_MS = 100;
const RECENT_MS = 3_600_000;

// A server's log cannot be read over its protocol: these are the nearest to it.

const slowCommands: Check = {
  id: 'logs.slow-commands',
  group: 'logs',
  title: 'Slow commands of the last hour',
  reads: 'SLOWLOG GET 128: names and durations, without arguments',
  threshold: `none of ${SLOW_MS} ms or more`,
  source: 'slowlog-log-slower-than (https://redis.io/docs/latest/commands/slowlog/)',
  async examine({ server }) {
    // As many as it keeps by default: where it logs every command, the slow ones stand far behind.
    const slow = readSlowlog(await server.ask('SLOWLOG', 'GET', '128')).filter(
      ({ at, ms }) => ms >= SLOW_MS && Date.now() - at < RECENT_MS,
    );
    const [worst] = [...slow].sort((a, b) => b.ms - a.ms);
    if (!worst) {
      if (await logsNothing(server)) throw notApplicable('The slow log keeps none of these (slowlog-…)');
      return pass('none', 0);
    }
    const names = [...new Set(slow.map(({ name }) => name))].slice(0, 5).join(', ');
    return warn(
      `${slow.length} (${names}), the slowest ${worst.name} with ${Math.round(worst.ms)} ms`,
      'While one command runs all others wait: look at it with SLOWLOG GET, and do it in smaller steps (SCAN for KEYS, UNLINK for DEL).',
      slow.length,
    );
  },
};

/** Whether commands of {@link SLOW_MS} would not be logged. Where nobody tells they are: that is what it is by default. */
async function logsNothing(server: Server): Promise<boolean> {
  const of = (setting: string) => server.configNumber(`slowlog-${setting}`).catch(() => undefined);
  const [slowerThan, length] = [await of('log-slower-than'), await of('max-len')];
  return length === 0 || (slowerThan !== undefined && (slowerThan < 0 || slowerThan > SLOW_MS * 1000));
}

/** Entries without their arguments, which may be anybody's data. */
function readSlowlog(reply: unknown): readonly { name: string; at: number; ms: number }[] {
  if (!Array.isArray(reply)) throw new NotMade('refused', 'The answer to SLOWLOG GET could not be read');
  return reply.map((entry: readonly unknown[]) => {
    const [, at, micros, args] = entry;
    const name = Array.isArray(args) ? String(args[0]) : '?';
    return {
      name: /^[a-z.]{1,30}$/i.test(name) ? name.toUpperCase() : '?',
      at: Number(at) * 1000,
      ms: Number(micros) / 1000,
    };
  });
}

const latencyEvents: Check = {
  id: 'logs.latency-events',
  group: 'logs',
  title: 'Latency events of the last hour',
  reads: 'LATENCY LATEST',
  threshold: `none above ${LATENCY_MS} ms`,
  source: 'https://redis.io/docs/latest/operate/oss_and_stack/management/optimization/latency-monitor/',
  async examine({ server }) {
    const events = await server.ask('LATENCY', 'LATEST');
    if (!Array.isArray(events))
      throw new NotMade('refused', 'The answer to LATENCY LATEST could not be read');
    // Off is what it is by default: a server that does not tell is not well for its silence.
    if (events.length === 0 && (await server.config('latency-monitor-threshold')) === '0') {
      throw notApplicable('The latency monitor is off (latency-monitor-threshold 0)');
    }
    const recent = events
      .map(([name, at, latest]: readonly unknown[]) => ({
        name: String(name),
        at: Number(at) * 1000,
        ms: Number(latest),
      }))
      .filter(({ at, ms }) => ms > LATENCY_MS && Date.now() - at < RECENT_MS);
    if (recent.length === 0) return pass('none', 0);
    return warn(
      recent.map(({ name, ms }) => `${name} ${ms} ms`).join(', '),
      'LATENCY DOCTOR on the server explains each: a fork, a slow disk, expiry, a slow command.',
      recent.length,
    );
  },
};

const telling = [
  ...['OOM', 'MISCONF', 'NOREPLICAS', 'READONLY', 'LOADING', 'BUSY', 'MASTERDOWN', 'CLUSTERDOWN'],
  // Not NOPERM: a user of few rights makes the doctor itself cause it.
  ...['WRONGPASS', 'NOAUTH'],
];

const errorReplies: Check = {
  id: 'logs.error-replies',
  group: 'logs',
  title: 'Errors Redis has answered with',
  reads: 'INFO errorstats',
  threshold: 'none that refuse work or rights, since Redis started',
  source: 'https://redis.io/docs/latest/commands/info/',
  async examine({ server }) {
    const fields = await server.infoFields();
    // The field beside it is as old as the section (Redis 6.2).
    await server.info('total_error_replies');
    const found = telling.flatMap((code) => {
      const count = /count=(\d+)/.exec(fields.get(`errorstat_${code}`) ?? '')?.[1];
      return count ? [`${code} ×${count}`] : [];
    });
    if (found.length === 0) return pass('none', 0);
    return warn(
      `${found.join(', ')}${await withinUptime(server)}`,
      "Something was refused: if it goes on, look for the code in your services' logs. CONFIG RESETSTAT counts anew.",
      found.length,
    );
  },
};

const lastError: Check = {
  id: 'logs.last-error',
  group: 'logs',
  title: "The queue's last error from Redis",
  reads: 'queue.health().redis.lastError',
  threshold: 'none in the last hour',
  source: 'README: Health and events',
  examine({ queue }) {
    if (!queue) throw notApplicable('No queue was given');
    const { lastError: last } = queue.health().redis;
    const ago = last && Date.now() - last.at;
    if (!last || ago === undefined || ago > RECENT_MS) return pass('none');
    const value = `${last.kind}, ${duration(ago)} ago`;
    const remedy = 'If it goes on, see what fails above: the kind is what Redis or its client answered.';
    return queue.health().redis.writable ? warn(value, remedy) : fail(value, remedy);
  },
};

export const logChecks: readonly Check[] = [slowCommands, latencyEvents, errorReplies, lastError];
