import type { RedisFailure } from '../../policy/outage.js';
import { type Check, fail, NotMade, notApplicable, pass, warn } from '../check.js';
import { notMade, readInfo, type Server, toPairs } from '../server.js';

const SENTINEL_DOCS = 'https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/';
const REPLICATION_DOCS = 'https://redis.io/docs/latest/operate/oss_and_stack/management/replication/';
const CLUSTER_DOCS = 'https://redis.io/docs/latest/commands/cluster-info/';
/** min-replicas-max-lag of a Redis that nobody configured. */
const MAX_LAG_SECONDS = 10;
const SLOTS = 16_384;

async function roleOf(server: Server): Promise<string> {
  const fromRole = async () => {
    const reply = await server.ask('ROLE');
    return Array.isArray(reply) ? String(reply[0]) : 'unknown';
  };
  return server.info('role').catch((error: unknown) => fromRole().catch(() => Promise.reject(error)));
}

async function requirePrimary(server: Server): Promise<void> {
  const role = await roleOf(server);
  if (role !== 'master') throw notApplicable('This is not a primary');
}

const role: Check = {
  id: 'high-availability.role',
  group: 'high-availability',
  title: 'Role of this Redis',
  reads: 'INFO replication: role, or ROLE',
  threshold: 'primary, or a node of a cluster',
  source: REPLICATION_DOCS,
  async examine({ server }) {
    const name = await roleOf(server);
    if (name === 'master') return pass('primary');
    // Whose clients find the primary by themselves.
    if (await server.isClusterNode()) return pass('replica, in a cluster');
    return fail('replica', 'Point clients at the primary: a replica refuses writes (READONLY).');
  },
};

const link: Check = {
  id: 'high-availability.primary-link',
  group: 'high-availability',
  title: 'Link to the primary',
  reads: 'INFO replication: master_link_status',
  threshold: 'up',
  source: REPLICATION_DOCS,
  async examine({ server }) {
    if ((await roleOf(server)) === 'master') throw notApplicable('This is the primary');
    const status = await server.info('master_link_status');
    if (status === 'up') return pass(status);
    return fail(
      status,
      'The replica has lost its primary: look whether that runs, and at the network between.',
    );
  },
};

interface Replica {
  readonly state: string | undefined;
  readonly lagSeconds: number;
}

async function replicasOf(server: Server): Promise<readonly Replica[]> {
  const fields = await server.infoFields();
  return [...fields].flatMap(([name, value]) => {
    if (!/^slave\d+$/.test(name)) return [];
    const own = new Map(value.split(',').map((pair) => pair.split('=') as [string, string]));
    return [{ state: own.get('state'), lagSeconds: Number(own.get('lag')) }];
  });
}

const replicas: Check = {
  id: 'high-availability.replicas',
  group: 'high-availability',
  title: 'Replicas connected',
  reads: 'INFO replication: connected_slaves',
  threshold: 'at least 1',
  source: 'https://redis.io/topics/ha',
  async examine({ server }) {
    await requirePrimary(server);
    const count = await server.infoNumber('connected_slaves');
    if (count > 0) return pass(String(count), count);
    return warn(
      'none',
      'Add a replica, or bring it back: when this machine is lost, so is the queue in it.',
      0,
    );
  },
};

const replicaLag: Check = {
  id: 'high-availability.replica-lag',
  group: 'high-availability',
  title: 'Replicas keep up',
  reads: 'INFO replication: slave0 … state, lag',
  threshold: `online, last heard of at most min-replicas-max-lag (${MAX_LAG_SECONDS}) s ago`,
  source: 'min-replicas-max-lag in redis.conf',
  async examine({ server }) {
    await requirePrimary(server);
    const all = await replicasOf(server);
    if (all.length === 0) throw notApplicable('There is no replica');
    if (all.some(({ lagSeconds }) => Number.isNaN(lagSeconds))) {
      throw new NotMade('refused', 'This server does not tell when it heard of its replicas');
    }
    const configured = await server.configNumber('min-replicas-max-lag').catch(() => MAX_LAG_SECONDS);
    const limit = configured || MAX_LAG_SECONDS;
    const worst = Math.max(...all.map(({ lagSeconds }) => lagSeconds));
    const behind = all.filter(({ state, lagSeconds }) => state !== 'online' || lagSeconds > limit);
    const value = `${all.length - behind.length} of ${all.length}, the slowest heard of ${worst} s ago`;
    if (behind.length === 0) return pass(value, worst);
    return warn(
      value,
      'A failover now loses what the replica has not got: look at the replica, its CPU and the network to it.',
      worst,
    );
  },
};

const minReplicas: Check = {
  id: 'high-availability.min-replicas-to-write',
  group: 'high-availability',
  title: 'Writes need a replica',
  reads: 'CONFIG GET min-replicas-to-write; INFO replication: min_slaves_good_slaves',
  threshold: 'at least 1 where there are replicas, and as many of them are well',
  source: `${REPLICATION_DOCS}#allow-writes-only-with-n-attached-replicas (measured: it cuts what a failover loses from thousands of jobs to hundreds)`,
  async examine({ server }) {
    await requirePrimary(server);
    const needed = await server.configNumber('min-replicas-to-write');
    if (needed > 0) {
      const good = await server.infoNumber('min_slaves_good_slaves');
      const value = `${needed} needed, ${good} well`;
      if (good >= needed) return pass(value, needed);
      return fail(value, 'Bring replicas back: until then Redis refuses writes (NOREPLICAS).');
    }
    if ((await replicasOf(server)).length === 0) throw notApplicable('There is no replica');
    return warn(
      '0',
      'Set min-replicas-to-write 1 and min-replicas-max-lag: a primary that was cut off goes on acknowledging what is lost.',
      0,
    );
  },
};

