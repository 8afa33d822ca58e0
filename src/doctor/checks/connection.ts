import { writeCanary } from '../../policy/canary.js';
import { RedisFailure } from '../../policy/outage.js';
import { queueKeys } from '../../recognition/queue-keys.js';
import { type Check, fail, NotMade, notApplicable, pass, warn } from '../check.js';
import { minimalAcl, type NeededCommand, neededCommands } from '../minimal-acl.js';
import type { Server } from '../server.js';
import type { StageName } from '../stages/stage.js';
import { stageCauses } from './stage-causes.js';

const stageCheck = (stage: StageName, title: string, reads: string, threshold: string): Check => ({
  id: `connection.${stage}`,
  group: 'connection',
  title,
  reads,
  threshold,
  source: 'README: When something is wrong',
  isOfSentinels: true,
  examine({ stages }) {
    const result = stages.find((one) => one.stage === stage);
    if (!result) throw notApplicable("The client's own connection is used");
    if (result.outcome === 'skipped') throw notApplicable(result.why);
    if (result.outcome === 'pass') return pass(`${result.ms} ms`, result.ms);
    const { value, remedy } = stageCauses[result.cause];
    const detail = result.detail ? ` (${result.detail})` : '';
    const say = result.outcome === 'warn' ? warn : fail;
    return { ...say(`${value}${detail}, after ${result.ms} ms`, remedy, result.ms), cause: result.cause };
  },
});

const canaryRemedies: Readonly<Partial<Record<RedisFailure['kind'], string>>> = {
  readonly: 'This is a replica: point clients at the primary (by Sentinel, or the address of the primary).',
  oom: 'Memory is full: let consumers catch up, delete what is not needed, or raise maxmemory.',
  misconf:
    'Redis could not write its snapshot or its file, and so refuses writes: look at its log and its disk.',
  noreplicas: 'Too few replicas are connected (min-replicas-to-write): bring one back.',
  noperm: `Grant the user what the library needs: ${minimalAcl}`,
  clusterdown: 'The cluster does not serve this slot: see CLUSTER INFO, and bring the failed node back.',
  masterdown: 'This replica has lost its primary: point clients at the primary.',
  busy: 'A script has been running for too long: SCRIPT KILL ends it if it has not written.',
  loading: 'Wait until Redis has loaded its data.',
  redirect: 'This is a node of a cluster, and the canary belongs to another node.',
};

const canary: Check = {
  id: 'connection.write',
  group: 'connection',
  title: 'Takes a write',
  reads: 'EVALSHA/EVAL of a SET that expires after 60 s',
  threshold: 'the canary is written',
  source: 'README: PING is answered while writes are refused',
  async examine({ server, queueName }) {
    const startedAt = performance.now();
    try {
      await server.use((connection) => writeCanary(connection, queueKeys(queueName), []));
    } catch (error) {
      if (!(error instanceof RedisFailure)) throw error;
      if (error.kind === 'redirect') throw notApplicable('The canary belongs to another node of the cluster');
      const remedy = canaryRemedies[error.kind] ?? 'Jobs wait in the backup until Redis takes writes again.';
      return fail(`refused: ${error.kind}`, remedy);
    }
    const ms = Math.round((performance.now() - startedAt) * 10) / 10;
    return pass(`written in ${ms} ms`, ms);
  },
};

/** Each command in a form that the rights are looked at for, and that changes nothing: `key` does not exist. */
const harmless: Readonly<Record<NeededCommand, (key: string, script: string) => readonly string[]>> = {
  eval: (key, script) => ['EVAL', script, '1', key],
  evalsha: (key) => ['EVALSHA', '0'.repeat(40), '1', key],
  xadd: (key) => ['XADD', key, 'NOMKSTREAM', '*', 'a', 'b'],
  bitfield: (key) => ['BITFIELD', key, 'GET', 'u1', '0'],
  zadd: (key) => ['ZADD', key, 'XX', '1', 'a'],
  zrangebyscore: (key) => ['ZRANGEBYSCORE', key, '1', '1'],
  zscore: (key) => ['ZSCORE', key, 'a'],
  zrem: (key) => ['ZREM', key, 'a'],
  unlink: (key) => ['UNLINK', key],
  set: (key) => ['SET', key, 'a', 'XX'],
  get: (key) => ['GET', key],
  time: () => ['TIME'],
};

const rights: Check = {
  id: 'connection.rights',
  group: 'connection',
  title: 'May do what the library needs',
  reads: 'each command it needs, on a key that does not exist',
  threshold: neededCommands.join(' '),
  source: 'README: What consumers read',
  async examine({ server, queueName }) {
    const key = `${queueKeys(queueName).canary}:none`;
    const denied: string[] = [];
    for (const name of neededCommands) {
      if (!(await isAllowed(server, harmless[name](key, 'return 1')))) denied.push(name);
    }
    if (denied.length === 0) return pass(`all ${neededCommands.length} commands`);
    return fail(
      `denied: ${denied.join(' ')}`,
      `As an administrator: ACL SETUSER <user> ${minimalAcl}`,
      denied.length,
    );
  },
};

async function isAllowed(server: Server, command: readonly string[]): Promise<boolean> {
  try {
    await server.send(...command);
    return true;
  } catch (error) {
    if (error instanceof NotMade) throw error;
    const { kind, message } = error as RedisFailure;
    if (kind === 'timeout' || kind === 'disconnected' || kind === 'connection-lost') {
      throw new NotMade('unreachable', 'Redis did not answer');
    }
    // NOSCRIPT, READONLY, OOM … are said to those who may.
    return kind !== 'noperm' && !/unknown command/i.test(message);
  }
}

export const connectionChecks: readonly Check[] = [
  stageCheck('dns', 'Name resolves', 'node:dns lookup', 'an address is found'),
  stageCheck('tcp', 'Port accepts', 'node:net connect', 'the connection is accepted'),
  stageCheck('tls', 'TLS is agreed on', 'node:tls handshake', 'the certificate is trusted'),
  stageCheck('auth', 'Password is taken', 'AUTH', 'OK'),
  stageCheck('first-command', 'Answers a command', 'PING, SELECT', 'any answer of Redis'),
  canary,
  rights,
];
