import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { RedisServer } from '../../support/redis-server.js';
import { RespConnection } from '../../support/resp-connection.js';
import { waitFor } from '../../support/wait-for.js';

const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

it('starts a real server of its own and leaves nothing behind', async () => {
  const server = await RedisServer.start();
  const pid = server.pid as number;
  expect(await server.command('PING')).toBe('PONG');
  expect(String(await server.command('INFO', 'server'))).toContain(`process_id:${pid}`);
  expect(await server.command('CONFIG', 'GET', 'bind')).toEqual(['bind', '127.0.0.1']);
  expect(server.logs()).toContain('Ready to accept connections');
  await server.stop();
  await server.stop();
  expect(server.pid).toBeUndefined();
  expect(isAlive(pid)).toBe(false);
  expect(existsSync(server.directory)).toBe(false);
});

it('answers with nested arrays, numbers, nulls, and errors that keep their code', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const script = "return { 1, 'zwei', false, { 'ü', {} }, redis.error_reply('BOOM in an array') }";
  const reply = (await server.command('EVAL', script, '0')) as unknown[];
  expect(reply.slice(0, 4)).toEqual([1, 'zwei', null, ['ü', []]]);
  expect(reply[4]).toMatchObject({ message: 'BOOM in an array' });
  expect(await server.command('GET', 'nothing')).toBeNull();
  await server.command('SET', 'text', 'x');
  await expect(server.command('INCR', 'text')).rejects.toThrow(/^ERR value is not an integer/);
  await expect(server.command('LPUSH', 'text', '1')).rejects.toThrow(/^WRONGTYPE/);
});

it('reads replies that come in pieces, and many at once', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const large = 'ä'.repeat(500_000);
  const connection = new RespConnection({ port: server.port });
  const replies = await Promise.all([
    connection.send('SET', 'large', large),
    ...Array.from({ length: 20 }, () => connection.send('GET', 'large')),
    connection.send('PING'),
  ]);
  connection.close();
  expect(replies[0]).toBe('OK');
  expect(replies.slice(1, -1).every((reply) => reply === large)).toBe(true);
  expect(replies.at(-1)).toBe('PONG');
});

it('keeps what it acknowledged through a kill and a restart', async () => {
  await using server = await RedisServer.start();
  await server.command('SET', 'kept', 'yes');
  const before = server.pid as number;
  await server.kill();
  expect(server.pid).toBeUndefined();
  expect(isAlive(before)).toBe(false);
  await expect(server.command('PING')).rejects.toThrow('ECONNREFUSED');
  await server.restart(['--maxmemory', '123mb']);
  expect(server.pid).not.toBe(before);
  expect(await server.command('GET', 'kept')).toBe('yes');
  expect(await server.command('CONFIG', 'GET', 'maxmemory')).toEqual([
    'maxmemory',
    String(123 * 1024 * 1024),
  ]);
  await server.restart();
  expect(await server.command('CONFIG', 'GET', 'maxmemory')).toEqual(['maxmemory', '0']);
});

it('answers LOADING to clients after a restart with much data, and the kit waits for it', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const fill = "for i = 1, 3000 do redis.call('SET', 'key-' .. i, 'value') end";
  await server.command('EVAL', fill, '0');
  await server.command('SAVE');
  await server.restart(['--key-load-delay', '100', '--loading-process-events-interval-bytes', '1024']);
  await expect(new RespConnection(server).send('PING')).rejects.toThrow('LOADING');
  expect(await server.command('DBSIZE')).toBe(3_000);
});

it('forgets everything in a restart without an append-only file', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  await server.command('SET', 'kept', 'no');
  await server.restart();
  expect(await server.command('GET', 'kept')).toBeNull();
});

it('hangs while paused, still accepting connections, and executes what was sent when it resumes', async () => {
  await using server = await RedisServer.start();
  server.pause();
  const socket = connect(server.port, server.host);
  await once(socket, 'connect');
  socket.destroy();
  await expect(server.commandWith({ timeoutMs: 60 }, 'INCR', 'late')).rejects.toThrow(
    'No reply to INCR within 60 ms',
  );
  server.resume();
  await waitFor(async () => (await server.command('GET', 'late')) === '1', { what: 'the late execution' });
});

it('is killed although paused', async () => {
  const server = await RedisServer.start({ appendOnly: 'no' });
  const pid = server.pid as number;
  server.pause();
  await server.stop();
  expect(isAlive(pid)).toBe(false);
});

it('comes up late on a port that clients were given before', async () => {
  const port = await RedisServer.reservePort();
  await expect(new RespConnection({ port }).send('PING')).rejects.toThrow('ECONNREFUSED');
  await using server = await RedisServer.start({ port });
  expect(server.port).toBe(port);
  expect(await server.command('PING')).toBe('PONG');
});

it('says why it did not start', async () => {
  await expect(RedisServer.start({ args: ['--no-such-directive', '1'] })).rejects.toThrow(
    /no-such-directive/,
  );
  await using server = await RedisServer.start({ appendOnly: 'no' });
  await expect(RedisServer.start({ port: server.port })).rejects.toThrow('Address already in use');
  expect(await server.command('PING')).toBe('PONG');
});

// Not the pid: init takes its time to collect an orphan, and until then the dead process seems to be there.
const isRefused = (port: number) =>
  waitFor(
    () =>
      new RespConnection({ port, timeoutMs: 50 }).send('PING').then(
        () => false,
        (error: Error) => error.message.includes('ECONNREFUSED'),
      ),
    { what: 'the end of the server' },
  );

const kit = fileURLToPath(new URL('../../support/redis-server.ts', import.meta.url));

const forgetful = (ending: string) =>
  spawn(
    process.execPath,
    [
      ...['--import', 'tsx', '--input-type=module', '--eval'],
      `const { RedisServer } = await import(${JSON.stringify(kit)});
       const server = await RedisServer.start({ appendOnly: 'no' });
       server.pause();
       console.log(JSON.stringify([server.port, server.directory]));
       ${ending}`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );

it.concurrent.each([
  ['exits', 'process.exit(0)', undefined],
  ['gets SIGINT', 'setInterval(() => {}, 1000)', 'SIGINT'],
  ['gets SIGTERM', 'setInterval(() => {}, 1000)', 'SIGTERM'],
] as const)('kills a server left over by a process that %s', async (_, ending, signal) => {
  const owner = forgetful(ending);
  const exited = once(owner, 'exit');
  const [line] = (await once(owner.stdout, 'data')) as [Buffer];
  const [port, directory] = JSON.parse(line.toString()) as [number, string];
  if (signal) owner.kill(signal);
  expect(await exited).toEqual(signal ? [null, signal] : [0, null]);
  await isRefused(port);
  expect(existsSync(directory)).toBe(false);
});

it.runIf(process.platform === 'linux').concurrent(
  'kills a server left over by a process that is killed',
  async () => {
    const owner = forgetful('setInterval(() => {}, 1000)');
    const [line] = (await once(owner.stdout, 'data')) as [Buffer];
    const [port, directory] = JSON.parse(line.toString()) as [number, string];
    owner.kill('SIGKILL');
    await isRefused(port);
    rmSync(directory, { recursive: true });
  },
);
