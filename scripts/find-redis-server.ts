import { execFile } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, isAbsolute, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

const SERVERS = ['redis-server', 'valkey-server'];
const HOW_TO_INSTALL =
  'install Redis (Debian/Ubuntu: apt-get install redis-server; macOS: brew install redis) or set REDIS_SERVER to the path of a redis-server or valkey-server';
const LOCK_WAIT_MS = 300_000;

let found: Promise<string> | undefined;

/**
 * Resolves with the path of a `redis-server` or `valkey-server`: the one `REDIS_SERVER` names, else one on the PATH, else
 * one it installs with the system's package manager where it may (root on Debian or Ubuntu; Homebrew on macOS).
 * Rejects with one line saying what to install. Looked up once a process; of several processes only one installs.
 */
export function findRedisServer(): Promise<string> {
  found ??= locateOrInstall();
  return found;
}

async function locateOrInstall(): Promise<string> {
  const named = process.env.REDIS_SERVER;
  if (named) {
    const path = onPath(named);
    if (path === undefined)
      throw new Error(`REDIS_SERVER is ${JSON.stringify(named)}, which is not an executable file`);
    return path;
  }
  return locate() ?? (await withInstallLock(async () => locate() ?? (await install())));
}

function locate(): string | undefined {
  return SERVERS.map(onPath).find((path) => path !== undefined);
}

function onPath(name: string): string | undefined {
  if (isAbsolute(name) || name.includes('/')) return isExecutable(name) ? name : undefined;
  return (process.env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

async function install(): Promise<string> {
  try {
    if (process.platform === 'linux' && process.getuid?.() === 0 && onPath('apt-get')) await installWithApt();
    else if (process.platform === 'darwin' && onPath('brew')) await installWithHomebrew();
    else throw new Error('no package manager may be used here');
  } catch (error) {
    throw new Error(`No redis-server found (${firstLine(error)}): ${HOW_TO_INSTALL}.`, { cause: error });
  }
  const path = locate() ?? ['/usr/bin/redis-server', '/opt/homebrew/bin/redis-server'].find(isExecutable);
  if (path === undefined)
    throw new Error(`No redis-server found, not even after installing it: ${HOW_TO_INSTALL}.`);
  return path;
}

async function installWithApt(): Promise<void> {
  process.stderr.write('No redis-server found: installing it with apt-get\n');
  // RUNLEVEL=1 makes invoke-rc.d leave the new service alone where there is no systemd.
  const options = {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' },
    maxBuffer: 64 * 1024 * 1024,
  };
  const waitForLock = ['-o', 'DPkg::Lock::Timeout=120'];
  // A stale mirror in the lists is no reason to give up: the install may still find its package.
  const update = await run('apt-get', [...waitForLock, 'update'], options).catch((error: unknown) => error);
  try {
    await run(
      'apt-get',
      [...waitForLock, 'install', '-y', '--no-install-recommends', 'redis-server'],
      options,
    );
  } catch (error) {
    throw update instanceof Error ? update : error;
  }
  await stopInstalledService();
}

/** There was no redis-server a moment ago, so a service that runs now is the package's doing. */
async function stopInstalledService(): Promise<void> {
  const stop = existsSync('/run/systemd/system')
    ? run('systemctl', ['disable', '--now', 'redis-server'])
    : run('service', ['redis-server', 'stop']);
  await stop.catch(() => undefined);
}

async function installWithHomebrew(): Promise<void> {
  process.stderr.write('No redis-server found: installing it with Homebrew\n');
  await run('brew', ['install', 'redis'], { maxBuffer: 64 * 1024 * 1024 });
}

function firstLine(error: unknown): string {
  const { stderr, message } = error as { stderr?: string; message: string };
  return (stderr?.trim() || message).split('\n', 1)[0] ?? '';
}

/** A folder is the lock: making one is atomic, and the pid inside tells a lock in use from one left by a killed process. */
async function withInstallLock<T>(work: () => Promise<T>): Promise<T> {
  const lock = join(tmpdir(), `resilient-queue-install-redis-${process.getuid?.() ?? 0}.lock`);
  const giveUpAt = Date.now() + LOCK_WAIT_MS;
  while (!tryLock(lock)) {
    if (Date.now() > giveUpAt)
      throw new Error(`Waited 5 minutes for another process to install Redis (${lock}): ${HOW_TO_INSTALL}.`);
    if (isAbandoned(lock)) rmSync(lock, { recursive: true, force: true });
    else await sleep(100);
  }
  try {
    return await work();
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

function tryLock(lock: string): boolean {
  try {
    mkdirSync(lock);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
  writeFileSync(join(lock, 'pid'), String(process.pid));
  return true;
}

function isAbandoned(lock: string): boolean {
  try {
    const pid = Number(readFileSync(join(lock, 'pid'), 'utf8'));
    if (pid > 0) {
      process.kill(pid, 0);
      return false;
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ESRCH') return true;
    if (code !== 'ENOENT') return false;
  }
  // No pid yet: its owner is between making the folder and writing the file, unless it died just there.
  const made = statSync(lock, { throwIfNoEntry: false });
  return made !== undefined && Date.now() - made.mtimeMs > 5_000;
}
