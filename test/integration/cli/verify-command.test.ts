import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openClient } from '../../../src/cli/open-client.js';
import { verifyCommand } from '../../../src/cli/verify-command.js';
import { queueKeys, streamKey } from '../../../src/index.js';
import { RedisServer } from '../../support/redis-server.js';
import { runCommand } from '../../support/run-command.js';
import { waitFor } from '../../support/wait-for.js';
import { temporaryFolder } from '../../unit/support/temporary-folder.js';
import { ledgerSite, QUEUE } from '../ledger/ledger-site.js';

const run = (args: readonly string[], url?: string) =>
  runCommand(verifyCommand, args, url === undefined ? {} : { REDIS_URL: url });
const urlOf = ({ port }: { readonly port: number }) => `redis://127.0.0.1:${port}`;

it('prints what a person needs at night: counts, the first ids, what to do, and no address', async () => {
  const site = await ledgerSite();
  const ids = await site.enqueue(60);
  // A queue at work would notice.
  await site.end();
  await site.server.command('XADD', streamKey(QUEUE), '*', 'id', ids[7] as string);
  await site.server.command('XTRIM', streamKey(QUEUE), 'MAXLEN', '1');
  await site.server.command('DEL', queueKeys(QUEUE).seen((ids[7] as string).split('-')[0] as string));
  const { code, out, err } = await run([
    '--queue',
    QUEUE,
    '--ledger',
    site.path,
    '--redis',
    urlOf(site.server),
  ]);
  const lines = out.split('\n');
  expect(lines[0]).toBe('Queue "orders" (streams), accepted jobs in the ledger: 60');
  expect(out).toMatch(/^ {2}delivered +1 {3}stand in the queue, or were consumed$/m);
  expect(out).toMatch(/^ {2}lost +59 {3}are nowhere$/m);
  expect(out).toMatch(/^ {2}doubled +0$/m);
  expect(out).toContain('lost, the first 20 of 59:\n');
  expect(lines.filter((line) => ids.includes(line.trim()))).toHaveLength(20);
  expect(out).toContain('NOT WELL: 59 lost.');
  expect(out).toContain('What to do next\n  - Lost: enqueue them again under the same ids');
  expect(out).not.toMatch(/127\.0\.0\.1|order\.confirm|redis:\/\//);
  expect(err).toBe('');
  expect(code).toBe(1);
});

it('says that all is well in one line at the end', async () => {
  const site = await ledgerSite();
  await site.enqueue(3);
  await site.end();
  const { code, out } = await run(['--queue', QUEUE, '--ledger', site.path], urlOf(site.server));
  expect(out.trimEnd().split('\n').at(-1)).toBe('WELL: nothing lost, nothing doubled.');
  expect(code).toBe(0);
});

it.each([
  [[], '--queue <name> is missing'],
  [['--queue', 'q'], '--ledger <file> is missing'],
  [['--queue', 'q', '--ledger', 'x', '--transport', 'pigeon'], '--transport must be streams, rq or bullmq'],
  [['--queue', 'q', '--ledger', 'x', '--ids', 'many'], '--ids must be a whole number'],
  [['--queue', 'q', '--ledger', 'x', '--caller-hours', '0'], '--caller-hours must be a number above 0'],
  [['--queue', 'q', '--ledger', 'x', '--backup-gone', '--backup-lmdb', 'y'], 'exclude each other'],
  [['--queue', 'q', '--ledger', 'x', '--colour'], "Unknown option '--colour'.\nSee: "],
  [['--redis://:secret@host'], 'Unknown option.\nSee: '],
  [['--queue', 'q', '--ledger', 'x', '--transport', 'redis://:secret@host'], 'got "<url>"'],
  [['redis://user:secret@host:1'], 'Unexpected argument'],
  [['user:secret@host:6379'], 'Unexpected argument'],
])('refuses a wrong call: %j', async (args, says) => {
  const { code, out, err } = await run(args, 'redis://127.0.0.1:1');
  expect(err).toContain(says);
  expect(err).toContain('verify --help');
  expect(err).not.toContain('secret');
  expect(out).toBe('');
  expect(code).toBe(2);
});

it('wants an address, and explains itself', async () => {
  expect((await run(['--queue', 'q', '--ledger', 'x'])).err).toContain('REDIS_URL');
  const { code, out } = await run(['--help']);
  expect(out).toBe(verifyCommand.help);
  expect(code).toBe(0);
});

it('says why nothing could be found out, with exit code 2', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no', args: ['--requirepass', 'secret'] });
  const folder = temporaryFolder();
  const ledger = join(folder, 'ledger.ndjson');
  const line = { v: 1, at: Date.now(), queue: 'other', event: 'enqueued', id: 'a' };
  writeFileSync(ledger, `${JSON.stringify(line)}\n`);
  const compressed = join(folder, 'ledger.ndjson.gz');
  writeFileSync(compressed, Buffer.from([0x1f, 0x8b, 0x0a, 0x08, 0x00]));
  const short = join(folder, 'short.ndjson.gz');
  writeFileSync(short, Buffer.from([0x1f, 0x8b, 0x08, 0x00]));
  const right = `redis://:secret@127.0.0.1:${server.port}`;
  const cases: [readonly string[], string, string][] = [
    [['--ledger', join(folder, 'none')], right, 'ENOENT'],
    [['--ledger', folder], right, 'is a folder'],
    [['--ledger', '/dev/zero'], right, 'is a device'],
    [
      ['--ledger', ledger, '--ledger', compressed],
      right,
      'none of its lines is one (of 2). If it is compressed',
    ],
    [['--ledger', ledger, '--ledger', short], right, 'none of its lines is one (of 1). If it is compressed'],
    [
      ['--ledger', ledger],
      right,
      'has no job of the queue "orders", so nothing can be compared. It has jobs of "other"',
    ],
    [['--ledger', ledger], `redis://:wrong@127.0.0.1:${server.port}`, 'WRONGPASS'],
    [['--ledger', ledger], 'http://127.0.0.1', 'must begin with redis://'],
    [['--ledger', ledger], `redis://127.0.0.1:${await RedisServer.reservePort()}`, 'cannot be reached'],
    [['--ledger', ledger, '--backup-lmdb', folder], right, 'There is no backup'],
  ];
  for (const [args, url, says] of cases) {
    const { code, out, err } = await run(['--queue', QUEUE, ...args], url);
    expect(err).toContain(says);
    expect(err).not.toMatch(/secret|wrong@|127\.0\.0\.1/);
    expect([code, out]).toEqual([2, '']);
  }
});

