import { expect, it } from 'vitest';
import { waitFor } from '../support/wait-for.js';
import { Child } from './support/child.js';

const server = /redis-server (?:runs|started again) \(pid (\d+)\)/;

const isAlive = (pid: string) => {
  try {
    return process.kill(Number(pid), 0);
  } catch {
    return false;
  }
};

it('plays every outage and ends with a clean ledger', async () => {
  await using demo = new Child('scripts/demo.ts', { args: ['--seconds', '8'] });
  const { code } = await demo.ended;
  expect(code, demo.output).toBe(0);
  for (const told of [
    'kill -9',
    'started again',
    'kill -STOP',
    'kill -CONT',
    'breaker open',
    'breaker closed',
  ]) {
    expect(demo.output).toContain(told);
  }
  expect(demo.output).toMatch(/replayed [\d,]+ jobs/);
  const figure = (name: string) =>
    Number(demo.all(new RegExp(`^ {2}${name} +([\\d,]+)`, 'm'))[0]?.replaceAll(',', ''));
  expect(figure('accepted')).toBeGreaterThan(6000);
  expect(figure('delivered')).toBe(figure('accepted'));
  expect(['lost', 'doubled', 'rejected'].map(figure)).toEqual([0, 0, 0]);
  expect(demo.output).not.toContain('unsettled');
  expect(figure('worst enqueue\\(\\)')).toBeLessThan(2500);
  expect(demo.output).toContain('every accepted job stands in its stream exactly once');
  expect(demo.output, 'plain lines where nobody watches').not.toContain('\x1b');
  for (const pid of demo.all(server)) expect(isAlive(pid)).toBe(false);
});

it('takes Redis with it when it is interrupted', async () => {
  await using demo = new Child('scripts/demo.ts', { args: ['--seconds', '8'] });
  const [, pid] = await demo.printed(server);
  demo.signal('SIGINT');
  expect((await demo.ended).code).toBe(130);
  await waitFor(() => !isAlive(pid as string), { what: 'redis-server to be gone' });
});

it('says what --seconds may be', async () => {
  await using demo = new Child('scripts/demo.ts', { args: ['--seconds', 'many'] });
  expect((await demo.ended).code).toBe(2);
  expect(demo.output).toContain('--seconds must be a number from 8 to 20, got "many"');
});

it('says in one line that there is no Redis', async () => {
  await using demo = new Child('scripts/demo.ts', { env: { REDIS_SERVER: '/nowhere' } });
  expect((await demo.ended).code).toBe(1);
  expect(demo.output.trim().split('\n')).toEqual([expect.stringContaining('REDIS_SERVER is "/nowhere"')]);
});
