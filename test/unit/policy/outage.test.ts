import { createRequire } from 'node:module';
import { ReplyError } from 'ioredis';
import { ReplyError as ReplyError5 } from 'ioredis5';
import * as nodeRedis from 'redis';
import * as nodeRedis5 from 'redis5';
import { describe, expect, it } from 'vitest';
import { type FailureKind, RedisFailure, sortFailure, type Treatment } from '../../../src/policy/outage.js';

type Fate = 'not-delivered' | 'unknown';
type Expected = readonly [kind: FailureKind, treatment: Treatment, fate: Fate];

const require = createRequire(import.meta.url);
const { default: MaxRetries } = require('ioredis/built/errors/MaxRetriesPerRequestError.js');
const { default: MaxRetries5 } = require('ioredis5/built/errors/MaxRetriesPerRequestError.js');

/** An error of a class that its library keeps to itself. */
function named(name: string, message: string): Error {
  return Object.defineProperty(new Error(message), 'name', { value: name });
}

/** An error of Node's net and dns modules. */
function systemError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

function sorted(error: unknown, isUnsent = false): Expected {
  const { kind, treatment, fate } = sortFailure(error, isUnsent);
  return [kind, treatment, fate];
}

const outage = (kind: FailureKind): Expected => [kind, 'outage', 'not-delivered'];
const caller = (kind: FailureKind): Expected => [kind, 'caller', 'not-delivered'];

const replies: readonly (readonly [string, Expected])[] = [
  ['LOADING Redis is loading the dataset in memory', outage('loading')],
  ["READONLY You can't write against a read only replica.", outage('readonly')],
  ["MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", outage('masterdown')],
  ['NOREPLICAS Not enough good replicas to write.', outage('noreplicas')],
  ["OOM command not allowed when used memory > 'maxmemory'.", outage('oom')],
  [
    'MISCONF Redis is configured to save RDB snapshots, but it is currently not able to persist on disk.',
    outage('misconf'),
  ],
  ['BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.', outage('busy')],
  ['CLUSTERDOWN The cluster is down', outage('clusterdown')],
  ['TRYAGAIN Multiple keys request during rehashing of slot', outage('tryagain')],
  ['ERR max number of clients reached', outage('maxclients')],
  ['NOAUTH Authentication required.', outage('auth')],
  ['WRONGPASS invalid username-password pair or user is disabled.', outage('auth')],
  ['MOVED 3999 127.0.0.1:6381', ['redirect', 'redirect', 'not-delivered']],
  ['ASK 3999 127.0.0.1:6381', ['redirect', 'redirect', 'not-delivered']],
  ['NOSCRIPT No matching script. Please use EVAL.', outage('unlisted')],
  ["NOPERM this user has no permissions to run the 'xadd' command", caller('noperm')],
  ["ERR The user executing the script can't run this command or subcommand", caller('noperm')],
  ['WRONGTYPE Operation against a key holding the wrong kind of value', caller('wrongtype')],
  [
    "ERR The user executing the script can't access at least one of the keys mentioned in the command arguments",
    caller('noperm'),
  ],
  ['NOPERM this user has no permissions to access one of the keys used as arguments', caller('noperm')],
  ["CROSSSLOT Keys in request don't hash to the same slot", caller('crossslot')],
  ["NOGROUP No such key 'x' or consumer group 'y'", caller('refused')],
  ['BUSYGROUP Consumer Group name already exists', caller('refused')],
  ['ERR bit offset is not an integer or out of range', caller('refused')],
  ['ERR Protocol error: invalid multibulk length', ['protocol', 'outage', 'unknown']],
];

// Every class in which a client hands on the server's words; the first word of them is what counts.
const replyClasses: readonly (readonly [string, (text: string) => Error])[] = [
  ['ioredis 6', (text) => new ReplyError(text)],
  ['ioredis 5', (text) => new ReplyError5(text)],
  ['node-redis 6 SimpleError', (text) => new nodeRedis.SimpleError(text)],
  ['node-redis 5 SimpleError', (text) => new nodeRedis5.SimpleError(text)],
  ['node-redis 5 ErrorReply', (text) => new nodeRedis5.ErrorReply(text)],
  ['node-redis 6 BlobError', (text) => new nodeRedis.BlobError(text)],
  ['a client that keeps the dash', (text) => new Error(`-${text}`)],
];

describe.each(replyClasses)("a server's reply through %s", (_, make) => {
  it.each(replies)('is sorted by its code: %s', (text, expected) => {
    expect(sorted(make(text))).toEqual(expected);
  });
});

