import { writeCanary } from '../../policy/canary.js';
import { RedisFailure } from '../../policy/outage.js';
import { queueKeys } from '../../recognition/queue-keys.js';
import { type Check, fail, NotMade, notApplicable, pass, warn } from '../check.js';
import { minimalAcl } from '../needed-rights.js';
import type { StageName } from '../stages/stage.js';
import { rights } from './rights.js';
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
  clusterdown: 'The cluster does not serve this slot: see CLUSTER INFO, and bring the failed node back.',
  masterdown: 'This replica has lost its primary: point clients at the primary.',
  busy: 'A script has been running for too long: SCRIPT KILL ends it if it has not written.',
  loading: 'Wait until Redis has loaded its data.',
  timeout:
    'Writes are paused (CLIENT PAUSE, or a failover under way), or Redis hangs. CLIENT UNPAUSE ends a pause; if it hangs: is redis-server stopped (SIGSTOP), swapping, or busy with one long command?',
  'connection-lost':
    'Redis, or a proxy between, closed the connection: look at their logs for a crash, a limit or a kill.',
};

const canary: Check = {
  id: 'connection.write',
  group: 'connection',
  title: 'Takes a write',
  reads: 'EVALSHA/EVAL of a SET that expires after 60 s',
  threshold: 'the canary is written',
  source: 'README: PING is answered while writes are refused',
  async examine({ server, queueName, transport }) {
    const startedAt = performance.now();
    const elapsed = () => Math.round((performance.now() - startedAt) * 10) / 10;
    try {
      await server.use((connection) => writeCanary(connection, queueKeys(queueName), []));
    } catch (error) {
      // It hung before this, when it was asked for INFO.
      if (error instanceof NotMade && server.isSilent)
        return fail('Redis has stopped to answer', stageCauses['no-answer'].remedy);
      if (!(error instanceof RedisFailure)) throw error;
      if (error.kind === 'redirect') {
        throw new NotMade('elsewhere', "Its slot is another node's: give that one's URL, or another --queue");
      }
      if (error.kind === 'noperm') {
        return fail('refused: noperm', `As an administrator: ACL SETUSER <user> ${minimalAcl(transport)}`);
      }
      const remedy = canaryRemedies[error.kind] ?? 'Jobs wait in the backup until Redis takes writes again.';
      const value =
        error.kind === 'timeout' ? `not answered after ${elapsed()} ms` : `refused: ${error.kind}`;
      return fail(value, remedy);
    }
    const ms = elapsed();
    return pass(`written in ${ms} ms`, ms);
  },
};

export const connectionChecks: readonly Check[] = [
  stageCheck('dns', 'Name resolves', 'node:dns lookup', 'an address is found'),
  stageCheck('tcp', 'Port accepts', 'node:net connect', 'the connection is accepted'),
  stageCheck('tls', 'TLS is agreed on', 'node:tls handshake', 'the certificate is trusted'),
  stageCheck('auth', 'Password is taken', 'AUTH', 'OK'),
  stageCheck('first-command', 'Answers a command', 'PING, SELECT', 'any answer of Redis'),
  canary,
  rights,
];
