import { createServer } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { diagnose } from '../../../src/doctor/index.js';
import { openSocket } from '../../../src/doctor/stages/reach.js';
import { makeCertificate } from '../../support/certificate.js';
import { checkOf, failed, startRedis } from '../../support/doctor.js';
import { FaultProxy } from '../../support/fault-proxy.js';
import { freePort } from '../../support/free-port.js';
import { waitFor } from '../../support/wait-for.js';

async function startTlsRedis() {
  const certificate = makeCertificate();
  const tlsPort = await freePort();
  const { cert, key } = certificate;
  const files = ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', cert];
  const server = await startRedis({
    args: ['--tls-port', String(tlsPort), '--tls-auth-clients', 'no', ...files],
  });
  return { server, tlsPort, ...certificate };
}

/** A server that does with each connection what it is told to. */
async function listen(onConnection: (socket: Socket) => void): Promise<number> {
  const sockets: Socket[] = [];
  const server = createTcpServer((socket) => {
    sockets.push(socket.on('error', () => {}));
    onConnection(socket);
  }).listen(0, '127.0.0.1');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await waitFor(() => server.listening, { what: 'the server to listen' });
  return (server.address() as AddressInfo).port;
}

describe('the doctor names', () => {
  it('a name that does not resolve', async () => {
    const report = await diagnose('redis://nowhere.invalid:6379', { timeoutMs: 3000 });
    expect(report.reached).toBe(false);
    // A machine without any name server learns the second.
    expect(['name-not-found', 'name-server-silent']).toContain(checkOf(report, 'connection.dns').cause);
    expect(failed(report)).toEqual(['connection.dns']);
  });

  it('a port that refuses', async () => {
    const report = await diagnose(`redis://127.0.0.1:${await freePort()}`);
    expect(checkOf(report, 'connection.tcp')).toMatchObject({ verdict: 'fail', cause: 'refused' });
    // Nobody knows what is there: of no check of the server it may be said that it does not apply.
    const rest = report.checks.filter(({ id }) => /^(resources|configuration|network|high-av)/.test(id));
    expect(new Set(rest.map(({ skipped }) => skipped))).toEqual(new Set(['unreachable']));
  });

  it('a black hole, in which connections are never answered', async () => {
    const server = await startRedis({ args: ['--tcp-backlog', '1'] });
    server.pause();
    const sockets: ReturnType<typeof connect>[] = [];
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
    });
    // Those who wait in a full queue are not answered, as by a firewall that drops.
    await waitFor(
      () => {
        const socket = connect(server.port, '127.0.0.1').on('error', () => {});
        sockets.push(socket);
        return new Promise<boolean>((resolve) => {
          socket.once('connect', () => resolve(false));
          setTimeout(() => resolve(true), 300);
        });
      },
      { what: 'the queue of the listener to be full' },
    );
    const report = await diagnose({ port: server.port }, { timeoutMs: 500 });
    expect(checkOf(report, 'connection.tcp')).toMatchObject({ verdict: 'fail', cause: 'black-hole' });
    expect(checkOf(report, 'connection.tcp').observed).toBeGreaterThanOrEqual(490);
    // A name may have several addresses.
    const startedAt = performance.now();
    const addresses = ['127.0.0.1', '127.0.0.1', '127.0.0.1', '127.0.0.1'];
    await expect(openSocket(addresses, server.port, 500)).rejects.toThrow('black-hole');
    expect(performance.now() - startedAt).toBeLessThan(1000);
  });

  it('a server that answers the first connection, and hangs at the next', async () => {
    let connections = 0;
    const port = await listen((socket) => {
      connections += 1;
      if (connections === 1) socket.on('data', () => socket.write('+PONG\r\n'));
    });
    const report = await diagnose({ port }, { timeoutMs: 300 });
    expect(report.verdict).toBe('fail');
  });

  it('a server that lets nobody in a second time', async () => {
    let connections = 0;
    const port = await listen((socket) => {
      connections += 1;
      if (connections > 1) socket.destroy();
      else socket.on('data', () => socket.write('+PONG\r\n'));
    });
    const report = await diagnose({ port }, { timeoutMs: 300 });
    expect(report.verdict).toBe('fail');
    expect(failed(report).length).toBeGreaterThan(0);
  });

  it('a server that answers PING and nothing else', async () => {
    const port = await listen((socket) => {
      socket.on('data', (bytes) => {
        if (/^\*1\r\n\$4\r\nPING\r\n$/i.test(String(bytes))) socket.write('+PONG\r\n');
      });
    });
    const report = await diagnose({ port }, { timeoutMs: 300 });
    expect(report.verdict).toBe('fail');
    expect(failed(report)).toHaveLength(1);
  });

  it('a server that hangs (SIGSTOP)', async () => {
    const server = await startRedis();
    server.pause();
    const report = await diagnose({ port: server.port }, { timeoutMs: 500 });
    expect(checkOf(report, 'connection.tcp').verdict).toBe('pass');
    expect(checkOf(report, 'connection.first-command')).toMatchObject({
      verdict: 'fail',
      cause: 'no-answer',
    });
    const { observed } = checkOf(report, 'connection.first-command');
    expect(observed).toBeGreaterThanOrEqual(490);
  });

  it('something between that swallows what is said', async () => {
    const server = await startRedis();
    const proxy = await FaultProxy.start({ port: server.port });
    onTestFinished(() => proxy.stop());
    proxy.blackhole();
    const report = await diagnose({ port: proxy.port }, { timeoutMs: 500 });
    expect(checkOf(report, 'connection.first-command')).toMatchObject({
      verdict: 'fail',
      cause: 'no-answer',
    });
  });

  it('a password that is wrong, one that is missing, and one that nobody asked for', async () => {
    const guarded = await startRedis({ args: ['--requirepass', 'secret'] });
    const at = (url: string) => diagnose(url);
    const wrong = await at(`redis://:guessed@127.0.0.1:${guarded.port}`);
    expect(checkOf(wrong, 'connection.auth')).toMatchObject({ verdict: 'fail', cause: 'wrong-password' });
    const missing = await at(`redis://127.0.0.1:${guarded.port}`);
    expect(checkOf(missing, 'connection.auth')).toMatchObject({ verdict: 'fail', cause: 'password-missing' });
    const right = await at(`redis://:secret@127.0.0.1:${guarded.port}`);
    expect(checkOf(right, 'connection.auth').verdict).toBe('pass');
    expect(right.reached).toBe(true);

    const open = await startRedis();
    const unasked = await at(`redis://:secret@127.0.0.1:${open.port}`);
    expect(checkOf(unasked, 'connection.auth')).toMatchObject({
      verdict: 'warn',
      cause: 'password-not-expected',
    });
    expect(checkOf(unasked, 'connection.write').verdict).toBe('pass');
  });

  it('a user, of whom a Redis before 6 knows nothing', async () => {
    // In the words of Redis 5.
    const answer = "-ERR wrong number of arguments for 'auth' command\r\n";
    const port = await listen((socket) => socket.on('data', () => socket.write(answer)));
    const { verdict, value, cause } = checkOf(
      await diagnose({ port, username: 'a', password: 'b' }),
      'connection.auth',
    );
    expect({ verdict, cause }).toEqual({ verdict: 'fail', cause: 'wrong-password' });
    expect(value).toContain('Redis before 6 has no users');
  });

  it('TLS that is spoken to a plain port', async () => {
    const server = await startRedis();
    const report = await diagnose(`rediss://127.0.0.1:${server.port}`);
    expect(checkOf(report, 'connection.tls')).toMatchObject({ verdict: 'fail', cause: 'tls-to-plain-port' });
  });

  it('a port that wants TLS and is spoken to plainly', async () => {
    const { tlsPort } = await startTlsRedis();
    const report = await diagnose(`redis://127.0.0.1:${tlsPort}`);
    expect(checkOf(report, 'connection.tls')).toMatchObject({ verdict: 'fail', cause: 'plain-to-tls-port' });
    const withPassword = await diagnose(`redis://:secret@127.0.0.1:${tlsPort}`);
    expect(checkOf(withPassword, 'connection.tls').cause).toBe('plain-to-tls-port');
  });

  it('a certificate that nobody vouches for, and takes one that somebody does', async () => {
    const { tlsPort, ca } = await startTlsRedis();
    const report = await diagnose(`rediss://localhost:${tlsPort}`);
    expect(checkOf(report, 'connection.tls')).toMatchObject({ verdict: 'fail', cause: 'certificate' });
    const trusted = await diagnose({ host: 'localhost', port: tlsPort, tls: { ca } });
    expect(trusted.stages.map(({ verdict }) => verdict)).toEqual(['pass', 'pass', 'pass', 'skipped', 'pass']);
    expect(checkOf(trusted, 'connection.write').verdict).toBe('pass');
  });

  it('a server that wants a certificate of its clients', async () => {
    const { server, tlsPort, ca } = await startTlsRedis();
    await server.command('CONFIG', 'SET', 'tls-auth-clients', 'yes');
    const report = await diagnose({ port: tlsPort, tls: { ca } });
    expect(failed(report)).toHaveLength(1);
    expect(report.checks.find(({ verdict }) => verdict === 'fail')?.cause).toBe('client-certificate');
  });

  it('a server that has no room for one more client', async () => {
    const server = await startRedis();
    const held = connect(server.port, '127.0.0.1');
    onTestFinished(() => void held.destroy());
    await waitFor(() => held.readyState === 'open', { what: 'a client to be connected' });
    const clients = async () =>
      Number(/connected_clients:(\d+)/.exec(String(await server.command('INFO')))?.[1]);
    await waitFor(async () => (await clients()) === 2, { what: 'only that client and this one' });
    await server.command('CONFIG', 'SET', 'maxclients', '1');
    const report = await diagnose({ port: server.port });
    expect(checkOf(report, 'connection.first-command')).toMatchObject({
      verdict: 'fail',
      cause: 'max-clients',
    });
  });

  it('a database that is not there', async () => {
    const server = await startRedis();
    const report = await diagnose(`redis://127.0.0.1:${server.port}/99`);
    expect(checkOf(report, 'connection.first-command')).toMatchObject({ verdict: 'fail', cause: 'database' });
  });

  it('a database that the user may not select, and writes into no other', async () => {
    const server = await startRedis();
    await server.command('ACL', 'SETUSER', 'app', 'on', '>secret', '~*', '+@all', '-select');
    const report = await diagnose(`redis://app:secret@127.0.0.1:${server.port}/3`);
    expect(failed(report)).toEqual(['connection.first-command']);
    expect(checkOf(report, 'connection.first-command')).toMatchObject({ cause: 'database' });
    expect(await server.command('DBSIZE')).toBe(0);
  });

  it('a server that is no Redis', async () => {
    const web = createServer((_, response) => response.end()).listen(0, '127.0.0.1');
    onTestFinished(() => void web.close());
    await waitFor(() => web.listening, { what: 'the server to listen' });
    const report = await diagnose({ port: (web.address() as AddressInfo).port });
    expect(checkOf(report, 'connection.first-command')).toMatchObject({
      verdict: 'fail',
      cause: 'not-redis',
    });
  });
});

it('says nothing of host, port and password unless asked, and never of the password', async () => {
  const server = await startRedis({ args: ['--requirepass', 'secret'] });
  const url = `redis://someone:hunter2@localhost:${server.port}`;
  for (const showTarget of [false, true]) {
    const text = JSON.stringify(await diagnose(url, { showTarget }));
    expect(text).not.toMatch(/hunter2|someone/);
    expect(text.includes(String(server.port))).toBe(showTarget);
    expect(text.includes('localhost')).toBe(showTarget);
  }
});

it('refuses what is no Redis, without quoting it', async () => {
  for (const target of [
    'http://me:secret@x',
    'redis://me:secret@x:banana',
    'redis://me:secret@x/two',
    new Date(),
    { socket: { host: 'secret' } },
  ]) {
    const error: unknown = await diagnose(target as string).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(Error);
    expect(String(error)).toMatch(/^(TypeError|RangeError)/);
    expect(String(error)).not.toContain('secret');
  }
});

it('refuses a timeout that no timer can have', async () => {
  for (const timeoutMs of [0, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31]) {
    await expect(diagnose('redis://127.0.0.1:1', { timeoutMs })).rejects.toThrow(RangeError);
  }
});
