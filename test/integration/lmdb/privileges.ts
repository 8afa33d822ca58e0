import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// Disks and containers of a test's own need rights that not everybody who runs the tests has, not even every root. CI has
// them: there, a test that is skipped is a failure.

/** Whether this process may mount file systems. */
export const mayMount = succeeds(() => {
  const path = mkdtempSync(join(tmpdir(), 'resilient-queue-may-mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', path], { stdio: 'ignore' });
    execFileSync('umount', ['--lazy', path]);
  } finally {
    rmdirSync(path);
  }
});

/** Whether this process may give others process ids of their own. */
export const mayContain = succeeds(() =>
  execFileSync('unshare', ['--pid', '--fork', 'true'], { stdio: 'ignore' }),
);

function succeeds(attempt: () => void): boolean {
  try {
    attempt();
    return true;
  } catch {
    return false;
  }
}
