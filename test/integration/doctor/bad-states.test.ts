import { mkdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { diagnose } from '../../../src/doctor/index.js';
import { checkOf, connectThrough, failed, startRedis, unwell } from '../../support/doctor.js';
import { FaultProxy } from '../../support/fault-proxy.js';
import type { RedisServer } from '../../support/redis-server.js';
import { waitFor } from '../../support/wait-for.js';

const examine = ({ port }: RedisServer) => diagnose({ port }, { timeoutMs: 3000 });

async function infoOf(server: RedisServer, field: string): Promise<string | undefined> {
  const info = String(await server.command('INFO'));
  return new RegExp(`^${field}:(.*?)\r?$`, 'm').exec(info)?.[1];
}

async function startReplicaOf(primary: RedisServer): Promise<RedisServer> {
  const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(primary.port)] });
  await waitFor(async () => (await infoOf(replica, 'master_link_status')) === 'up', {
    what: 'the replica to be linked',
    timeoutMs: 20_000,
  });
  // The primary counts it once it has heard that the replica has its data: up to a second later.
  await waitFor(async () => /state=online/.test((await infoOf(primary, 'slave0')) ?? ''), {
    what: 'the primary to count it',
  });
  return replica;
}

describe('the doctor finds', () => {
  it('nothing wrong with a Redis as it should be', async () => {
    const args = ['--maxmemory', '100mb', '--repl-diskless-sync-delay', '0'];
    const primary = await startRedis({
      appendOnly: 'yes',
      args: [...args, '--appendfsync', 'everysec', '--min-replicas-to-write', '1'],
    });
    await startReplicaOf(primary);
    const report = await examine(primary);
    expect(unwell(report)).toEqual([]);
    expect(report).toMatchObject({ reached: true, coverage: { refused: 0 } });
    expect(report.coverage.made).toBe(report.coverage.applicable);
  });

  it.each(['allkeys-lru', 'volatile-ttl'])('an evicting policy: %s', async (policy) => {
    const report = await examine(await startRedis({ args: ['--maxmemory-policy', policy] }));
    expect(checkOf(report, 'configuration.eviction-policy')).toMatchObject({
      verdict: 'fail',
      value: policy,
    });
    expect(report.verdict).toBe('fail');
  });

  it('that Redis has thrown keys away', async () => {
    const server = await startRedis({ args: ['--maxmemory', '3mb', '--maxmemory-policy', 'allkeys-lru'] });
    for (let n = 0; n < 40; n++) await server.command('SET', `key-${n}`, 'x'.repeat(100_000));
    expect(checkOf(await examine(server), 'resources.evicted-keys').verdict).toBe('warn');
  });

  it('memory that is full to 95 %', async () => {
    const server = await startRedis();
    await server.command('SET', 'ballast', 'x'.repeat(20 * 1024 * 1024));
    const limit = Math.round(Number(await infoOf(server, 'used_memory')) / 0.95);
    await server.command('CONFIG', 'SET', 'maxmemory', String(limit));
    const report = await examine(server);
    expect(checkOf(report, 'resources.memory').verdict).toBe('fail');
    expect(checkOf(report, 'resources.memory').observed).toBeGreaterThan(0.94);
    expect(checkOf(report, 'connection.write').verdict).toBe('pass');
  });

  it('memory that is full', async () => {
    const server = await startRedis();
    await server.command('CONFIG', 'SET', 'maxmemory', '1000');
    const report = await examine(server);
    expect(checkOf(report, 'connection.write')).toMatchObject({ verdict: 'fail', value: 'refused: oom' });
    expect(checkOf(report, 'connection.rights').verdict).toBe('pass');
  });

  it('slow commands, and keeps their arguments to itself', async () => {
    const server = await startRedis({ args: ['--latency-monitor-threshold', '100'] });
    await server.command('EVAL', 'for i = 1, 1e7 do end return ARGV[1]', '0', 'a-secret');
    await server.command('DEBUG', 'SLEEP', '0.15').catch(async () => {
      // DEBUG has to be allowed since Redis 7.
      await server.restart(['--enable-debug-command', 'yes', '--latency-monitor-threshold', '100']);
      await server.command('DEBUG', 'SLEEP', '0.15');
    });
    await server.command('EVAL', 'for i = 1, 1e7 do end return ARGV[1]', '0', 'a-secret');
    const report = await examine(server);
    expect(checkOf(report, 'logs.slow-commands')).toMatchObject({ verdict: 'warn' });
    expect(checkOf(report, 'logs.slow-commands').value).toMatch(/EVAL|DEBUG/);
    expect(checkOf(report, 'logs.latency-events')).toMatchObject({ verdict: 'warn' });
    expect(JSON.stringify(report)).not.toMatch(/a-secret/i);
  });

  it.each([
    ['slowlog-log-slower-than', '-1'],
    ['slowlog-log-slower-than', '50000'],
    ['slowlog-max-len', '0'],
  ])('no comfort in a slow log that keeps nothing: %s %s', async (setting, value) => {
    const server = await startRedis();
    // On a busy machine INFO itself may be slow.
    expect(checkOf(await examine(server), 'logs.slow-commands').verdict).toMatch(/pass|warn/);
    await server.command('CONFIG', 'SET', setting, value);
    await server.command('SLOWLOG', 'RESET');
    expect(checkOf(await examine(server), 'logs.slow-commands').skipped).toBe('not-applicable');
  });

  it('slow commands behind many that were not', async () => {
    const server = await startRedis();
    await server.command('EVAL', 'for i = 1, 1e7 do end', '0');
    await server.command('CONFIG', 'SET', 'slowlog-log-slower-than', '0');
    for (let n = 0; n < 40; n++) await server.command('PING');
    expect(checkOf(await examine(server), 'logs.slow-commands').verdict).toBe('warn');
  });

  it('writes that are paused, although PING is answered', async () => {
    const server = await startRedis();
    await server.command('CLIENT', 'PAUSE', '60000', 'WRITE');
    const report = await diagnose({ port: server.port }, { timeoutMs: 300 });
    expect(checkOf(report, 'connection.first-command').verdict).toBe('pass');
    const { verdict, value, remedy } = checkOf(report, 'connection.write');
    expect(verdict).toBe('fail');
    expect(value).toMatch(/^not answered after \d+/);
    expect(remedy).toContain('CLIENT UNPAUSE');
    await server.command('CLIENT', 'UNPAUSE');
  });

  it('no persistence, and snapshots only', async () => {
    const server = await startRedis();
    expect(checkOf(await examine(server), 'configuration.persistence').verdict).toBe('fail');
    await server.command('CONFIG', 'SET', 'save', '3600 1');
    expect(checkOf(await examine(server), 'configuration.persistence').verdict).toBe('warn');
    await server.command('CONFIG', 'SET', 'appendonly', 'yes');
    expect(checkOf(await examine(server), 'configuration.persistence').verdict).toBe('pass');
  });

  it('no persistence, with a remedy that keeps what is there', async () => {
    const server = await startRedis();
    await server.command('SET', 'a', 'b');
    const { remedy = '' } = checkOf(await examine(server), 'configuration.persistence');
    // As it says, in its order.
    const said =
      /^(CONFIG SET \S+ \S+) while Redis runs, and only when INFO persistence has 0 for (\S+) and (\S+) write it/;
    const [, command = '', ...fields] = said.exec(remedy) ?? [];
    await server.command(...command.split(' '));
    const isWritten = async () =>
      (await Promise.all(fields.map((field) => infoOf(server, field)))).every((value) => value === '0');
    await waitFor(isWritten, { what: 'the file to be written' });
    await server.restart(['--appendonly', 'yes']);
    expect(await server.command('GET', 'a')).toBe('b');
    expect(checkOf(await examine(server), 'configuration.persistence').verdict).toBe('pass');
  });

  it('a snapshot that failed, for which Redis refuses writes', async () => {
    const server = await startRedis();
    await server.command('CONFIG', 'SET', 'save', '3600 1');
    await server.command('SET', 'a', 'b');
    // Where the snapshot is to be put there is something else.
    await mkdir(join(server.directory, 'dump.rdb'));
    await server.command('BGSAVE');
    await waitFor(async () => (await infoOf(server, 'rdb_last_bgsave_status')) === 'err', {
      what: 'the snapshot to fail',
    });
    const report = await examine(server);
    expect(checkOf(report, 'configuration.persistence-health').verdict).toBe('fail');
    expect(checkOf(report, 'connection.write')).toMatchObject({ verdict: 'fail', value: 'refused: misconf' });
  });

  it('a replica, which takes no writes, and one that has lost its primary', async () => {
    const primary = await startRedis({ args: ['--repl-diskless-sync-delay', '0'] });
    const replica = await startReplicaOf(primary);
    const report = await examine(replica);
    expect(checkOf(report, 'high-availability.role').verdict).toBe('fail');
    expect(checkOf(report, 'connection.write')).toMatchObject({
      verdict: 'fail',
      value: 'refused: readonly',
    });
    expect(checkOf(report, 'high-availability.primary-link').verdict).toBe('pass');

    await primary.kill();
    await waitFor(async () => (await infoOf(replica, 'master_link_status')) === 'down', {
      what: 'the replica to notice',
    });
    expect(checkOf(await examine(replica), 'high-availability.primary-link').verdict).toBe('fail');
  });

  it('a replica that lags, one that is gone, and writes that wait for it', async () => {
    const args = ['--repl-diskless-sync-delay', '0', '--min-replicas-max-lag', '1'];
    const primary = await startRedis({ args });
    const replica = await startReplicaOf(primary);
    const first = await examine(primary);
    expect(checkOf(first, 'high-availability.replicas').verdict).toBe('pass');
    expect(checkOf(first, 'high-availability.min-replicas-to-write').verdict).toBe('warn');

    replica.pause();
    await waitFor(async () => Number(/lag=(\d+)/.exec((await infoOf(primary, 'slave0')) ?? '')?.[1]) > 1, {
      what: 'the replica to lag',
    });
    expect(checkOf(await examine(primary), 'high-availability.replica-lag').verdict).toBe('warn');

    await replica.stop();
    await waitFor(async () => (await infoOf(primary, 'connected_slaves')) === '0', {
      what: 'the primary to notice',
    });
    expect(checkOf(await examine(primary), 'high-availability.replicas').verdict).toBe('warn');

    await primary.command('CONFIG', 'SET', 'min-replicas-to-write', '1');
    const last = await examine(primary);
    expect(checkOf(last, 'high-availability.min-replicas-to-write').verdict).toBe('fail');
    expect(checkOf(last, 'connection.write').value).toBe('refused: noreplicas');
  });

  it('clients that are nearly at the limit, and connections that were turned away', async () => {
    const server = await startRedis({ args: ['--maxclients', '100'] });
    const sockets = Array.from({ length: 92 }, () => connect(server.port, '127.0.0.1').on('error', () => {}));
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
    });
    await waitFor(async () => Number(await infoOf(server, 'connected_clients')) >= 92, {
      what: 'the clients to be connected',
    });
    expect(checkOf(await examine(server), 'resources.clients')).toMatchObject({ verdict: 'fail' });
    expect(failed(await examine(server))).toContain('resources.clients');

    const more = Array.from({ length: 20 }, () => connect(server.port, '127.0.0.1').on('error', () => {}));
    await waitFor(
      () =>
        server
          .command('PING')
          .catch(String)
          .then((text) => /max number/.test(String(text))),
      {
        what: 'somebody to be turned away',
      },
    );
    for (const socket of [...more, ...sockets.slice(0, 50)]) socket.destroy();
    await waitFor(async () => Number(await infoOf(server, 'connected_clients')) <= 60, {
      what: 'the clients to be gone',
    });
    expect(checkOf(await examine(server), 'resources.rejected-connections').verdict).toBe('warn');
  });

  it('a connection that is closed when it is idle, and dead ones that are kept', async () => {
    const report = await examine(await startRedis({ args: ['--timeout', '5', '--tcp-keepalive', '0'] }));
    expect(checkOf(report, 'configuration.idle-timeout').verdict).toBe('warn');
    expect(checkOf(report, 'configuration.tcp-keepalive').verdict).toBe('warn');
  });

  it.each([
    { ms: 20, verdict: 'warn' },
    { ms: 60, verdict: 'fail' },
  ])('a way to Redis that takes $ms ms', async ({ ms, verdict }) => {
    const server = await startRedis();
    const proxy = await FaultProxy.start({ port: server.port });
    onTestFinished(() => proxy.stop());
    proxy.latency(ms);
    const report = await diagnose({ port: proxy.port });
    expect(checkOf(report, 'network.round-trip').verdict).toBe(verdict);
    expect(checkOf(report, 'network.round-trip').observed).toBeGreaterThanOrEqual(ms - 1);
  });

  it('errors that Redis has answered with', async () => {
    const server = await startRedis({ args: ['--requirepass', 'secret'] });
    await server.command('PING').catch(() => {});
    const report = await diagnose(`redis://:secret@127.0.0.1:${server.port}`);
    expect(checkOf(report, 'logs.error-replies')).toMatchObject({ verdict: 'warn' });
    expect(checkOf(report, 'logs.error-replies').value).toContain('NOAUTH');
  });
});

it('waits once for a server that stops to answer halfway, not once a check', async () => {
  const server = await startRedis();
  const connection = await connectThrough(server.port, (args, send) => {
    if (args[0] === 'SLOWLOG') server.pause();
    return send();
  });
  const report = await diagnose(connection, { timeoutMs: 500 });
  expect(checkOf(report, 'resources.memory').verdict).toBe('pass');
  expect(checkOf(report, 'logs.slow-commands')).toMatchObject({ verdict: 'skipped', skipped: 'unreachable' });
  expect(checkOf(report, 'network.clock')).toMatchObject({ verdict: 'skipped', skipped: 'unreachable' });
  expect(report.durationMs).toBeLessThan(2500);
});