describe('an error of a script', () => {
  it.each([
    ["READONLY You can't write against a read only replica.", outage('readonly')],
    ["OOM command not allowed when used memory > 'maxmemory'.", outage('oom')],
    ['NOREPLICAS Not enough good replicas to write.', outage('noreplicas')],
    ['MISCONF Errors writing to the AOF file: No space left on device', outage('misconf')],
    ['WRONGTYPE Operation against a key holding the wrong kind of value', caller('wrongtype')],
  ] as const)('is found behind the wrapping of Redis before 7: %s', (text, expected) => {
    const wrapped = `ERR Error running script (call to f_6b1bf486c81ceb7edf3c093f4c48582e38c0e791): @user_script:50: @user_script: 50: -${text}`;
    expect(sorted(new ReplyError(wrapped))).toEqual(expected);
  });

  it('keeps its code where Redis 7 adds the place to the text', () => {
    const text =
      "READONLY You can't write against a read only replica. script: 6b1bf486, on @user_script:50.";
    expect(sorted(new ReplyError(text))).toEqual(outage('readonly'));
  });

  it('is a missing right, wrapped or not', () => {
    const text =
      "ERR Error running script (call to f_6b1b): @user_script:1: @user_script: 1: The user executing the script can't run this command or subcommand";
    expect(sorted(new ReplyError(text))).toEqual(caller('noperm'));
  });

  it.each([
    'ERR Error running script (call to f_6b1b): @user_script:1: Script killed by user with SCRIPT KILL...',
    'ERR Script killed by user with SCRIPT KILL... script: 694a5fe1ddb97a4c6a1bf299d9537c7d3d0f84e7, on @user_script:1.',
  ])('that somebody killed is no fault of the caller: %s', (text) => {
    expect(sorted(new ReplyError(text))).toEqual(['busy', 'outage', 'unknown']);
  });

  it('is no missing right because it quotes one: what was raised by another script stays a refusal', () => {
    expect(sorted(new ReplyError('ERR user_script:1: boom script: 6b1b, on @user_script:1.'))).toEqual(
      caller('refused'),
    );
  });

  it('with a code nobody listed is of unknown fate', () => {
    expect(sorted(new ReplyError('MYCODE a text of somebody else'))).toEqual([
      'unlisted',
      'outage',
      'unknown',
    ]);
  });
});

const clientErrors: readonly (readonly [string, Error, Expected])[] = [
  [
    "ioredis: not writeable, where it may retry: '…'",
    new Error("Stream isn't writeable and enableOfflineQueue options is false"),
    ['connection-lost', 'gap', 'unknown'],
  ],
  ['ioredis: Command timed out', new Error('Command timed out'), ['timeout', 'outage', 'unknown']],
  ['ioredis 6: MaxRetriesPerRequestError', new MaxRetries(20), ['connection-lost', 'gap', 'unknown']],
  ['ioredis 5: MaxRetriesPerRequestError', new MaxRetries5(20), ['connection-lost', 'gap', 'unknown']],
  [
    'ioredis: AbortError',
    named('AbortError', 'Command aborted due to connection close'),
    ['connection-lost', 'gap', 'unknown'],
  ],
  [
    'ioredis: Connection is closed',
    new Error('Connection is closed.'),
    ['connection-lost', 'gap', 'unknown'],
  ],
  [
    'ioredis: Too many Cluster redirections',
    new Error('Too many Cluster redirections. Last error: ReplyError: MOVED 3999 127.0.0.1:6381'),
    ['redirect', 'outage', 'unknown'],
  ],
  [
    'ioredis: ParserError',
    named('ParserError', 'Protocol error, got "X" as reply type byte'),
    ['protocol', 'outage', 'unknown'],
  ],
  ['both: Unknown RESP type', new Error('Unknown RESP type 88 "X"'), ['protocol', 'outage', 'unknown']],
  [
    'node-redis: SocketTimeoutError',
    new nodeRedis.SocketTimeoutError(2000),
    ['timeout', 'outage', 'unknown'],
  ],
  [
    'node-redis: SocketClosedUnexpectedlyError',
    new nodeRedis.SocketClosedUnexpectedlyError(),
    ['connection-lost', 'gap', 'unknown'],
  ],
  [
    'node-redis: DisconnectsClientError',
    new nodeRedis.DisconnectsClientError(),
    ['connection-lost', 'gap', 'unknown'],
  ],
  [
    'node-redis: ClientOfflineError',
    new nodeRedis.ClientOfflineError(),
    ['disconnected', 'gap', 'not-delivered'],
  ],
  [
    'node-redis: ClientClosedError',
    new nodeRedis.ClientClosedError(),
    ['disconnected', 'gap', 'not-delivered'],
  ],
  ['node-redis: a full queue', new Error('The queue is full'), ['disconnected', 'gap', 'not-delivered']],
  [
    'node-redis: TimeoutError without a text',
    new nodeRedis.TimeoutError(),
    ['timeout', 'outage', 'not-delivered'],
  ],
  [
    'node-redis 5: TimeoutError without a text',
    new nodeRedis5.TimeoutError(),
    ['timeout', 'outage', 'not-delivered'],
  ],
  [
    'node-redis: an argument of a wrong type',
    new TypeError('"arguments[3]" must be of type "string | Buffer", got number instead.'),
    ['refused', 'caller', 'not-delivered'],
  ],
  [
    'node-redis Sentinel: no client yet',
    new TypeError("Cannot read properties of undefined (reading 'isReady')"),
    ['disconnected', 'gap', 'not-delivered'],
  ],
  ...['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'].map(
    (code) =>
      [
        `Node: ${code}`,
        systemError(code, `connect ${code}`),
        ['disconnected', 'gap', 'not-delivered'],
      ] as const,
  ),
  ...['ECONNRESET', 'EPIPE'].map(
    (code) =>
      [`Node: ${code}`, systemError(code, `read ${code}`), ['connection-lost', 'gap', 'unknown']] as const,
  ),
  ['Node: ETIMEDOUT', systemError('ETIMEDOUT', 'read ETIMEDOUT'), ['timeout', 'outage', 'unknown']],
];

