import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { CommandIo } from '../../../src/cli/command.js';
import { doctorCommand } from '../../../src/cli/doctor-command.js';
import { run } from '../../../src/cli/run.js';
import type { DoctorReport } from '../../../src/doctor/index.js';
import { startRedis } from '../../support/doctor.js';
import { freePort } from '../../support/free-port.js';
import { temporaryFolder } from '../../unit/support/temporary-folder.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const tsx = join(root, 'node_modules/tsx/dist/cli.mjs');

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** The command as a process of its own. */
function shell(...args: string[]): Promise<Outcome> {
  const env = { ...process.env, REDIS_URL: '', NO_COLOR: '1' };
  return new Promise((resolve) => {
    execFile(process.execPath, [tsx, join(root, 'src/cli/main.ts'), ...args], { env }, (error, out, err) => {
      resolve({ code: error ? Number(error.code) : 0, out, err });
    });
  });
}

/** The exit code where nobody reads what is printed. */
async function unread(...args: string[]): Promise<unknown> {
  const child = spawn(process.execPath, [tsx, join(root, 'src/cli/main.ts'), ...args]);
  child.stdout.destroy();
  child.stderr.destroy();
  return (await once(child, 'exit'))[0];
}

/** The command inside this process. */
async function call(args: readonly string[], env: CommandIo['env'] = {}): Promise<Outcome> {
  let out = '';
  let err = '';
  const code = await run([doctorCommand], '1.2.3', args, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    ...{ env, hasColours: false },
  });
  return { code, out, err };
}

