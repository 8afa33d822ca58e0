// Client libraries put addresses into messages, and a reply to an unknown command quotes its arguments. An error of ours
// may be logged by anyone, so what could name a host, a password or a payload is cut out before it travels.
const url = /\b[a-z][a-z0-9+.-]*:\/\/\S+/gi;
const ipv4 = /\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b/g;
const ipv6 = /\[?\b(?:[0-9a-f]{0,4}:){3,7}[0-9a-f]{0,4}\]?(?::\d+)?/gi;
const hostAndPort = /\b[a-z0-9-]+(?:\.[a-z0-9-]+)*:\d{2,5}\b/gi;
const lookup = /\b((?:getaddrinfo|query\w+) [A-Z_]+) \S+/g;
// Node's words for a certificate of another host: they name that host and all that the certificate is for.
const certificate = /(certificate's altnames): .*$/s;
const quotedArguments = /,? with args beginning with:.*$/s;

/** Text fit for an error, event or log: without addresses, URLs and quoted arguments, at most 300 characters. */
export function scrub(text: string): string {
  return text
    .slice(0, 1000)
    .replace(quotedArguments, '')
    .replace(url, '<url>')
    .replace(lookup, '$1 <host>')
    .replace(certificate, '$1')
    .replace(ipv4, '<address>')
    .replace(ipv6, '<address>')
    .replace(hostAndPort, '<address>')
    .slice(0, 300);
}

/**
 * A copy of somebody else's error that may travel: name, code and scrubbed message, without its other fields (ioredis
 * attaches the command with all its arguments).
 */
export function scrubbed(error: unknown): Error {
  const source =
    error instanceof Error ? error : new Error(typeof error === 'string' ? error : 'not an Error');
  const message: unknown = source.message;
  const copy = new Error(typeof message === 'string' ? scrub(message) : '', { cause: undefined });
  copy.name = source.name;
  const code: unknown = 'code' in source ? source.code : undefined;
  if (typeof code === 'string') Object.defineProperty(copy, 'code', { value: code, enumerable: true });
  return copy;
}
