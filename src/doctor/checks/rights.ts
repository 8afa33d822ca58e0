import { randomUUID } from 'node:crypto';
import type { RedisFailure } from '../../policy/outage.js';
import { queueKeys } from '../../recognition/queue-keys.js';
import { type Check, fail, NotMade, pass } from '../check.js';
import { minimalAcl, type NeededCommand, neededRights } from '../needed-rights.js';
import type { Server } from '../server.js';

/** The keys that commands are tried on. */
interface TrialKeys {
  /** Does not exist. */
  readonly none: string;
  /** Is a text, on which a command for lists or sets fails. */
  readonly canary: string;
}

/** Each command in a form that the rights are looked at for, and that changes nothing. */
const harmless: Readonly<Record<NeededCommand, (keys: TrialKeys) => readonly string[]>> = {
  eval: ({ none }) => ['EVAL', 'return 1', '1', none],
  evalsha: ({ none }) => ['EVALSHA', '0'.repeat(40), '1', none],
  xadd: ({ none }) => ['XADD', none, 'NOMKSTREAM', '*', 'a', 'b'],
  bitfield: ({ none }) => ['BITFIELD', none, 'GET', 'u1', '0'],
  zadd: ({ none }) => ['ZADD', none, 'XX', '1', 'a'],
  zrangebyscore: ({ none }) => ['ZRANGEBYSCORE', none, '1', '1'],
  zscore: ({ none }) => ['ZSCORE', none, 'a'],
  zrem: ({ none }) => ['ZREM', none, 'a'],
  unlink: ({ none }) => ['UNLINK', none],
  set: ({ none }) => ['SET', none, 'a', 'XX'],
  get: ({ none }) => ['GET', none],
  time: () => ['TIME'],
  hget: ({ none }) => ['HGET', none, 'a'],
  // A field without its value.
  hset: ({ none }) => ['HSET', none, 'a', 'b', 'c'],
  pexpire: ({ none }) => ['PEXPIRE', none, '60000'],
  sadd: ({ canary }) => ['SADD', canary, 'a'],
  rpush: ({ canary }) => ['RPUSH', canary, 'a'],
  lpush: ({ canary }) => ['LPUSH', canary, 'a'],
  lrem: ({ none }) => ['LREM', none, '1', 'a'],
  lrange: ({ none }) => ['LRANGE', none, '0', '0'],
  exists: ({ none }) => ['EXISTS', none],
  hmget: ({ none }) => ['HMGET', none, 'a'],
  lpos: ({ none }) => ['LPOS', none, 'a'],
  del: ({ none }) => ['DEL', none],
};

const ofJobs: readonly NeededCommand[] = [
  'hget',
  'hset',
  'pexpire',
  'lrem',
  'lrange',
  'exists',
  'hmget',
  'lpos',
  'del',
];
const onCanary: readonly NeededCommand[] = ['sadd', 'rpush', 'lpush'];

export const rights: Check = {
  id: 'connection.rights',
  group: 'connection',
  title: 'May do what the library needs',
  reads: 'each command, on a key that does not exist',
  threshold: 'every command that the transport needs',
  source: 'README: What consumers read',
  async examine({ server, queueName, transport }) {
    const { canary } = queueKeys(queueName);
    const { commands, jobKey } = neededRights[transport];
    // Nobody's: BullMQ has its jobs under the ids that its callers like.
    const none = `none-${randomUUID()}`;
    const own = { canary, none: `${canary}:${none}` };
    const jobs = jobKey === undefined ? own : { canary, none: `${jobKey}${queueName}:${none}` };
    // Without the canary these would make a key.
    const hasCanary = (await answerTo(server, ['GET', canary])) === 'value';
    const denied: string[] = [];
    const tried = commands.filter((name) => hasCanary || !onCanary.includes(name));
    for (const name of tried) {
      const keys = ofJobs.includes(name) ? jobs : own;
      if ((await answerTo(server, harmless[name](keys))) === 'denied') denied.push(name);
    }
    if (denied.length === 0)
      return pass(`${tried.length === commands.length ? 'all ' : ''}${tried.length} commands`);
    return fail(
      `denied: ${denied.join(' ')}`,
      `As an administrator: ACL SETUSER <user> ${minimalAcl(transport)}`,
      denied.length,
    );
  },
};

async function answerTo(server: Server, command: readonly string[]): Promise<'value' | 'nothing' | 'denied'> {
  try {
    const value = await server.send(...command);
    return value === null || value === undefined ? 'nothing' : 'value';
  } catch (error) {
    if (error instanceof NotMade) throw error;
    const { kind, message } = error as RedisFailure;
    if (kind === 'timeout' || kind === 'disconnected' || kind === 'connection-lost') {
      throw new NotMade('unreachable', 'Redis did not answer');
    }
    // NOSCRIPT, READONLY, OOM, WRONGTYPE … are said to those who may.
    return kind === 'noperm' || /unknown command/i.test(message) ? 'denied' : 'nothing';
  }
}
