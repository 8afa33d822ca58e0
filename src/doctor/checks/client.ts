import { type Check, type Finding, fail, notApplicable, pass, warn } from '../check.js';
import { asSettings, type ClientSettings } from '../client-settings.js';

type Options = ClientSettings['options'];
type Judge = (options: Options) => Finding;

/** A check of how the caller made its client: `judges` has an entry for each client that has such a setting. */
const ofClient = (
  what: string,
  title: string,
  threshold: string,
  judges: Partial<Record<'ioredis' | 'node-redis', { readonly reads: string; readonly judge: Judge }>>,
): Check => ({
  id: `client.${what}`,
  group: 'client',
  title,
  reads: Object.values(judges)
    .map(({ reads }) => reads)
    .join(', or '),
  threshold,
  source: 'measured: 36 faults × 11 configurations of clients',
  examine({ client }) {
    if (!client) throw notApplicable('No client was given: its settings cannot be seen from a URL');
    const row = client.kind === 'other' ? undefined : judges[client.kind];
    if (!row) throw notApplicable('This client has no such setting');
    return row.judge(client.options);
  },
});

const atMost = (name: string, value: unknown, limit: number, remedy: string): Finding => {
  if (typeof value !== 'number' || value <= 0) return warn('none', remedy);
  return value <= limit ? pass(`${value} ms`, value) : warn(`${value} ms`, `${remedy} (${name})`, value);
};

const offlineQueue = (isOn: boolean, remedy: string): Finding =>
  isOn
    ? warn('on', `${remedy}: commands pile up in the client while Redis is away, and come late.`)
    : pass('off');

const ioredisOffline: Judge = ({ enableOfflineQueue }) =>
  offlineQueue(enableOfflineQueue !== false, 'Set enableOfflineQueue: false');

const retries: Judge = ({ maxRetriesPerRequest: retries }) => {
  if (retries === 0) return pass('0', 0);
  const value = typeof retries === 'number' ? String(retries) : 'without end';
  return warn(value, 'Set maxRetriesPerRequest: 0: calls wait through reconnections, for up to minutes.');
};

const resend: Judge = ({ autoResendUnfulfilledCommands: resends, maxRetriesPerRequest: retries }) => {
  if (resends !== false) {
    return warn(
      'on',
      'Set autoResendUnfulfilledCommands: false and maxRetriesPerRequest: 0: after a cut, commands run a second time (our own are recognised, your others are not).',
    );
  }
  if (retries === 0) return pass('off');
  return fail(
    'off, with retries',
    'Set maxRetriesPerRequest: 0, too: with this pair promises are never settled.',
  );
};

const reconnectOfIoredis: Judge = ({ retryStrategy }) =>
  typeof retryStrategy === 'function'
    ? pass('by a function')
    : fail('never', 'Give retryStrategy a function: n => Math.min(50 * 2 ** n, 1000).');

const reconnectOfNodeRedis: Judge = ({ socket }) => {
  const { reconnectStrategy, socketTimeout } = asSettings(socket);
  const remedy = 'Give socket.reconnectStrategy a function: n => Math.min(50 * 2 ** n, 1000).';
  if (reconnectStrategy === false) return fail('never', remedy);
  if (reconnectStrategy === undefined && socketTimeout !== undefined) {
    return fail(
      'not after a socketTimeout',
      `${remedy} With the default one the client closes for good after it.`,
    );
  }
  return pass(reconnectStrategy === undefined ? 'by default' : 'as set');
};

const prefix: Judge = ({ keyPrefix }) =>
  keyPrefix === undefined || keyPrefix === ''
    ? pass('none')
    : warn('one is set', 'Take keyPrefix away: jobs are laid down under other keys than consumers read.');

const failover: Judge = ({ sentinels, failoverDetector }) => {
  if (!Array.isArray(sentinels)) throw notApplicable('This client does not use Sentinel');
  if (failoverDetector === true) return pass('on');
  return warn(
    'off',
    'Set failoverDetector: true: after a failover the old primary is written to for seconds.',
  );
};