it.each(clientErrors)("sorts a client's own error: %s", (_, error, expected) => {
  expect(sorted(error)).toEqual(expected);
});

it('takes the word of the connection that a command was never written', () => {
  const error = new Error("Stream isn't writeable and enableOfflineQueue options is false");
  expect(sorted(error, true)).toEqual(['disconnected', 'gap', 'not-delivered']);
});

it('is not misled by the number that a DOMException has for a code', () => {
  const timeout = new DOMException('The operation was aborted due to timeout', 'TimeoutError');
  expect(timeout.code).toBe(23);
  expect(sortFailure(timeout, false).fate).toBe('unknown');
  expect(sortFailure(timeout, false).treatment).toBe('outage');
});

it.each([
  ['an error nobody knows', new Error('something new')],
  ['a TimeoutError with a text, as GLIDE words it', named('TimeoutError', 'timed out')],
  ['an unlisted code of Node', systemError('ENOSPC', 'no space left')],
  ['a code that is no string', Object.assign(new Error('odd'), { code: 42 })],
  ['an error without a text', new Error('')],
  ['a string', 'boom'],
  ['null', null],
  ['undefined', undefined],
  ['an object', { message: 'READONLY' }],
  ['a word that begins like a code', new Error('Busy')],
])('is of unknown fate, and for the backup: %s', (_, error) => {
  expect(sorted(error)).toEqual(['unlisted', 'outage', 'unknown']);
});

it('never says not-delivered of what GLIDE says, which is not listed yet', () => {
  for (const [name, message] of [
    ['RequestError', 'An error was signalled by the server: - ReadOnly: You cannot write'],
    ['ConnectionError', 'Received connection error `FatalReceiveError`'],
    ['TimeoutError', 'timed out'],
    ['ClosingError', 'Unable to execute requests; the client is closing'],
  ] as const) {
    expect(sortFailure(named(name, message), false).fate, name).toBe('unknown');
  }
});

it('does not sort twice', () => {
  const once = sortFailure(new Error('Command timed out'), false);
  expect(once).toBeInstanceOf(RedisFailure);
  expect(sortFailure(once, true)).toBe(once);
});

it('looks at the class behind the name Error that node-redis leaves in place', () => {
  const error = new nodeRedis.ClientOfflineError();
  error.message = 'worded anew';
  expect(error.name).toBe('Error');
  expect(sorted(error)).toEqual(['disconnected', 'gap', 'not-delivered']);
});

describe('the message of a sorted error', () => {
  it.each([
    [systemError('ECONNREFUSED', 'connect ECONNREFUSED 10.1.2.3:6379'), ['10.1.2.3', '6379']],
    [systemError('ECONNREFUSED', 'connect ECONNREFUSED 2001:db8::17:6379'), ['2001', 'db8', '6379']],
    [systemError('ENOTFOUND', 'getaddrinfo ENOTFOUND redis.prod.internal'), ['redis.prod.internal']],
    [new Error('MOVED 3999 cache-7.prod.internal:6381'), ['cache-7', 'prod', '6381']],
    [
      new Error('Bad url rediss://app:hunter2@redis.prod:6380/0 given'),
      ['hunter2', 'app', 'redis.prod', '6380'],
    ],
    [
      new ReplyError("ERR unknown command 'EVALSHAX', with args beginning with: 'sha' '1' 'card 4111' "),
      ['with args beginning with', 'card', '4111', 'sha '],
    ],
  ])('has no address, URL, password or argument: $message', (error, secrets) => {
    const { message } = sortFailure(error, false);
    for (const secret of secrets) expect(message).not.toContain(secret);
    expect(message).not.toBe('');
  });

  it('is the kind where there is no text, and never longer than 300 characters', () => {
    expect(sortFailure(undefined, false).message).toBe('unlisted');
    expect(sortFailure(Object.assign(new Error(), { message: ['secret'] }), false).message).toBe('unlisted');
    expect(sortFailure(new Error('x'.repeat(10_000)), false).message).toHaveLength(300);
  });

  it('does not carry the error it was made from', () => {
    const source = Object.assign(new ReplyError('WRONGTYPE x'), { command: { args: ['secret'] } });
    const failure = sortFailure(source, false);
    expect(failure.cause).toBeUndefined();
    expect(JSON.stringify(failure, Object.getOwnPropertyNames(failure))).not.toContain('secret');
  });
});