async function requireCluster(server: Server): Promise<ReadonlyMap<string, string>> {
  await server.infoFields(); // where INFO is refused, that is the reason to name
  if (!(await server.isClusterNode())) throw notApplicable('This is no cluster');
  return readInfo(await server.ask('CLUSTER', 'INFO'));
}

const clusterState: Check = {
  id: 'high-availability.cluster-state',
  group: 'high-availability',
  title: 'State of the cluster',
  reads: 'CLUSTER INFO: cluster_state',
  threshold: 'ok',
  source: CLUSTER_DOCS,
  async examine({ server }) {
    const state = (await requireCluster(server)).get('cluster_state') ?? 'unknown';
    if (state === 'ok') return pass(state);
    return fail(
      state,
      'Bring the failed node back, or have its replica take over (redis-cli --cluster check names them). Assign its slots anew only if it is gone for good: what it held is lost then.',
    );
  },
};

const clusterSlots: Check = {
  id: 'high-availability.cluster-slots',
  group: 'high-availability',
  title: 'Slots of the cluster',
  reads: 'CLUSTER INFO: cluster_slots_assigned, cluster_slots_fail, cluster_slots_pfail',
  threshold: `all ${SLOTS} assigned, none failing`,
  source: CLUSTER_DOCS,
  async examine({ server }) {
    const fields = await requireCluster(server);
    const count = (name: string) => Number(fields.get(`cluster_slots_${name}`) ?? 0);
    const missing = SLOTS - count('assigned');
    const failing = count('fail') + count('pfail');
    if (missing + failing === 0) return pass(`${SLOTS} served`, 0);
    return fail(
      `${missing} not assigned, ${failing} failing`,
      'A queue whose slot is among them cannot be written: redis-cli --cluster check names the nodes.',
      missing + failing,
    );
  },
};

interface Watched {
  readonly name: string;
  readonly flags: string;
  readonly sentinels: number;
}

async function requireSentinel(server: Server): Promise<readonly Watched[]> {
  if (!(await server.isSentinel())) {
    throw notApplicable('This is no Sentinel: give the URL of one to have it examined');
  }
  const reply = await server.ask('SENTINEL', 'MASTERS');
  const watched = (Array.isArray(reply) ? reply : []).map((one: unknown) => {
    const fields = toPairs(one);
    return {
      name: fields.get('name') ?? '',
      flags: fields.get('flags') ?? '',
      sentinels: Number(fields.get('num-other-sentinels') ?? 0) + 1,
    };
  });
  if (watched.length === 0) throw notApplicable('This Sentinel watches no primary');
  return watched;
}

const sentinels: Check = {
  id: 'high-availability.sentinels',
  isOfSentinels: true,
  group: 'high-availability',
  title: 'Sentinels known',
  reads: 'SENTINEL MASTERS: num-other-sentinels',
  threshold: 'at least 3',
  source: `${SENTINEL_DOCS}#fundamental-things-to-know-about-sentinel-before-deploying`,
  async examine({ server }) {
    const least = Math.min(...(await requireSentinel(server)).map((one) => one.sentinels));
    if (least >= 3) return pass(String(least), least);
    return warn(
      String(least),
      'Run three Sentinels on three machines: with fewer, one failure ends failover.',
      least,
    );
  },
};

const quorum: Check = {
  id: 'high-availability.sentinel-quorum',
  isOfSentinels: true,
  group: 'high-availability',
  title: 'Sentinels that answer',
  reads: 'SENTINEL CKQUORUM (INFO counts dead ones, too)',
  threshold: 'quorum and majority are reached',
  source: `${SENTINEL_DOCS}#sentinel-commands`,
  async examine({ server }) {
    let usable = '';
    for (const { name } of await requireSentinel(server)) {
      try {
        usable = String(await server.send('SENTINEL', 'CKQUORUM', name));
      } catch (error) {
        const failure = error as RedisFailure | NotMade;
        const what = /^NOQUORUM (\d+ usable)?/.exec(failure.message);
        if (!what) throw notMade(failure, ['SENTINEL', 'CKQUORUM']);
        return fail(
          what[1] ? `no quorum: ${what[1]} Sentinels` : 'no quorum',
          'Bring the dead Sentinels back: until then nobody fails over.',
        );
      }
    }
    return pass(/\d+ usable/.exec(usable)?.[0] ?? 'reached');
  },
};

const watchedPrimary: Check = {
  id: 'high-availability.watched-primary',
  isOfSentinels: true,
  group: 'high-availability',
  title: 'The primary as its Sentinel sees it',
  reads: 'SENTINEL MASTERS: flags',
  threshold: 'neither s_down nor o_down',
  source: `${SENTINEL_DOCS}#sdown-and-odown-failure-state`,
  async examine({ server }) {
    const down = (await requireSentinel(server)).filter(({ flags }) => /[so]_down|disconnected/.test(flags));
    if (down.length === 0) return pass('up');
    return fail(
      down.map(({ flags }) => flags).join('; '),
      'The primary does not answer: a failover is under way, or cannot be (see the quorum).',
    );
  },
};

export const highAvailabilityChecks: readonly Check[] = [
  ...[role, link, replicas, replicaLag, minReplicas, clusterState, clusterSlots],
  ...[sentinels, quorum, watchedPrimary],
];
