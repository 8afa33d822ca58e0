import type { Fate } from '../errors/fate.js';
import { InDoubt } from '../errors/in-doubt.js';
import { scrub } from '../errors/scrub.js';

/** What kept a job from being delivered; the `kind` of outages, of `lastError` and of metrics. */
export type FailureKind =
  | 'disconnected'
  | 'connection-lost'
  | 'timeout'
  | 'protocol'
  | 'loading'
  | 'readonly'
  | 'masterdown'
  | 'noreplicas'
  | 'oom'
  | 'misconf'
  | 'busy'
  | 'clusterdown'
  | 'tryagain'
  | 'maxclients'
  | 'auth'
  | 'redirect'
  | 'noperm'
  | 'wrongtype'
  | 'crossslot'
  | 'refused'
  | 'unlisted';

/**
 * How a failure is treated.
 *
 * - `outage`: Redis cannot take the job now; the job goes to the backup.
 * - `gap`: the same, but the connection is only away, as it is for 100 ms in every failover: ridden out inside the deadline.
 * - `caller`: Redis is well and refuses this job; `enqueue()` rejects, the breaker is not touched.
 * - `redirect`: tried again, and the caller's fault if it stays: a standalone client was pointed at a cluster.
 */
export type Treatment = 'outage' | 'gap' | 'caller' | 'redirect';

/** A sorted error: everything the library decides by. Its message is fit to travel. */
export class RedisFailure extends Error {
  override readonly name = 'RedisFailure';
  readonly kind: FailureKind;
  readonly treatment: Treatment;
  /** Where jobs are that got this answer. */
  readonly fate: Exclude<Fate, 'delivered'>;

  constructor(row: Pick<RedisFailure, 'kind' | 'treatment' | 'fate'>, message: string) {
    super(scrub(message));
    this.kind = row.kind;
    this.treatment = row.treatment;
    this.fate = row.fate;
  }

  /** The same failure, treated otherwise. */
  as(treatment: Treatment): RedisFailure {
    return new RedisFailure({ kind: this.kind, fate: this.fate, treatment }, this.message);
  }

  /** The same failure of a command that may have been executed before it got this answer. */
  inDoubt(): RedisFailure {
    const { kind, treatment, message } = this;
    return new RedisFailure({ kind, treatment, fate: 'unknown' }, message);
  }
}

type Row = Pick<RedisFailure, 'kind' | 'treatment' | 'fate'>;

const unsent = (kind: FailureKind, treatment: Treatment): Row => ({ kind, treatment, fate: 'not-delivered' });
const unknown = (kind: FailureKind, treatment: Treatment = 'outage'): Row => ({
  kind,
  treatment,
  fate: 'unknown',
});

// What a server says, by the first word of its reply. Measured: none of these was executed (facts/redis-failures.md, 1).
const serverCodes: Readonly<Record<string, Row>> = {
  LOADING: unsent('loading', 'outage'),
  READONLY: unsent('readonly', 'outage'),
  MASTERDOWN: unsent('masterdown', 'outage'),
  NOREPLICAS: unsent('noreplicas', 'outage'),
  OOM: unsent('oom', 'outage'),
  MISCONF: unsent('misconf', 'outage'),
  BUSY: unsent('busy', 'outage'),
  CLUSTERDOWN: unsent('clusterdown', 'outage'),
  TRYAGAIN: unsent('tryagain', 'outage'),
  NOAUTH: unsent('auth', 'outage'),
  WRONGPASS: unsent('auth', 'outage'),
  MOVED: unsent('redirect', 'redirect'),
  ASK: unsent('redirect', 'redirect'),
  // A script that is not there has run nothing; runScript() has loaded it by now, or the server forgets at once.
  NOSCRIPT: unsent('unlisted', 'outage'),
  NOPERM: unsent('noperm', 'caller'),
  WRONGTYPE: unsent('wrongtype', 'caller'),
  CROSSSLOT: unsent('crossslot', 'caller'),
  NOGROUP: unsent('refused', 'caller'),
  BUSYGROUP: unsent('refused', 'caller'),
  ERR: unsent('refused', 'caller'),
};

// Replies that say ERR and mean something else.
const serverTexts: readonly (readonly [RegExp, Row])[] = [
  [/max number of clients/, unsent('maxclients', 'outage')],
  [
    /can't run this command|can't access at least one of the keys|ACL failure in script/,
    unsent('noperm', 'caller'),
  ],
  [/^ERR CROSSSLOT/, unsent('crossslot', 'caller')],
  [/Protocol error/, unknown('protocol')],
  // By SCRIPT KILL, which Redis allows only before a script's first write, or by SHUTDOWN.
  [/script killed by user/i, unknown('busy')],
];

