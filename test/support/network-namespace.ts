import { execFile, spawnSync } from 'node:child_process';

// A user that is root inside, a network that has nothing but its own loopback, and processes that end with the first.
const UNSHARE = ['--user', '--map-root-user', '--net', '--mount', '--pid', '--fork', '--kill-child'];

/** Why no network namespace can be made here; undefined where one can. */
export function noNamespaces(): string | undefined {
  if (process.platform !== 'linux') return 'network namespaces are of Linux';
  const { status } = spawnSync('unshare', [...UNSHARE, 'ip', 'link', 'set', 'lo', 'up']);
  return status === 0
    ? undefined
    : 'unshare or ip is not here, or may not be used (a container without the right)';
}

/** Runs a script of sh as root of a network of its own; what it starts in the background ends with it. */
export function inNetworkOfItsOwn(
  script: string,
  env: Readonly<Record<string, string>>,
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const args = [...UNSHARE, 'sh', '-ec', `ip link set lo up\n${script}`];
  return new Promise((resolve) => {
    execFile('unshare', args, { env: { ...process.env, ...env }, timeout: 50_000 }, (error, out, err) => {
      resolve({ code: error ? Number(error.code) : 0, out, err });
    });
  });
}
