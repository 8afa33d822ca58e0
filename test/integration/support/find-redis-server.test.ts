import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';

const script = fileURLToPath(new URL('../../../scripts/find-redis-server.ts', import.meta.url));
const isDebianRoot = process.platform === 'linux' && process.getuid?.() === 0;

let folder: string;
let bin: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'resilient-queue-find-'));
  bin = join(folder, 'bin');
  mkdirSync(bin);
});
afterEach(() => rmSync(folder, { recursive: true }));

function program(name: string, body = ''): string {
  const path = join(bin, name);
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
  return path;
}

/** What a fresh process with only `bin` on its PATH finds; the temporary folder, and so the lock, is the test's own. */
function find(env: Record<string, string> = {}): Promise<{ path: string; stderr: string }> {
  const code = `const { findRedisServer } = await import(${JSON.stringify(script)});
    await findRedisServer().then((path) => process.stdout.write(path), (error) => process.stdout.write('Error: ' + error.message));`;
  const args = ['--import', 'tsx', '--input-type=module', '--eval', code];
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      args,
      { env: { PATH: bin, TMPDIR: folder, ...env } },
      (error, path, stderr) => {
        if (error) reject(error);
        else resolve({ path, stderr });
      },
    );
  });
}

it('takes the one REDIS_SERVER names before the one on the PATH, and valkey-server too', async () => {
  const valkey = program('valkey-server');
  const [onPath, missing] = await Promise.all([find(), find({ REDIS_SERVER: '/nowhere/redis-server' })]);
  expect(onPath.path).toBe(valkey);
  expect(missing.path).toBe(
    'Error: REDIS_SERVER is "/nowhere/redis-server", which is not an executable file',
  );
  const redis = program('redis-server');
  const [preferred, named] = await Promise.all([find(), find({ REDIS_SERVER: valkey })]);
  expect(preferred.path).toBe(redis);
  expect(named.path).toBe(valkey);
});

it('says in one line what to install where it may not install', async () => {
  const { path } = await find();
  expect(path).toMatch(
    /^Error: No redis-server found .*apt-get install redis-server.*brew install redis.*REDIS_SERVER.*\.$/,
  );
});

// apt-get is played by a program that takes its time: the real one cannot be tested where Redis is installed.
it.runIf(isDebianRoot)(
  'installs with apt-get once, although several processes look at the same time',
  async () => {
    const log = join(folder, 'log');
    const redis = join(bin, 'redis-server');
    const install = `/bin/sleep 0.3; printf '#!/bin/sh\\n' > ${redis}; /bin/chmod 755 ${redis}`;
    program(
      'apt-get',
      `echo "$3 $DEBIAN_FRONTEND $RUNLEVEL" >> ${log}\ncase "$*" in *install*) ${install};; esac`,
    );
    const found = await Promise.all([find(), find(), find()]);
    expect(found.map(({ path }) => path)).toEqual([redis, redis, redis]);
    expect(readFileSync(log, 'utf8')).toBe('update noninteractive 1\ninstall noninteractive 1\n');
    expect(found.map(({ stderr }) => stderr).join('')).toBe(
      'No redis-server found: installing it with apt-get\n',
    );
  },
);

it.runIf(isDebianRoot)(
  'says in one line why apt-get failed, and takes over from a killed process',
  async () => {
    const lock = join(folder, 'resilient-queue-install-redis-0.lock');
    mkdirSync(lock);
    writeFileSync(join(lock, 'pid'), '4194305'); // above the largest pid of Linux
    program('apt-get', 'echo "E: Unable to locate package" >&2; echo more >&2; exit 100');
    expect((await find()).path).toMatch(
      /^Error: No redis-server found \(E: Unable to locate package\): install .*\.$/,
    );
  },
);
