import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { aptInstall, firstLine, mayUseApt } from './apt.js';
import { withInstallLock } from './install-lock.js';
import { isExecutable, onPath } from './on-path.js';

const run = promisify(execFile);

const SERVERS = ['redis-server', 'valkey-server'];
const HOW_TO_INSTALL =
  'install Redis (Debian/Ubuntu: apt-get install redis-server; macOS: brew install redis) or set REDIS_SERVER to the path of a redis-server or valkey-server';

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
  return (
    locate() ?? (await withInstallLock('redis', HOW_TO_INSTALL, async () => locate() ?? (await install())))
  );
}

function locate(): string | undefined {
  return SERVERS.map(onPath).find((path) => path !== undefined);
}

async function install(): Promise<string> {
  try {
    if (mayUseApt()) await installWithApt();
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
  await aptInstall('redis-server');
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
