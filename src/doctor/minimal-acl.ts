/** What the library asks of Redis, as in the README. */
export const neededCommands = [
  'evalsha',
  'eval',
  'xadd',
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

export type NeededCommand = (typeof neededCommands)[number];

export const minimalAcl = `~rsq:* ${neededCommands.map((name) => `+${name}`).join(' ')}`;

/** What the checks read, none of which the library needs. Subcommands have rights of their own since Redis 7. */
export const advisoryAcl = '+ping +info +config|get +slowlog|get +latency|latest +role +cluster|info';
