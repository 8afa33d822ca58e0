import { Redis, ReplyError } from 'ioredis';
import { expect, it } from 'vitest';
import { scrub, scrubbed } from '../../../src/errors/scrub.js';

it.each([
  ['connect ECONNREFUSED 127.0.0.1:6379', 'connect ECONNREFUSED <address>'],
  ['from 10.0.0.7 on', 'from <address> on'],
  ['connect ECONNREFUSED 2001:db8::17:6379', 'connect ECONNREFUSED <address>'],
  ['getaddrinfo ENOTFOUND redis.internal', 'getaddrinfo ENOTFOUND <host>'],
  ['queryA ENOTFOUND redis.internal', 'queryA ENOTFOUND <host>'],
  [
    "Hostname/IP does not match certificate's altnames: Host: fox.upstash.io. is not in the cert's altnames: DNS:*.corp",
    "Hostname/IP does not match certificate's altnames",
  ],
  ['cannot use redis://u:p@h:1/0 here', 'cannot use <url> here'],
  ['postgres://u:p@h/db?sslmode=require', '<url>'],
  ['peer cache-1.prod:6380 is gone', 'peer <address> is gone'],
  ["ERR unknown command 'X', with args beginning with: 'secret' 'more'", "ERR unknown command 'X'"],
  ["ERR unknown command 'X', with args beginning with: 'two\nlines'", "ERR unknown command 'X'"],
])('cuts what must not travel out of: %s', (text, expected) => {
  expect(scrub(text)).toBe(expected);
});

it.each([
  "READONLY You can't write against a read only replica.",
  'MISCONF Errors writing to the AOF file: No space left on device',
  'ERR Error running script (call to f_6b1b): @user_script:50: @user_script: 50: boom',
  'WRONGTYPE Operation against a key holding the wrong kind of value script: 0db1, on @user_script:3.',
])('leaves what a person needs to read: %s', (text) => {
  expect(scrub(text)).toBe(text);
});

it('cuts at 300 characters', () => {
  expect(scrub('é'.repeat(1000))).toBe('é'.repeat(300));
});

it('does not hold up the process over a long text', () => {
  // A store may put a whole statement with its values into its error. Seconds, where a pattern looks back from every place.
  const startedAt = performance.now();
  for (const piece of ['a-', 'a.', 'a:', '1.', '://', ', with args ']) scrub(piece.repeat(20_000));
  expect(performance.now() - startedAt).toBeLessThan(1000);
});

it('drops the command that ioredis attaches, with all its arguments', () => {
  const source = Object.assign(new ReplyError('WRONGTYPE not a stream'), {
    command: { name: 'evalsha', args: ['card 4111'] },
    lastNodeError: new Error('10.0.0.1'),
  });
  const copy = scrubbed(source);
  expect(copy).not.toBe(source);
  expect(copy).toMatchObject({ name: 'ReplyError', message: 'WRONGTYPE not a stream' });
  expect(copy).not.toHaveProperty('command');
  expect(copy).not.toHaveProperty('lastNodeError');
  expect(copy.stack).not.toContain('4111');
});

it('drops the address that Node attaches, and keeps its code', async () => {
  const client = new Redis({ port: 1, lazyConnect: true, retryStrategy: () => null });
  const source = await new Promise<NodeJS.ErrnoException>((resolve) => {
    client.on('error', resolve);
    client.connect().catch(() => {});
  });
  expect(source).toMatchObject({ code: 'ECONNREFUSED', port: 1 });
  const copy = scrubbed(source);
  expect(copy).toMatchObject({ code: 'ECONNREFUSED', message: 'connect ECONNREFUSED <address>' });
  expect(copy).not.toHaveProperty('port');
  expect(copy).not.toHaveProperty('address');
  expect(copy.stack).not.toContain('127.0.0.1');
});

it('keeps only codes that are text', () => {
  expect('code' in scrubbed(new DOMException('late', 'TimeoutError'))).toBe(false);
});

it('has no cause, which could say anything', () => {
  expect(scrubbed(new Error('outer', { cause: new Error('redis://u:p@h') })).cause).toBeUndefined();
});

it.each([
  ['redis://u:p@h is away', '<url> is away'],
  [undefined, 'not an Error'],
  [{ payload: 'secret' }, 'not an Error'],
  [Object.assign(new Error(), { message: ['secret'] }), ''],
])('makes an Error of %o', (thrown, message) => {
  expect(scrubbed(thrown)).toBeInstanceOf(Error);
  expect(scrubbed(thrown).message).toBe(message);
});
