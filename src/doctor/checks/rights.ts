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

// In a script, so that it makes no key, although it be executed late, by a server that hung until the canary had expired.
const ON_CANARY = "return redis.call('GET', KEYS[1]) and redis.call(ARGV[1], KEYS[1], 'a')";

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
  sadd: ({ canary }) => ['EVAL', ON_CANARY, '1', canary, 'SADD'],
  rpush: ({ canary }) => ['EVAL', ON_CANARY, '1', canary, 'RPUSH'],
  lpush: ({ canary }) => ['EVAL', ON_CANARY, '1', canary, 'LPUSH'],
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
    const answers = new Map<NeededCommand, Answer>();
    for (const name of commands) {
      // Their script needs these itself.
      const isInScript = onCanary.includes(name);
      if (isInScript && (answers.get('eval') === 'denied' || answers.get('get') === 'denied')) continue;
      const answer = await answerTo(server, harmless[name](ofJobs.includes(name) ? jobs : own));
      // Without a canary the command in the script was not come to.
      if (!isInScript || answer !== 'nothing') answers.set(name, answer);
    }
    const those = (of: Answer) => commands.filter((name) => answers.get(name) === of);
    const [denied, missing] = [those('denied'), those('missing')];
    if (denied.length + missing.length === 0) {
      return pass(`${answers.size === commands.length ? 'all ' : ''}${answers.size} commands`);
    }
    const found = [
      ...(denied.length > 0 ? [`denied: ${denied.join(' ')}`] : []),
      ...(missing.length > 0 ? [`not offered: ${missing.join(' ')}`] : []),
    ];
    const remedies = [
      ...(missing.length > 0 ? ['Use a Redis, or a plan of the service, that has all commands.'] : []),
      ...(denied.length > 0 ? [`As an administrator: ACL SETUSER <user> ${minimalAcl(transport)}`] : []),
    ];
    return fail(found.join('; '), remedies.join(' '), denied.length + missing.length);
  },
};

/** `missing`: the server has no such command. What else it answers is said to those who may. */
type Answer = 'value' | 'nothing' | 'error' | 'denied' | 'missing';

async function answerTo(server: Server, command: readonly string[]): Promise<Answer> {
  try {
    const value = await server.send(...command);
    return value === null || value === undefined || value === false ? 'nothing' : 'value';
  } catch (error) {
    if (error instanceof NotMade) throw error;
    const { kind, message } = error as RedisFailure;
    if (kind === 'timeout' || kind === 'disconnected' || kind === 'connection-lost') {
      throw new NotMade('unreachable', 'Redis did not answer');
    }
    if (kind === 'noperm') return 'denied';
    // NOSCRIPT, READONLY, OOM, WRONGTYPE …
    return /unknown (?:redis )?command/i.test(message) ? 'missing' : 'error';
  }
}
