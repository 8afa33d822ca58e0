import { expect, it } from 'vitest';
import { diagnose, formatReport } from '../../../src/doctor/index.js';
import { checkOf, connectThrough, startRedis, unwell } from '../../support/doctor.js';
import type { RedisServer } from '../../support/redis-server.js';
import { startSentinels } from '../../support/sentinels.js';
import { waitFor } from '../../support/wait-for.js';

it('tells Sentinels with a quorum from those without one, and a primary that is down', async () => {
  const primary = await startRedis();
  const [first, second, third] = await startSentinels(3, primary.port, 2);
  if (!first || !second || !third) throw new Error('three were started');
  const examine = () => diagnose({ port: first.port });
  // On a busy machine a Sentinel takes others for dead, and back, before it has read what they said.
  const untilItSays = async (id: string, verdict: 'pass' | 'fail') => {
    let report = await examine();
    await waitFor(
      async () => {
        if (checkOf(report, id).verdict !== verdict) report = await examine();
        return checkOf(report, id).verdict === verdict;
      },
      { what: `${id} to ${verdict}`, timeoutMs: 20_000 },
    );
    return report;
  };
  const well = await untilItSays('high-availability.sentinel-quorum', 'pass');
  expect(checkOf(well, 'high-availability.sentinels')).toMatchObject({ verdict: 'pass', value: '3' });
  expect(checkOf(well, 'high-availability.watched-primary').verdict).toBe('pass');
  // A Sentinel holds no jobs: there is nothing else to look at.
  expect(well.scope).toBe('sentinel');
  expect(unwell(well)).toEqual([]);

  await second.kill();
  await third.kill();
  const without = await untilItSays('high-availability.sentinel-quorum', 'fail');
  expect(checkOf(without, 'high-availability.sentinels').verdict).toBe('pass'); // it still counts the dead

  await primary.kill();
  await untilItSays('high-availability.watched-primary', 'fail');
});

it('warns of a Sentinel that is alone', async () => {
  const primary = await startRedis();
  const [only] = await startSentinels(1, primary.port, 1);
  const report = await diagnose({ port: only?.port });
  expect(checkOf(report, 'high-availability.sentinels').verdict).toBe('warn');
});

it('says that a Sentinel did not answer, instead of that it has no quorum', async () => {
  const primary = await startRedis();
  const [only] = await startSentinels(1, primary.port, 1);
  if (!only) throw new Error('one was started');
  const connection = await connectThrough(only.port, (args, send) => {
    if (args[1] === 'CKQUORUM') only.pause();
    return send();
  });
  const report = await diagnose(connection, { timeoutMs: 500 });
  expect(checkOf(report, 'high-availability.sentinels').verdict).toBe('warn');
  expect(checkOf(report, 'high-availability.sentinel-quorum')).toMatchObject({
    ...{ verdict: 'skipped', skipped: 'unreachable', value: 'Redis did not answer' },
  });
  expect(report.verdict).toBe('fail');
});

it('knows a Sentinel that may not be asked for INFO', async () => {
  const primary = await startRedis();
  const [only] = await startSentinels(1, primary.port, 1);
  await only?.command('ACL', 'SETUSER', 'default', '-info');
  const report = await diagnose({ port: only?.port });
  expect(checkOf(report, 'high-availability.sentinel-quorum').verdict).toBe('pass');
  expect(checkOf(report, 'connection.write')).toMatchObject({ skipped: 'not-applicable' });
});

it('knows a Sentinel of Valkey, whose INFO has another name for it', async () => {
  const primary = await startRedis();
  const [only] = await startSentinels(1, primary.port, 1);
  const connection = await connectThrough(only?.port ?? 0, async (_, send) => {
    const reply = await send();
    return typeof reply === 'string' ? reply.replace('redis_mode:', 'server_mode:') : reply;
  });
  const report = await diagnose(connection);
  expect(checkOf(report, 'high-availability.sentinel-quorum').verdict).toBe('pass');
});

it('finds a slot of a cluster that nobody serves, and a node that has failed', async () => {
  const args = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '1000'];
  const nodes: RedisServer[] = [];
  for (let n = 0; n < 3; n++) nodes.push(await startRedis({ args }));
  const [first, second, third] = nodes as [RedisServer, RedisServer, RedisServer];
  const ranges = [
    [0, 5000],
    [5001, 10_000],
    [10_001, 16_382],
  ] as const;
  for (const [at, node] of nodes.entries()) {
    const [low, high] = ranges[at] as (typeof ranges)[number];
    // One by one: ADDSLOTSRANGE is of Redis 7.
    const slots = Array.from({ length: high - low + 1 }, (_, n) => String(low + n));
    await node.command('CLUSTER', 'ADDSLOTS', ...slots);
    if (node !== first) await node.command('CLUSTER', 'MEET', '127.0.0.1', String(first.port));
  }
  const infoSays = (node: RedisServer, ...patterns: RegExp[]) =>
    waitFor(
      async () => {
        const info = String(await node.command('CLUSTER', 'INFO'));
        return patterns.every((pattern) => pattern.test(info));
      },
      { what: `CLUSTER INFO to say ${patterns}`, timeoutMs: 30_000 },
    );
  await infoSays(first, /cluster_slots_assigned:16383/, /cluster_known_nodes:3/, /cluster_state:fail/);
  const missing = await diagnose({ port: first.port });
  expect(checkOf(missing, 'high-availability.cluster-state').verdict).toBe('fail');
  expect(checkOf(missing, 'high-availability.cluster-slots')).toMatchObject({
    verdict: 'fail',
    value: '1 not assigned, 0 failing',
  });

  await third.command('CLUSTER', 'ADDSLOTS', '16383');
  await infoSays(first, /cluster_state:ok/);
  const well = await diagnose({ port: first.port });
  expect(checkOf(well, 'high-availability.cluster-state').verdict).toBe('pass');
  expect(checkOf(well, 'high-availability.cluster-slots').verdict).toBe('pass');

  expect(well.scope).toBe('cluster-node');
  // The canary of "doctor" has a slot of the second node's.
  expect(await first.command('CLUSTER', 'KEYSLOT', 'rsq:{doctor}:canary')).toBe(9883);
  expect(checkOf(well, 'connection.write')).toMatchObject({ verdict: 'skipped', skipped: 'elsewhere' });
  expect(well.coverage).toMatchObject({ refused: 0, made: well.coverage.applicable - 1 });
  expect(formatReport(well)).toMatch(/– Takes a write +Its slot is another node's/);
  const there = await diagnose({ port: second.port });
  expect(checkOf(there, 'connection.write')).toMatchObject({ verdict: 'pass' });

  const replica = await startRedis({ args });
  await replica.command('CLUSTER', 'MEET', '127.0.0.1', String(first.port));
  const id = String(await first.command('CLUSTER', 'MYID'));
  await waitFor(async () => String(await replica.command('CLUSTER', 'NODES')).includes(id), {
    what: 'the replica to know its primary',
  });
  await replica.command('CLUSTER', 'REPLICATE', id);
  const ofReplica = await diagnose({ port: replica.port });
  expect(checkOf(ofReplica, 'high-availability.role')).toMatchObject({
    ...{ verdict: 'pass', value: 'replica, in a cluster' },
  });

  await second.kill();
  await infoSays(first, /cluster_state:fail/, /cluster_slots_fail:5000/);
  const failedNode = await diagnose({ port: first.port });
  expect(checkOf(failedNode, 'high-availability.cluster-slots').value).toBe('0 not assigned, 5000 failing');
});
