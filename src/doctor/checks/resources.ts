import { setTimeout as sleep } from 'node:timers/promises';
import { type Check, fail, NotMade, notApplicable, pass, warn } from '../check.js';
import { readInfo, type Server, toNumber } from '../server.js';
import { withinUptime } from './uptime.js';
import { bytes, percent } from './words.js';

const FULL = 0.9;
const MIB = 1024 * 1024;
/** Of a Redis with nothing in it the fragmentation means nothing (MEMORY DOCTOR says the same below 5 MB). */
const EMPTY_BYTES = 5 * MIB;
const CPU_SAMPLE_MS = 300;
/** What an attempt of the library waits for Redis, unless told otherwise. */
const ATTEMPT_MS = 400;

const memory: Check = {
  id: 'resources.memory',
  group: 'resources',
  title: 'Memory in use',
  reads: 'INFO memory: used_memory / maxmemory',
  threshold: "at most 90 % of maxmemory, or of the machine's memory where there is no maxmemory",
  source: 'https://redis.io/docs/latest/operate/oss_and_stack/management/optimization/memory-optimization/',
  async examine({ server }) {
    const used = await server.infoNumber('used_memory');
    const maxmemory = await server.infoNumber('maxmemory');
    const limit = maxmemory > 0 ? maxmemory : await server.infoNumber('total_system_memory');
    if (limit <= 0) throw new NotMade('refused', 'This server tells no limit of its memory');
    const share = used / limit;
    const value = `${percent(share)} (${bytes(used)} of ${bytes(limit)})`;
    if (share <= FULL) return pass(value, share);
    const remedy =
      maxmemory > 0
        ? 'Let consumers catch up, trim what is not needed, or raise maxmemory: at 100 % every write is refused.'
        : 'Let consumers catch up, trim what is not needed, or move to a larger machine: when its memory is used up the system ends Redis.';
    return fail(value, remedy, share);
  },
};

const fragmentation: Check = {
  id: 'resources.fragmentation',
  group: 'resources',
  title: 'Fragmentation',
  reads: 'INFO memory: mem_fragmentation_ratio, mem_fragmentation_bytes',
  threshold: 'at most 1.4, where more than 10 MB are lost',
  source: 'MEMORY DOCTOR (https://redis.io/docs/latest/commands/memory-doctor/)',
  async examine({ server }) {
    const peak = await server.infoNumber('used_memory_peak');
    if (peak < EMPTY_BYTES) throw notApplicable('There is next to nothing in memory');
    const ratio = await server.infoNumber('mem_fragmentation_ratio');
    const lost = await server.infoNumber('mem_fragmentation_bytes');
    const value = `${ratio} (${bytes(Math.max(0, lost))} lost)`;
    if (ratio <= 1.4 || lost <= 10 * MIB) return pass(value, ratio);
    const remedy =
      'Set activedefrag yes. A restart helps, too, where its data survive that: see persistence.';
    return warn(value, remedy, ratio);
  },
};

const clients: Check = {
  id: 'resources.clients',
  group: 'resources',
  title: 'Clients connected',
  reads: 'INFO clients: connected_clients / maxclients',
  threshold: 'at most 90 % of maxclients',
  source: 'https://redis.io/docs/latest/develop/reference/clients/#maximum-concurrent-connected-clients',
  async examine({ server }) {
    const connected = await server.infoNumber('connected_clients');
    const limit = await server.infoOrConfigNumber('maxclients', 'maxclients');
    if (limit <= 0) throw new NotMade('refused', 'This server tells no limit of its clients');
    const share = connected / limit;
    const value = `${connected} of ${limit}`;
    if (share <= FULL) return pass(value, share);
    return fail(
      value,
      'Find who holds the connections (CLIENT LIST), end leaked ones, or raise maxclients and the limit of open files.',
      share,
    );
  },
};

/** A check of what a server has counted since it started, and which is well at none. */
const neverSinceStart = (
  what: string,
  title: string,
  { field, source, remedy }: { readonly field: string; readonly source: string; readonly remedy: string },
): Check => ({
  id: `resources.${what}`,
  group: 'resources',
  title,
  reads: `INFO stats: ${field}`,
  threshold: 'none since Redis started',
  source,
  async examine({ server }) {
    const count = await server.infoNumber(field);
    return count === 0 ? pass('none', 0) : warn(`${count}${await withinUptime(server)}`, remedy, count);
  },
});

const rejected = neverSinceStart('rejected-connections', 'Connections turned away', {
  field: 'rejected_connections',
  source: 'https://redis.io/docs/latest/commands/info/',
  remedy:
    'maxclients was reached: raise it, or find what opens so many connections. CONFIG RESETSTAT counts anew.',
});

const evicted = neverSinceStart('evicted-keys', 'Keys evicted', {
  field: 'evicted_keys',
  source: 'README: a Redis that evicts can evict the queue itself',
  remedy:
    'Redis has thrown data away to make room, jobs perhaps among it: set maxmemory-policy noeviction, and prove what is left (resilient-queue verify).',
});

const cpu: Check = {
  id: 'resources.cpu',
  group: 'resources',
  title: 'CPU of the main thread',
  reads: `INFO cpu, twice within ${CPU_SAMPLE_MS} ms`,
  threshold: 'at most 90 % of one core: Redis runs commands in one thread',
  source: 'https://redis.io/docs/latest/operate/oss_and_stack/management/optimization/latency/',
  async examine({ server }) {
    await server.ask('INFO'); // where INFO is refused, that is the reason to name
    const startedAt = performance.now();
    const before = await cpuSeconds(server);
    await sleep(CPU_SAMPLE_MS);
    const after = await cpuSeconds(server);
    const share = ((after - before) * 1000) / (performance.now() - startedAt);
    if (!Number.isFinite(share))
      throw new NotMade('refused', "This server's INFO does not tell its CPU time");
    if (share <= FULL) return pass(percent(share), share);
    return warn(percent(share), 'Look at the slow commands, then spread the load over several Redis.', share);
  },
};

async function cpuSeconds(server: Server): Promise<number> {
  const fields = readInfo(await server.send('INFO', 'cpu'));
  const of = (name: string) =>
    toNumber(
      fields.get(`used_cpu_${name}_main_thread`) ?? fields.get(`used_cpu_${name}`) ?? '',
      `used_cpu_${name}`,
    );
  return of('sys') + of('user');
}

const fork: Check = {
  id: 'resources.fork',
  group: 'resources',
  title: 'Last fork stood still for',
  reads: 'INFO stats: latest_fork_usec',
  threshold: `at most ${ATTEMPT_MS} ms, which an attempt waits (attemptTimeoutMs)`,
  source:
    'https://redis.io/docs/latest/operate/oss_and_stack/management/optimization/latency/#latency-generated-by-fork',
  async examine({ server }) {
    const ms = (await server.infoNumber('latest_fork_usec')) / 1000;
    if (ms <= ATTEMPT_MS) return pass(ms === 0 ? 'no fork yet' : `${ms} ms`, ms);
    return warn(
      `${ms} ms`,
      'Turn transparent huge pages off on its machine, or give Redis a smaller data set.',
      ms,
    );
  },
};

export const resourceChecks: readonly Check[] = [
  memory,
  fragmentation,
  clients,
  rejected,
  evicted,
  cpu,
  fork,
];
