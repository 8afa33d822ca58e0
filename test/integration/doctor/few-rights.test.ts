import { expect, it } from 'vitest';
import { type DoctorTransport, diagnose } from '../../../src/doctor/index.js';
import { checkOf, connectThrough, startRedis, unwell } from '../../support/doctor.js';

/** A report by a user who has these rights. */
async function examineAs(...rules: readonly string[]) {
  return examineFor('streams', ...rules);
}

async function examineFor(transport: DoctorTransport, ...rules: readonly string[]) {
  const server = await startRedis({ args: ['--maxmemory-policy', 'allkeys-lru'] });
  await server.command('ACL', 'SETUSER', 'app', 'on', '>secret', ...rules);
  const report = await diagnose(`redis://app:secret@127.0.0.1:${server.port}`, { transport });
  expect(await server.command('DBSIZE')).toBeLessThanOrEqual(1);
  return report;
}

it('does without INFO, reads what it can from elsewhere, and skips the rest with the reason', async () => {
  const report = await examineAs('~*', '+@all', '-info');
  expect(checkOf(report, 'resources.memory')).toMatchObject({
    verdict: 'skipped',
    skipped: 'refused',
    value: 'This user may not use INFO',
  });
  expect(checkOf(report, 'configuration.eviction-policy')).toMatchObject({
    verdict: 'fail',
    value: 'allkeys-lru',
  });
  expect(checkOf(report, 'high-availability.role')).toMatchObject({ verdict: 'pass' });
  expect(report.coverage.refused).toBeGreaterThan(5);
  expect(report.coverage.made + report.coverage.refused).toBe(report.coverage.applicable);
});

it('does without CONFIG, as on managed services', async () => {
  const report = await examineAs('~*', '+@all', '-config', '-slowlog', '-latency');
  expect(checkOf(report, 'configuration.tcp-keepalive')).toMatchObject({
    verdict: 'skipped',
    skipped: 'refused',
  });
  expect(checkOf(report, 'configuration.persistence')).toMatchObject({
    verdict: 'skipped',
    skipped: 'refused',
  });
  expect(checkOf(report, 'logs.slow-commands')).toMatchObject({ verdict: 'skipped', skipped: 'refused' });
  // Whether the monitor is on is not known: its silence is no pass.
  const withLatency = await examineAs('~*', '+@all', '-config');
  expect(checkOf(withLatency, 'logs.latency-events')).toMatchObject({
    verdict: 'skipped',
    skipped: 'refused',
  });
  expect(checkOf(report, 'configuration.eviction-policy')).toMatchObject({
    verdict: 'fail',
    value: 'allkeys-lru',
  });
  expect(checkOf(report, 'resources.memory').verdict).toBe('pass');
});

it('does with a server that does not have CONFIG at all', async () => {
  const server = await startRedis({ args: ['--rename-command', 'CONFIG', ''] });
  const report = await diagnose({ port: server.port });
  expect(checkOf(report, 'configuration.tcp-keepalive')).toMatchObject({
    verdict: 'skipped',
    value: 'This server does not offer CONFIG GET',
  });
});

it('passes with the minimal rights that it prints, and says what it could not look at', async () => {
  const { minimalAcl } = await examineAs('+ping');
  const report = await examineAs('-@all', ...minimalAcl.split(' '));
  expect(checkOf(report, 'connection.first-command').verdict).toBe('pass');
  expect(checkOf(report, 'connection.write').verdict).toBe('pass');
  expect(checkOf(report, 'connection.rights').verdict).toBe('pass');
  expect(unwell(report)).toEqual([]);
  expect(report.coverage.refused).toBeGreaterThan(15);
});

it('sees everything with the advisory rights that it prints', async () => {
  const { minimalAcl, advisoryAcl } = await examineAs('+ping');
  const report = await examineAs('-@all', ...`${minimalAcl} ${advisoryAcl}`.split(' '));
  expect(report.coverage.refused).toBe(0);
});

it.each(['xadd', 'bitfield', 'zrem', 'evalsha', 'time'])(
  'fails a user who may not %s, which the library needs',
  async (command) => {
    const report = await examineAs('~*', '+@all', `-${command}`);
    expect(checkOf(report, 'connection.rights')).toMatchObject({
      verdict: 'fail',
      value: `denied: ${command}`,
    });
  },
);