const errorListener: Check = {
  id: 'client.error-listener',
  group: 'client',
  title: 'Errors of the client are listened to',
  reads: "client.listenerCount('error')",
  threshold: 'at least one',
  source: 'measured: node-redis ends the process without one',
  examine({ client }) {
    if (!client) throw notApplicable('No client was given: its settings cannot be seen from a URL');
    const { kind, errorListeners } = client;
    if (errorListeners === undefined || kind === 'other')
      throw notApplicable('It cannot be seen of this client');
    if (errorListeners > 0) return pass(String(errorListeners), errorListeners);
    const remedy = "Add one: client.on('error', log).";
    return kind === 'node-redis'
      ? fail('none', `${remedy} Without it a lost connection ends the process.`, 0)
      : warn('none', `${remedy} It alone tells a wrong password from a refused port.`, 0);
  },
};

export const clientChecks: readonly Check[] = [
  ofClient('offline-queue', 'Offline queue', 'off', {
    ioredis: { reads: 'enableOfflineQueue', judge: ioredisOffline },
    'node-redis': {
      reads: 'disableOfflineQueue',
      judge: ({ disableOfflineQueue }) =>
        offlineQueue(disableOfflineQueue !== true, 'Set disableOfflineQueue: true'),
    },
  }),
  ofClient('retries', 'Retries of a command', '0', {
    ioredis: { reads: 'maxRetriesPerRequest', judge: retries },
  }),
  ofClient('resend', 'Commands are sent again', 'off', {
    ioredis: { reads: 'autoResendUnfulfilledCommands', judge: resend },
  }),
  ofClient('command-timeout', 'Time a command may take', 'at most 5000 ms', {
    ioredis: {
      reads: 'commandTimeout',
      judge: ({ commandTimeout }) =>
        atMost(
          'commandTimeout',
          commandTimeout,
          5000,
          'Set commandTimeout: 1000: your other calls hang as long as Redis does.',
        ),
    },
    'node-redis': {
      reads: 'commandOptions.timeout',
      judge: ({ commandOptions }) =>
        atMost(
          'commandOptions.timeout',
          asSettings(commandOptions).timeout,
          5000,
          'Set commandOptions: { timeout: 1000 }: your other calls wait as long as Redis is away.',
        ),
    },
  }),
  ofClient('connect-timeout', 'Time connecting may take', 'at most 5000 ms', {
    ioredis: {
      reads: 'connectTimeout',
      judge: ({ connectTimeout }) =>
        atMost(
          'connectTimeout',
          connectTimeout,
          5000,
          'Set connectTimeout: 1000: a black hole is tried for as long.',
        ),
    },
    'node-redis': {
      reads: 'socket.connectTimeout',
      // Its own default is 5 s.
      judge: ({ socket }) =>
        atMost(
          'socket.connectTimeout',
          asSettings(socket).connectTimeout ?? 5000,
          5000,
          'Set socket.connectTimeout: 1000.',
        ),
    },
  }),
  ofClient('socket-timeout', 'Dead connections are given up', 'at most 10000 ms', {
    ioredis: {
      reads: 'socketTimeout',
      judge: ({ socketTimeout }) =>
        atMost(
          'socketTimeout',
          socketTimeout,
          10_000,
          'Set socketTimeout: 2000: a connection that died silently is kept for minutes.',
        ),
    },
    'node-redis': {
      reads: 'socket.socketTimeout',
      judge: ({ socket }) =>
        atMost(
          'socket.socketTimeout',
          asSettings(socket).socketTimeout,
          10_000,
          'Set socket.socketTimeout: 2000 with pingInterval: 500 and a reconnectStrategy of yours.',
        ),
    },
  }),
  ofClient('reconnect', 'Connects again', 'by a function of yours', {
    ioredis: { reads: 'retryStrategy', judge: reconnectOfIoredis },
    'node-redis': { reads: 'socket.reconnectStrategy', judge: reconnectOfNodeRedis },
  }),
  ofClient('ping-interval', 'Asks by itself whether Redis is there', 'at most 5000 ms', {
    'node-redis': {
      reads: 'pingInterval',
      judge: ({ pingInterval }) =>
        atMost(
          'pingInterval',
          pingInterval,
          5000,
          'Set pingInterval: 500: without traffic a dead connection is not noticed.',
        ),
    },
  }),
  errorListener,
  ofClient('key-prefix', 'Prefix of keys', 'none', { ioredis: { reads: 'keyPrefix', judge: prefix } }),
  ofClient('failover-detector', 'Failovers are followed', 'failoverDetector: true', {
    ioredis: { reads: 'failoverDetector', judge: failover },
  }),
];
