import { type ConnectionOptions, createSecureContext } from 'node:tls';

/** Where Redis is, and as whom to go there. */
export interface ConnectionConfig {
  /** @default '127.0.0.1' */
  readonly host?: string | undefined;
  /** @default 6379 */
  readonly port?: number | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** @default 0 */
  readonly db?: number | undefined;
  /** `true`, or what `node:tls` takes (`ca`, `cert`, `key` …). @default false */
  readonly tls?: boolean | ConnectionOptions | undefined;
}

/** A {@link ConnectionConfig} with its defaults. */
export interface Address {
  readonly host: string;
  readonly port: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly db: number;
  readonly tls: ConnectionOptions | undefined;
}

const known: readonly string[] = ['host', 'port', 'username', 'password', 'db', 'tls'];

/** Reads `redis://`, `rediss://`, or `host:port`. Throws `TypeError` without quoting the URL, which may have a password. */
export function parseTarget(target: string | ConnectionConfig): Address {
  if (typeof target === 'string') return withDefaults(readUrl(target));
  // Under another client's names (`socket`, `url`) it would be the Redis of this machine that is examined.
  const unknown = Object.keys(target).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new TypeError(`A configuration has no ${unknown}, but ${known.join(', ')}.`);
  }
  checkTypes(target);
  return withDefaults(target);
}

/** A file of JSON knows nothing of our types, and what is sent as a password must not end up in somebody's message. */
function checkTypes(target: ConnectionConfig): void {
  for (const name of ['host', 'username', 'password'] as const) {
    if (!['string', 'undefined'].includes(typeof target[name])) {
      throw new TypeError(`${name} must be a string, in quotation marks.`);
    }
  }
  const { tls } = target;
  if (typeof tls === 'boolean' || tls === undefined) return;
  if (typeof tls !== 'object' || tls === null) {
    throw new TypeError('tls must be true, false, or an object of what node:tls takes.');
  }
  try {
    createSecureContext(tls);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new TypeError(`node:tls cannot use what tls has of ca, cert and key (${code ?? 'unknown'}).`);
  }
}

function withDefaults({ host, port, username, password, db, tls }: ConnectionConfig): Address {
  const address = {
    host: host || '127.0.0.1',
    port: port ?? 6379,
    username: username || undefined,
    password: password || undefined,
    db: db ?? 0,
    tls: tls === true ? {} : tls || undefined,
  };
  if (!Number.isInteger(address.port) || address.port < 1 || address.port > 65_535) {
    throw new RangeError('port must be a whole number from 1 to 65535');
  }
  if (!Number.isInteger(address.db) || address.db < 0) {
    throw new RangeError('The database (db) must be a whole number from 0: redis://host:6379/0');
  }
  return address;
}

function readUrl(text: string): ConnectionConfig {
  const url = tryParse(withScheme(text));
  if (!url) throw new TypeError('This is no URL of Redis. Expected: redis://user:password@host:6379/0');
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:') {
    throw new TypeError(`The URL must begin with redis:// or rediss://, not ${url.protocol}//`);
  }
  // What stands behind it would be left out, and another host be looked for: by the name of the user.
  if (url.hash !== '' || url.search.includes('@') || url.pathname.includes('@')) {
    throw new TypeError('A #, ? or / in a user or password has to be written as %23, %3F or %2F in a URL.');
  }
  const db = url.pathname.replace(/^\//, '') || url.searchParams.get('db');
  return {
    // An IPv6 address stands in brackets.
    host: decoded(url.hostname).replace(/^\[|\]$/g, ''),
    port: url.port === '' ? undefined : Number(url.port),
    username: decoded(url.username),
    password: decoded(url.password),
    db: db ? Number(db) : undefined,
    tls: url.protocol === 'rediss:',
  };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new TypeError('A % in a user or password has to be written as %25 in a URL.');
  }
}

function withScheme(text: string): string {
  return text.includes('://') ? text : `redis://${text}`;
}

function tryParse(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}
