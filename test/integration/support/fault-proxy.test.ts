import { once } from 'node:events';
import { createServer, type Socket, connect as tcpConnect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { FaultProxy } from '../../support/fault-proxy.js';
import { RedisServer } from '../../support/redis-server.js';
import { RespConnection } from '../../support/resp-connection.js';
import { waitFor } from '../../support/wait-for.js';

let server: RedisServer;
let proxy: FaultProxy;
const sockets: Socket[] = [];

beforeAll(async () => {
  server = await RedisServer.start({ appendOnly: 'no' });
});
afterAll(() => server.stop());
beforeEach(async () => {
  await server.command('FLUSHALL');
  proxy = await FaultProxy.start(server);
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await proxy.stop();
});

/** A raw connection through the proxy that notes what it receives. */
async function dial() {
  const socket = tcpConnect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true });
  sockets.push(socket);
  let received = '';
  let isClosed = false;
  socket.on('data', (bytes) => {
    received += bytes.toString('latin1');
  });
  socket.on('error', () => undefined);
  for (const event of ['end', 'close']) {
    socket.on(event, () => {
      isClosed = true;
    });
  }
  await once(socket, 'connect');
  return {
    socket,
    /** Inline commands, so that a test reads as what is sent. */
    send: (...commands: string[]) => socket.write(commands.map((command) => `${command}\r\n`).join('')),
    received: () => received,
    isClosed: () => isClosed,
    receives: (text: string) =>
      waitFor(() => received === text, {
        what: `${JSON.stringify(text)}, got ${received}`,
        timeoutMs: 2_000,
      }),
    closes: () => waitFor(() => isClosed, { what: 'the connection to be closed', timeoutMs: 2_000 }),
  };
}

const executed = (key: string, value: string | null) =>
  waitFor(async () => (await server.command('GET', key)) === value, { what: `${key} = ${value}` });

it('forwards both ways, also large amounts, and counts connections', async () => {
  const client = await dial();
  client.send('INCR n', 'INCR n');
  await client.receives(':1\r\n:2\r\n');
  expect(proxy.connections).toBe(1);
  client.socket.destroy();
  await waitFor(() => proxy.connections === 0, { what: 'no connection' });
  const connection = new RespConnection({ port: proxy.port });
  const large = 'x'.repeat(10_000_000);
  await connection.send('SET', 'large', large);
  expect((await connection.send('GET', 'large')) === large).toBe(true);
  connection.close();
});

it('answers a client that has closed its half', async () => {
  const client = await dial();
  client.socket.end('INCR n\r\n');
  await client.receives(':1\r\n');
  await client.closes();
  await waitFor(() => proxy.connections === 0, { what: 'no connection' });
});

it('closes the connection when the server closes it or is not there', async () => {
  const client = await dial();
  client.send('QUIT');
  await client.closes();
  proxy.target = { port: await RedisServer.reservePort(), host: '127.0.0.1' };
  await (await dial()).closes();
});

it('sends new connections to a new target and leaves the others', async () => {
  await using other = await RedisServer.start({ appendOnly: 'no' });
  const old = await dial();
  old.send('PING');
  await old.receives('+PONG\r\n');
  proxy.target = other;
  const young = await dial();
  young.send('SET where other');
  await young.receives('+OK\r\n');
  old.send('SET where first');
  await old.receives('+PONG\r\n+OK\r\n');
  expect(await other.command('GET', 'where')).toBe('other');
  expect(await server.command('GET', 'where')).toBe('first');
});

it('cutReplies: every request is executed, its reply lost, its connection closed', async () => {
  const client = await dial();
  proxy.cutReplies();
  client.send(...Array.from({ length: 5_000 }, () => 'INCR n'));
  await client.closes();
  expect(client.received()).toBe('');
  await executed('n', '5000');
  const next = await dial();
  next.send('INCR n');
  await next.closes();
  await executed('n', '5001');
  proxy.heal();
  const healed = await dial();
  healed.send('GET n');
  await healed.receives('$4\r\n5001\r\n');
});

it('swallowReplies: requests are executed, replies vanish, the connection goes on after heal()', async () => {
  const client = await dial();
  proxy.swallowReplies();
  client.send('SET n 1');
  await executed('n', '1');
  await sleep(20);
  expect(client.received()).toBe('');
  expect(client.isClosed()).toBe(false);
  proxy.heal();
  client.send('INCR n');
  await client.receives(':2\r\n');
});