// What clients say themselves, where they give no code: matched on `<class or name>: <message>`.
const clientTexts: readonly (readonly [RegExp, Row])[] = [
  // node-redis
  [/ClientOfflineError|The client is offline/, unsent('disconnected', 'gap')],
  [/ClientClosedError|The client is closed/, unsent('disconnected', 'gap')],
  [/The queue is full/, unsent('disconnected', 'gap')],
  [/^TimeoutError: $/, unsent('timeout', 'outage')],
  [/SocketClosedUnexpectedly|Socket closed unexpectedly/, unknown('connection-lost', 'gap')],
  [/DisconnectsClientError|Disconnects client/, unknown('connection-lost', 'gap')],
  [/SocketTimeoutError|Socket timeout/, unknown('timeout')],
  [/^TypeError: .*reading 'isReady'/, unsent('disconnected', 'gap')],
  [/^TypeError: "arguments\[/, unsent('refused', 'caller')],
  // ioredis
  [/Stream isn't writeable/, unknown('connection-lost', 'gap')],
  [/MaxRetriesPerRequestError|max retries per request/, unknown('connection-lost', 'gap')],
  [/Command aborted due to connection close/, unknown('connection-lost', 'gap')],
  [/Connection is closed/, unknown('connection-lost', 'gap')],
  [/Command timed out/, unknown('timeout')],
  [/Too many Cluster redirections/, unknown('redirect')],
  // bytes that are no reply
  [
    /ParserError|Unknown RESP type|Protocol error|ReplyMismatchError|TransportAnswerError/,
    unknown('protocol'),
  ],
];

const nodeCodes: Readonly<Record<string, Row>> = {
  ECONNREFUSED: unsent('disconnected', 'gap'),
  ENOTFOUND: unsent('disconnected', 'gap'),
  EAI_AGAIN: unsent('disconnected', 'gap'),
  EHOSTUNREACH: unsent('disconnected', 'gap'),
  ENETUNREACH: unsent('disconnected', 'gap'),
  RSQ_NO_CLIENT: unsent('disconnected', 'gap'),
  ECONNRESET: unknown('connection-lost', 'gap'),
  EPIPE: unknown('connection-lost', 'gap'),
  ETIMEDOUT: unknown('timeout'),
};

const disconnected = unsent('disconnected', 'gap');
const unlisted = unknown('unlisted');

/**
 * The one place where an error of Redis or its client is sorted. An error that nobody listed is of unknown fate.
 * `isUnsent`: the connection knows that the command was never written.
 */
export function sortFailure(error: unknown, isUnsent: boolean): RedisFailure {
  if (error instanceof RedisFailure) return error;
  if (error instanceof InDoubt) return sortFailure(error.cause, isUnsent).inDoubt();
  const said: unknown = error instanceof Error ? error.message : error;
  const message = typeof said === 'string' ? said : '';
  const row = isUnsent ? disconnected : rowOf(error, message);
  return new RedisFailure(row, message === '' ? row.kind : message);
}

function rowOf(error: unknown, message: string): Row {
  const text = unwrapped(message);
  const code = text === message ? codeOf(text) : (codeOf(text) ?? 'ERR');
  if (code === 'ERR') for (const [pattern, row] of serverTexts) if (pattern.test(text)) return row;
  const row = code === undefined ? undefined : serverCodes[code];
  if (row) return row;
  // A TimeoutError that is a DOMException has the number 23 as its code, so the name is looked at first.
  const name = error instanceof Error ? error.name : '';
  const kind = error instanceof Error ? error.constructor.name : '';
  for (const title of [`${kind}: ${message}`, `${name}: ${message}`]) {
    for (const [pattern, row] of clientTexts) if (pattern.test(title)) return row;
  }
  const nodeCode = error instanceof Error && 'code' in error ? error.code : undefined;
  if (typeof nodeCode === 'string') {
    const row = nodeCodes[nodeCode];
    if (row) return row;
  }
  return unlisted;
}

// What Redis before 7 puts before the answer of a script's command, once or more: `ERR Error running script (call to f_…):`,
// `@user_script:50:`, `@user_script: 50:`, `-`.
const wrapping = /^(?:ERR Error (?:running|compiling) script[^@]*)?(?:@?user_script:\s*\d+:\s*)+-?/;

function unwrapped(message: string): string {
  return message.replace(wrapping, '');
}

/** The code of a server's reply: its first word. */
function codeOf(text: string): string | undefined {
  return /^-?([A-Z][A-Z0-9]{1,})\b/.exec(text)?.[1];
}
