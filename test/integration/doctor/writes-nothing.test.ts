import { expect, it } from 'vitest';
import { diagnose } from '../../../src/doctor/index.js';
import { startRedis } from '../../support/doctor.js';
import type { RedisServer } from '../../support/redis-server.js';

/** How often each command was called. */
async function callsOf(server: RedisServer): Promise<ReadonlyMap<string, number>> {
  const stats = String(await server.command('INFO', 'commandstats'));
  return new Map(
    [...stats.matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm)].map(([, name, n]) => [name as string, Number(n)]),
  );
}

it('writes one key that expires, changes no other and no setting, and leaves no client', async () => {
  const server = await startRedis({ appendOnly: 'no' });
  await server.command('SET', 'a', 'text');
  await server.command('XADD', 'rsq:{orders}:jobs', '*', 'id', '1');
  await server.command('ZADD', 'rsq:{orders}:epochs', '1', 'epoch');
  const dumps = () =>
    Promise.all(['a', 'rsq:{orders}:jobs', 'rsq:{orders}:epochs'].map((key) => server.command('DUMP', key)));
  const [before, settings, calls] = [
    await dumps(),
    await server.command('CONFIG', 'GET', '*'),
    await callsOf(server),
  ];

  const report = await diagnose({ port: server.port }, { queueName: 'orders' });
  expect(report.reached).toBe(true);

  expect(await dumps()).toEqual(before);
  expect(await server.command('CONFIG', 'GET', '*')).toEqual(settings);
  expect(await server.command('DBSIZE')).toBe(4);
  const ttl = Number(await server.command('PTTL', 'rsq:{orders}:canary'));
  expect(ttl).toBeGreaterThan(0);
  expect(ttl).toBeLessThanOrEqual(60_000);
  const changes = Number(/rdb_changes_since_last_save:(\d+)/.exec(String(await server.command('INFO')))?.[1]);
  expect(changes).toBe(4); // three of ours, and the canary

  const after = await callsOf(server);
  const used = [...after.keys()].filter((name) => (after.get(name) ?? 0) > (calls.get(name) ?? 0));
  expect(used).not.toEqual(expect.arrayContaining(['monitor']));
  expect(
    used.filter((name) => /^(keys|scan|monitor|config\|set|flush|del|client\|kill|debug)/.test(name)),
  ).toEqual([]);
  expect(
    String(await server.command('CLIENT', 'LIST'))
      .trim()
      .split('\n'),
  ).toHaveLength(1);
});