it('swallowReplies: heal() closes what is one reply short, if told to', async () => {
  const spoiled = await dial();
  const untouched = await dial();
  proxy.swallowReplies({ closeOnHeal: true });
  spoiled.send('SET n 1');
  await executed('n', '1');
  await sleep(20);
  proxy.heal();
  await spoiled.closes();
  untouched.send('PING');
  await untouched.receives('+PONG\r\n');
});

it('blackhole: holds both directions and new connections, and releases all in order', async () => {
  const client = await dial();
  client.send('RPUSH order 0');
  await client.receives(':1\r\n');
  proxy.blackhole();
  for (let i = 1; i <= 20; i++) {
    client.send(`RPUSH order ${i}`);
    await sleep(1);
  }
  const young = await dial();
  young.send('SET young yes');
  await sleep(50);
  expect(client.received()).toBe(':1\r\n');
  expect(client.isClosed() || young.isClosed()).toBe(false);
  expect(await server.command('LLEN', 'order')).toBe(1);
  expect(await server.command('GET', 'young')).toBeNull();
  proxy.heal();
  await client.receives(Array.from({ length: 21 }, (_, i) => `:${i + 1}\r\n`).join(''));
  await young.receives('+OK\r\n');
  expect(await server.command('LRANGE', 'order', '0', '-1')).toEqual(
    Array.from({ length: 21 }, (_, i) => `${i}`),
  );
});

it('blackhole: holds replies that were on their way', async () => {
  const client = await dial();
  server.pause();
  client.send('INCR n');
  await sleep(20); // past the proxy
  proxy.blackhole();
  server.resume();
  await executed('n', '1');
  await sleep(20);
  expect(client.received()).toBe('');
  proxy.heal();
  await client.receives(':1\r\n');
});

it('blackhole: what a client sent arrives although it has closed since', async () => {
  const known = await dial();
  known.send('PING');
  await known.receives('+PONG\r\n');
  proxy.blackhole();
  const young = await dial();
  const reset = await dial();
  for (const client of [known, young, reset]) {
    client.send('INCR late');
    await sleep(10);
    if (client === reset) client.socket.resetAndDestroy();
    else client.socket.destroy();
  }
  await sleep(20);
  expect(await server.command('GET', 'late')).toBeNull();
  proxy.heal();
  await executed('late', '3');
  await waitFor(async () => !String(await server.command('CLIENT', 'LIST')).includes('cmd=incr'), {
    what: 'the connections to be closed at the server too',
  });
});

it('blackhole: hides that the server has died until heal()', async () => {
  await using mortal = await RedisServer.start({ appendOnly: 'no' });
  proxy.target = mortal;
  const client = await dial();
  client.send('PING');
  await client.receives('+PONG\r\n');
  proxy.blackhole();
  await mortal.kill();
  await sleep(20);
  expect(client.isClosed()).toBe(false);
  proxy.heal();
  await client.closes();
});

it('blackhole: what is released meets the next fault', async () => {
  const client = await dial();
  proxy.blackhole();
  client.send('INCR n');
  await sleep(20);
  proxy.cutReplies();
  await client.closes();
  await executed('n', '1');
});

it('deadConnections: present ones stay dead after heal(), new ones work', async () => {
  const dead = await dial();
  dead.send('PING');
  await dead.receives('+PONG\r\n');
  proxy.deadConnections();
  dead.send('INCR n');
  const young = await dial();
  young.send('PING');
  await young.receives('+PONG\r\n');
  proxy.heal();
  dead.send('INCR n');
  await sleep(30);
  expect(dead.received()).toBe('+PONG\r\n');
  expect(dead.isClosed()).toBe(false);
  expect(await server.command('GET', 'n')).toBeNull();
  // Nor does the server learn of it: it counts the dead one, the young one, and the one that asks.
  expect(
    String(await server.command('CLIENT', 'LIST'))
      .trim()
      .split('\n'),
  ).toHaveLength(3);
});