it.each(['rq', 'bullmq'] as const)(
  'asks for the rights of the transport for %s, and no others',
  async (transport) => {
    const { minimalAcl } = await examineFor(transport, '+ping');
    const rules = minimalAcl.split(' ');
    expect(minimalAcl).not.toContain('xadd');
    const well = await examineFor(transport, '-@all', ...rules);
    expect(checkOf(well, 'connection.rights').verdict).toBe('pass');
    for (const rule of rules.filter((one) => one.startsWith('+') && !/\+(eval|evalsha|set|get)$/.test(one))) {
      const report = await examineFor(transport, '-@all', ...rules, rule.replace('+', '-'));
      expect(checkOf(report, 'connection.rights').value).toBe(`denied: ${rule.slice(1)}`);
    }
    const elsewhere = await examineFor(transport, '-@all', ...rules, 'resetkeys', '~rsq:*');
    expect(checkOf(elsewhere, 'connection.rights').verdict).toBe('fail');
  },
);

it('tells commands that a server does not have from those that are denied', async () => {
  const rename = ['xadd', 'bitfield'].flatMap((name) => ['--rename-command', name, '']);
  const server = await startRedis({ args: rename });
  await server.command('ACL', 'SETUSER', 'app', 'on', '>secret', '~*', '+@all', '-zrem');
  const report = await diagnose(`redis://app:secret@127.0.0.1:${server.port}`);
  const { value, remedy } = checkOf(report, 'connection.rights');
  expect(value).toBe('denied: zrem; not offered: bitfield xadd');
  expect(remedy).toMatch(/^Use a Redis.* ACL SETUSER/);
  expect(await server.command('KEYS', '*')).toEqual(['rsq:{doctor}:canary']);
});

it('makes no key, although its canary be gone when a server that hung executes what was asked', async () => {
  const server = await startRedis();
  const connection = await connectThrough(server.port, async (args, send) => {
    if (args.some((arg) => /^[SLR](ADD|PUSH)$/.test(String(arg)))) {
      await server.command('DEL', 'rsq:{doctor}:canary');
    }
    return send();
  });
  const report = await diagnose(connection, { transport: 'rq' });
  expect(checkOf(report, 'connection.rights')).toMatchObject({ verdict: 'pass', value: '16 commands' });
  expect(await server.command('KEYS', '*')).toEqual([]);
});

it('lists no more than EVAL where that is what a user may not', async () => {
  const report = await examineFor('rq', '~*', '+@all', '-eval');
  expect(checkOf(report, 'connection.rights').value).toBe('denied: eval');
});

it('fails a user who may not touch the keys of the queue', async () => {
  const report = await examineAs('~other:*', '+@all');
  expect(checkOf(report, 'connection.write')).toMatchObject({ verdict: 'fail', value: 'refused: noperm' });
  expect(checkOf(report, 'connection.rights').verdict).toBe('fail');
});

it('writes beside the keys of a named queue, where a user may touch no others', async () => {
  const server = await startRedis();
  await server.command('ACL', 'SETUSER', 'app', 'on', '>secret', '~rsq:{orders}:*', '+@all');
  const url = `redis://app:secret@127.0.0.1:${server.port}`;
  const report = await diagnose(url, { queueName: 'orders' });
  expect(checkOf(report, 'connection.rights').verdict).toBe('pass');
  expect(await server.command('KEYS', '*')).toEqual(['rsq:{orders}:canary']);
});

it.each(['rq', 'bullmq'] as const)('tries the rights of %s on no job of anybody', async (transport) => {
  const server = await startRedis();
  const keys = ['rq:orders:none', 'bull:orders:none', 'rsq:{orders}:canary:none'];
  for (const key of keys) await server.command('HSET', key, 'data', '{}');
  await diagnose({ port: server.port }, { transport, queueName: 'orders' });
  expect(await server.command('EXISTS', ...keys)).toBe(3);
  for (const key of keys) expect(await server.command('PTTL', key)).toBe(-1);
});
