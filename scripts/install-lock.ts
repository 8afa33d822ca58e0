import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const LOCK_WAIT_MS = 300_000;

/**
 * Runs `work`, which installs `name`, in one process at a time. A folder is the lock: making one is atomic, and the pid inside tells
 * a lock in use from one left by a killed process. `howElse`, for the error: what a person can do.
 */
export async function withInstallLock<T>(name: string, howElse: string, work: () => Promise<T>): Promise<T> {
  const lock = join(tmpdir(), `resilient-queue-install-${name}-${process.getuid?.() ?? 0}.lock`);
  const giveUpAt = Date.now() + LOCK_WAIT_MS;
  while (!tryLock(lock)) {
    if (Date.now() > giveUpAt)
      throw new Error(`Waited 5 minutes for another process to install ${name} (${lock}): ${howElse}.`);
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