it('deadConnections: a reply that was on its way is lost too', async () => {
  const client = await dial();
  server.pause();
  client.send('INCR n');
  await sleep(20); // past the proxy
  proxy.deadConnections();
  server.resume();
  await executed('n', '1');
  await sleep(20);
  expect(client.received()).toBe('');
  expect(client.isClosed()).toBe(false);
});

it('latency: adds its time to a round trip once, and keeps the order also when it shrinks', async () => {
  const client = await dial();
  client.send('PING');
  let replies = '+PONG\r\n';
  await client.receives(replies);
  const durations: number[] = [];
  // A busy machine adds its own time, but not to each.
  for (let n = 0; n < 10 && (durations.length < 3 || Math.min(...durations) >= 155); n++) {
    proxy.latency(80);
    const startedAt = performance.now();
    client.send('RPUSH order a');
    await sleep(5);
    proxy.latency(0);
    client.send('RPUSH order b');
    replies += `:${2 * n + 1}\r\n:${2 * n + 2}\r\n`;
    await client.receives(replies);
    durations.push(performance.now() - startedAt);
  }
  const fastest = Math.min(...durations);
  expect(fastest).toBeGreaterThanOrEqual(79);
  expect(fastest).toBeLessThan(155);
  expect(await server.command('LRANGE', 'order', '0', '-1')).toEqual(durations.flatMap(() => ['a', 'b']));
});

it('garbage: replies are replaced by what no RESP parser reads, and the connection goes on after heal()', async () => {
  const client = await dial();
  proxy.garbage();
  client.send('SET n 1');
  await waitFor(() => client.received().endsWith('\r\n'), { what: 'garbage' });
  expect(client.received()).toMatch(/^[^-+:$*_#,(!=%~>|][0-9a-f]{16}\r\n$/);
  await executed('n', '1');
  await expect(new RespConnection({ port: proxy.port }).send('PING')).rejects.toThrow('No RESP2 type');
  proxy.heal();
  const before = client.received();
  client.send('INCR n');
  await client.receives(`${before}:2\r\n`);
});

it('garbage: heal() closes the connections that got some, if told to', async () => {
  const spoiled = await dial();
  const untouched = await dial();
  proxy.garbage({ closeOnHeal: true });
  spoiled.send('PING');
  await waitFor(() => spoiled.received(), { what: 'garbage' });
  proxy.heal();
  await spoiled.closes();
  untouched.send('PING');
  await untouched.receives('+PONG\r\n');
});

it('halfReplies: half a reply arrives, then the connection closes; the request was executed', async () => {
  await server.command('SET', 'text', 'abcdefghijkl');
  const client = await dial();
  proxy.halfReplies();
  client.send('GET text', 'INCR n');
  await client.closes();
  expect('$12\r\nabcdefghijkl\r\n:1\r\n'.startsWith(client.received())).toBe(true);
  expect(client.received().length).toBeGreaterThanOrEqual(9);
  expect(client.received().length).toBeLessThan(19);
  await executed('n', '1');
});

it('refuse: closes all, refuses new connections, and accept() listens on the same port', async () => {
  const client = await dial();
  await proxy.refuse();
  await client.closes();
  await expect(dial()).rejects.toThrow('ECONNREFUSED');
  expect(proxy.connections).toBe(0);
  await proxy.refuse();
  await proxy.accept();
  await proxy.accept();
  const young = await dial();
  young.send('PING');
  await young.receives('+PONG\r\n');
});

it('cutConnections: closes the present ones once, in any fault', async () => {
  const client = await dial();
  proxy.cutConnections();
  await client.closes();
  const young = await dial();
  young.send('PING');
  await young.receives('+PONG\r\n');
  proxy.blackhole();
  const held = await dial();
  proxy.cutConnections();
  await Promise.all([young.closes(), held.closes()]);
  expect(proxy.connections).toBe(0);
});

it('survives clients and servers that reset their connections', async () => {
  const listener = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.resetAndDestroy());
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  proxy.target = { port: (listener.address() as { port: number }).port, host: '127.0.0.1' };
  const reset = await dial();
  reset.send('PING');
  await reset.closes();
  const resetting = await dial();
  resetting.send('PING');
  resetting.socket.resetAndDestroy();
  await waitFor(() => proxy.connections === 0, { what: 'no connection' });
  listener.close();
});