describe('resilient-queue, in a shell', () => {
  it('answers 0 when there are only warnings, and 1 to the strict', async () => {
    const server = await startRedis({ appendOnly: 'yes' });
    const url = `redis://127.0.0.1:${server.port}`;
    const lenient = await shell('doctor', url);
    expect(lenient).toMatchObject({ code: 0, err: '' });
    expect(lenient.out).toMatch(/It works, with warnings: 0 failed, [34] warned, \d+ passed/);
    expect((await shell('doctor', '--strict', url)).code).toBe(1);
  });

  it('answers 1 when something fails, with a report that a program can read', async () => {
    const server = await startRedis({ args: ['--maxmemory-policy', 'allkeys-lru'] });
    const { code, out, err } = await shell('doctor', `redis://127.0.0.1:${server.port}`, '--json');
    expect({ code, err }).toEqual({ code: 1, err: '' });
    const report = JSON.parse(out) as DoctorReport;
    expect(report).toMatchObject({ version: 1, verdict: 'fail', reached: true });
    expect(report.checks.find(({ id }) => id === 'configuration.eviction-policy')?.verdict).toBe('fail');
  });

  it('answers 1 when Redis cannot be reached, and says why', async () => {
    const { code, out } = await shell('doctor', `127.0.0.1:${await freePort()}`);
    expect(code).toBe(1);
    expect(out).toContain('the port refuses connections');
    expect(out).toContain('Redis was not reached');
  });

  it('answers 2 when it is called wrongly, with a hint', async () => {
    expect(await shell('doktor')).toMatchObject({ code: 2, out: '' });
    expect((await shell('doktor')).err).toContain('Known: doctor');
    expect((await shell()).code).toBe(2);
  });

  it('ends as ever where nobody reads any more, as behind 2>&1 | head', async () => {
    expect(await unread('doctor', '--help')).toBe(0);
    expect(await unread('doctor', '--colour')).toBe(2);
  });

  it('helps', async () => {
    expect(await shell('--help')).toMatchObject({ code: 0, err: '' });
    const { code, out } = await shell('doctor', '--help');
    expect(code).toBe(0);
    expect(out).toContain('--strict');
    expect((await shell('--version')).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('resilient-queue doctor', () => {
  it.each([
    { what: 'no URL', args: [], says: 'Which Redis?' },
    { what: 'two URLs', args: ['a', 'b'], says: 'One URL at a time' },
    { what: 'an option that is none', args: ['--jsn', 'localhost'], says: "Unknown option '--jsn'" },
    { what: 'an option that has a URL in it', args: ['--redis://:secret@host'], says: 'Unknown option.\n' },
    {
      what: 'a timeout that is none',
      args: ['--timeout', 'soon', 'localhost'],
      says: '--timeout takes a number',
    },
    {
      what: 'a timeout that is too long',
      args: ['--timeout', '1e12', 'localhost'],
      says: 'timeoutMs must be',
    },
    {
      what: 'a queue that can be none',
      args: ['--queue', '{a}', 'localhost'],
      says: "The queue's name must be",
    },
    { what: 'a queue without a name', args: ['--queue', '', 'localhost'], says: "The queue's name must be" },
    { what: 'an unknown transport', args: ['--transport', 'post', 'localhost'], says: 'streams, rq, bullmq' },
    { what: 'another protocol', args: ['http://localhost'], says: 'must begin with redis://' },
  ])('answers 2 to $what', async ({ args, says }) => {
    const { code, out, err } = await call(['doctor', ...args]);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(says);
    expect(err).not.toContain('secret');
    expect(err).toContain('See: resilient-queue doctor --help');
  });

  it('takes the URL from REDIS_URL, and the queue whose keys it may touch', async () => {
    const server = await startRedis({ appendOnly: 'yes' });
    const env = { REDIS_URL: `redis://127.0.0.1:${server.port}` };
    expect((await call(['doctor', '--queue', 'orders'], env)).code).toBe(0);
    expect(await server.command('EXISTS', 'rsq:{orders}:canary')).toBe(1);
  });

  it('speaks TLS when asked to, and shows the target only then', async () => {
    const server = await startRedis();
    const url = `redis://:secret@127.0.0.1:${server.port}`;
    const { out } = await call(['doctor', '--tls', '--show-target', url]);
    expect(out).toContain('TLS is spoken to a port that is plain');
    expect(out).toContain(`rediss://127.0.0.1:${server.port}/0`);
    const plain = await call(['doctor', url]);
    for (const text of [out, plain.out]) expect(text).not.toContain('secret');
    expect(plain.out).not.toContain(String(server.port));
  });

  it('prints coverage and rights when the server refuses to be looked at', async () => {
    const server = await startRedis();
    await server.command('ACL', 'SETUSER', 'app', 'on', '>secret', '~rsq:*', '+@all', '-info', '-config');
    const { out } = await call(['doctor', `redis://app:secret@127.0.0.1:${server.port}`]);
    expect(out).toMatch(/This user may not use INFO/);
    expect(out).toMatch(/\d+ of \d+ checks could be made/);
    expect(out).toContain('the library needs:   ~rsq:* +evalsha');
  });
});

describe('a configuration in a file', () => {
  const write = (text: string) => {
    const path = join(temporaryFolder(), 'redis.json');
    writeFileSync(path, text);
    return path;
  };

  it('says where Redis is, and as whom to go there', async () => {
    const server = await startRedis({ appendOnly: 'yes' });
    await server.command('ACL', 'SETUSER', 'app', 'on', '>secret', '~*', '+@all');
    const config = { host: '127.0.0.1', port: server.port, username: 'app', password: 'secret' };
    expect(await call(['doctor', write(JSON.stringify(config))])).toMatchObject({ code: 0, err: '' });
    const wrong = await call(['doctor', '--json', write(JSON.stringify({ ...config, password: 'old' }))]);
    expect(wrong.code).toBe(1);
    expect(wrong.out).toContain('"wrong-password"');
  });

  it.each<[string, string, RegExp]>([
    ['is no JSON', '{ host: secret-host }', /is no JSON/],
    ['is no object', '["secret-host"]', /must be an object/],
    ['has the names of another client', '{ "socket": { "host": "secret-host" } }', /has no socket/],
    ['has a password that is a number', '{ "password": 123456789 }', /password must be a string/],
    ['has a key that is none', '{ "tls": { "key": "secret-host" } }', /node:tls cannot use .* \(ERR_OSSL/],
  ])('that %s is a mistake, and not quoted', async (_, text, message) => {
    const { code, out, err } = await call(['doctor', write(text)]);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(message);
    expect(err).not.toMatch(/secret-host|123456789/);
  });

  it('that is not there is a mistake', async () => {
    const { code, err } = await call(['doctor', './nowhere/redis.json']);
    expect(code).toBe(2);
    expect(err).toContain('cannot be read (ENOENT)');
  });
});
