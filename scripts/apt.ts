import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { onPath } from './on-path.js';

const run = promisify(execFile);

/** Whether apt-get is there, and may be used: by root on Debian or Ubuntu. */
export function mayUseApt(): boolean {
  return process.platform === 'linux' && process.getuid?.() === 0 && onPath('apt-get') !== undefined;
}

/** Installs packages of the system. Rejects with what apt-get said. */
export async function aptInstall(...packages: readonly string[]): Promise<void> {
  // RUNLEVEL=1 makes invoke-rc.d leave the new service alone where there is no systemd.
  const options = {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' },
    maxBuffer: 64 * 1024 * 1024,
  };
  const waitForLock = ['-o', 'DPkg::Lock::Timeout=120'];
  // A stale mirror in the lists is no reason to give up: the install may still find its package.
  const update = await run('apt-get', [...waitForLock, 'update'], options).catch((error: unknown) => error);
  try {
    await run('apt-get', [...waitForLock, 'install', '-y', '--no-install-recommends', ...packages], options);
  } catch (error) {
    throw update instanceof Error ? update : error;
  }
}

/** What a program that failed said first. */
export function firstLine(error: unknown): string {
  const { stderr, message } = error as { stderr?: string; message: string };
  return (stderr?.trim() || message).split('\n', 1)[0] ?? '';
}