it('does not believe a replica', async () => {
  const site = await ledgerSite();
  await site.enqueue(3);
  await site.end();
  await site.server.command('CONFIG', 'SET', 'repl-diskless-sync-delay', '0');
  await using replica = await RedisServer.start({
    args: ['--replicaof', '127.0.0.1', String(site.server.port)],
  });
  await waitFor(async () => Number(await replica.command('EXISTS', streamKey(QUEUE))) === 1, {
    what: 'the replica',
  });
  const { code, err } = await run(['--queue', QUEUE, '--ledger', site.path], urlOf(replica));
  expect(err).toContain('is a replica');
  expect(code).toBe(2);
});

it.each(['ioredis', 'redis'] as const)('connects by %s, and says why it cannot', async (name) => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  {
    await using client = await openClient(urlOf(server), [name]);
    expect(await client.redis.send(['PING'], '')).toBe('PONG');
  }
  await server.kill();
  await expect(openClient(urlOf(server), [name])).rejects.toThrow(/^Redis cannot be reached: .*ECONNREFUSED/);
});

it('says which package is missing', async () => {
  await expect(openClient('redis://127.0.0.1', [])).rejects.toThrow('npm install ioredis');
});

it('needs few rights, and does without INFO and ROLE', async () => {
  const site = await ledgerSite();
  const ids = await site.enqueue(30);
  for (const entry of (await site.redis.xrange(streamKey(QUEUE), '-', '+')).slice(0, 20)) {
    await site.redis.xdel(streamKey(QUEUE), entry[0]);
  }
  await site.end();
  const rights = '+xrange +bitfield +eval +evalsha +get';
  await site.server.command('ACL', 'SETUSER', 'auditor', 'on', '>pw', '~rsq:*', ...rights.split(' '));
  const url = `redis://auditor:pw@127.0.0.1:${site.server.port}`;
  const { code, out, err } = await run(['--queue', QUEUE, '--ledger', site.path, '--json'], url);
  expect(err).toBe('');
  expect(JSON.parse(out)).toMatchObject({
    counts: { delivered: ids.length, lost: 0 },
    onTrust: ['primary', 'eviction'],
  });
  expect(code).toBe(0);
});

it.each(['ioredis', 'redis'] as const)(
  'waits by %s no longer than told for a server that hangs',
  async (name) => {
    await using server = await RedisServer.start({ appendOnly: 'no', args: ['--requirepass', 'secret'] });
    server.pause();
    const url = `redis://:secret@127.0.0.1:${server.port}`;
    const startedAt = performance.now();
    const opened = openClient(url, [name], 300).then(
      (client) => client[Symbol.asyncDispose](),
      (error: Error) => expect(error.message).toMatch(/^Redis cannot be reached: No answer/),
    );
    await opened;
    expect(performance.now() - startedAt).toBeLessThan(3000);
    server.resume();
  },
);
