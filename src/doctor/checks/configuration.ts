import { type Check, fail, NotMade, notApplicable, pass, warn } from '../check.js';

const version: Check = {
  id: 'configuration.version',
  group: 'configuration',
  title: 'Version of Redis',
  reads: 'INFO server: redis_version',
  threshold: '5 or later; 6.2 or later is better',
  source: 'https://docs.bullmq.io/guide/redis-tm-compatibility, README',
  async examine({ server }) {
    const version = await server.info('redis_version');
    const [major, minor = 0] = version.split('.').map(Number);
    if (!major) throw new NotMade('refused', "This server's version cannot be read");
    // Valkey's is that of the Redis that it is like.
    const valkey = await server.infoIfAny('valkey_version');
    const text = valkey === undefined ? version : `${version}, of Valkey ${valkey}`;
    if (major < 5) return fail(text, 'Upgrade Redis: streams and the scripts need 5 or later.');
    if (major < 6 || (major === 6 && minor < 2)) return warn(text, 'Upgrade Redis to 6.2 or later.');
    return pass(text);
  },
};

const evictionPolicy: Check = {
  id: 'configuration.eviction-policy',
  group: 'configuration',
  title: 'Eviction policy',
  reads: 'INFO memory: maxmemory_policy, or CONFIG GET maxmemory-policy',
  threshold: 'noeviction',
  source:
    'https://docs.bullmq.io/guide/going-to-production#max-memory-policy, https://github.com/sidekiq/sidekiq/wiki/Using-Redis#memory',
  async examine({ server }) {
    const policy = await server.infoOrConfig('maxmemory_policy', 'maxmemory-policy');
    if (policy === 'noeviction') return pass(policy);
    return fail(
      policy,
      'Set maxmemory-policy noeviction (in redis.conf, or the parameter group of the service): a full Redis would throw jobs away without a word.',
    );
  },
};

const maxmemory: Check = {
  id: 'configuration.maxmemory',
  group: 'configuration',
  title: 'Memory limit',
  reads: 'INFO memory: maxmemory, or CONFIG GET maxmemory',
  threshold: 'one is set',
  source: 'https://redis.io/docs/latest/operate/oss_and_stack/management/admin/',
  async examine({ server }) {
    const limit = await server.infoOrConfigNumber('maxmemory', 'maxmemory');
    if (limit > 0) return pass('set', limit);
    return warn(
      'none',
      'Set maxmemory, above what is used and with noeviction: without one the system ends a Redis that has grown too large, instead of Redis refusing writes.',
      0,
    );
  },
};

const persistence: Check = {
  id: 'configuration.persistence',
  group: 'configuration',
  title: 'Persistence',
  reads: 'INFO persistence: aof_enabled; CONFIG GET save',
  threshold: 'an append-only file (appendonly yes)',
  source:
    'https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/, README: What survives what',
  async examine({ server }) {
    if ((await server.info('aof_enabled')) === '1') return pass('append-only file');
    // Restarted with redis.conf changed before the file is whole, Redis 6, 7 and 8 begin with an empty one, and look at no snapshot.
    const remedy =
      'CONFIG SET appendonly yes while Redis runs, and only when INFO persistence has 0 for aof_rewrite_scheduled and aof_rewrite_in_progress write it into redis.conf: with that before, a restart empties the queue. Without a file what Redis acknowledged is gone when it restarts.';
    if ((await server.config('save')) === '') return fail('none: a restart empties the queue', remedy);
    return warn('snapshots only: a restart loses what came since the last one', remedy);
  },
};

const persistenceHealth: Check = {
  id: 'configuration.persistence-health',
  group: 'configuration',
  title: 'Last writes to the disk',
  reads: 'INFO persistence: rdb_last_bgsave_status, aof_last_write_status, aof_last_bgrewrite_status',
  threshold: 'ok',
  source:
    'stop-writes-on-bgsave-error (https://redis.io/docs/latest/operate/oss_and_stack/management/config/)',
  async examine({ server }) {
    const fields = await server.infoFields();
    await server.info('rdb_last_bgsave_status');
    const names = ['rdb_last_bgsave_status', 'aof_last_write_status', 'aof_last_bgrewrite_status'];
    const failed = names.filter((name) => (fields.get(name) ?? 'ok') !== 'ok');
    if (failed.length === 0) return pass('ok');
    return fail(
      failed.map((name) => name.replace(/_status$/, '')).join(', '),
      "Look at Redis's log and its disk (full? read-only?): it refuses writes until a snapshot succeeds (MISCONF).",
      failed.length,
    );
  },
};

const appendfsync: Check = {
  id: 'configuration.appendfsync',
  group: 'configuration',
  title: 'Append-only file is flushed',
  reads: 'CONFIG GET appendfsync',
  threshold: 'always or everysec',
  source: 'https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/',
  async examine({ server }) {
    const isOn = (await server.infoIfAny('aof_enabled')) === '1';
    if (!isOn) throw notApplicable('There is no append-only file');
    const policy = await server.config('appendfsync');
    if (policy !== 'no') return pass(policy);
    return warn(
      policy,
      "Set appendfsync everysec: a crash of the machine loses what the system hadn't written yet.",
    );
  },
};

const idleTimeout: Check = {
  id: 'configuration.idle-timeout',
  group: 'configuration',
  title: 'Idle connections are kept',
  reads: 'CONFIG GET timeout',
  threshold: '0 (never closed), or at least 60 s',
  source: 'https://redis.io/docs/latest/develop/reference/clients/#client-timeouts',
  async examine({ server }) {
    const seconds = await server.configNumber('timeout');
    if (seconds === 0 || seconds >= 60) return pass(seconds === 0 ? 'for ever' : `${seconds} s`, seconds);
    return warn(
      `${seconds} s`,
      'Set timeout 0: a quiet service loses its connection again and again.',
      seconds,
    );
  },
};

const keepalive: Check = {
  id: 'configuration.tcp-keepalive',
  group: 'configuration',
  title: 'Dead connections are found out',
  reads: 'CONFIG GET tcp-keepalive',
  threshold: 'from 1 to 300 s',
  source: 'redis.conf: "A reasonable value for this option is 300 seconds"',
  async examine({ server }) {
    const seconds = await server.configNumber('tcp-keepalive');
    if (seconds >= 1 && seconds <= 300) return pass(`after ${seconds} s`, seconds);
    return warn(
      seconds === 0 ? 'never' : `after ${seconds} s`,
      'Set tcp-keepalive 300: clients that vanished count towards maxclients until then.',
      seconds,
    );
  },
};

export const configurationChecks: readonly Check[] = [
  ...[
    version,
    evictionPolicy,
    maxmemory,
    persistence,
    appendfsync,
    persistenceHealth,
    idleTimeout,
    keepalive,
  ],
];
