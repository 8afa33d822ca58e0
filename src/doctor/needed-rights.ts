/** The transports whose rights the doctor knows. */
export const doctorTransports = ['streams', 'rq', 'bullmq'] as const;

export type DoctorTransport = (typeof doctorTransports)[number];

// As in the README, "What consumers read".
const own = [
  'evalsha',
  'eval',
  'bitfield',
  'zadd',
  'zrangebyscore',
  'zscore',
  'zrem',
  'unlink',
  'set',
  'get',
  'time',
] as const;
const ofStreams = ['xadd'] as const;
const ofRq = ['hget', 'hset', 'pexpire', 'sadd', 'rpush', 'lpush', 'lrem', 'lrange'] as const;
const ofBullMq = ['exists', 'hmget', 'zscore', 'lpos', 'del'] as const;

export type NeededCommand =
  | (typeof own)[number]
  | (typeof ofStreams)[number]
  | (typeof ofRq)[number]
  | (typeof ofBullMq)[number];

interface NeededRights {
  readonly keys: readonly string[];
  /** On which keys beside our own the transport's jobs are; undefined where they are on our own. */
  readonly jobKey: string | undefined;
  readonly commands: readonly NeededCommand[];
}

/** What each transport needs, by its README; BullMQ itself needs more, for its own sake. */
export const neededRights: Readonly<Record<DoctorTransport, NeededRights>> = {
  streams: { keys: ['rsq:*'], jobKey: undefined, commands: [...own, ...ofStreams] },
  rq: { keys: ['rsq:*', 'rq:*'], jobKey: 'rq:', commands: [...own, ...ofRq] },
  bullmq: { keys: ['rsq:*', 'bull:*'], jobKey: 'bull:', commands: ['evalsha', 'eval', 'set', ...ofBullMq] },
};

/** The rules of a Redis user who may do this and no more. */
export function minimalAcl(transport: DoctorTransport): string {
  const { keys, commands } = neededRights[transport];
  return [...keys.map((key) => `~${key}`), ...commands.map((name) => `+${name}`)].join(' ');
}

/** What the checks read, none of which the library needs. Subcommands have rights of their own since Redis 7. */
export const advisoryAcl = '+ping +info +config|get +slowlog|get +latency|latest +role +cluster|info';
