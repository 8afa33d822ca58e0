import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { aptInstall, firstLine, mayUseApt } from './apt.js';
import { withInstallLock } from './install-lock.js';

const run = promisify(execFile);
/** Where apt-get puts it, which another Python on the PATH may hide. */
const SYSTEM_PYTHON = '/usr/bin/python3';

const found = new Map<string, Promise<string>>();

/**
 * Resolves with a Python that has `modules`: the one `PYTHON` names, else the one on the PATH, else the system's, for which it
 * installs them with apt-get where it may (root on Debian or Ubuntu). Rejects with one line saying what to install. Looked up
 * once a process; of several processes only one installs.
 */
export function findPython(...modules: readonly string[]): Promise<string> {
  const key = modules.join();
  const python = found.get(key) ?? locateOrInstall(modules);
  found.set(key, python);
  return python;
}

async function locateOrInstall(modules: readonly string[]): Promise<string> {
  const python = await pythonWith(modules);
  if (python !== undefined) return python;
  return withInstallLock('python', howToInstall(modules), async () => {
    return (await pythonWith(modules)) ?? (await install(modules));
  });
}

async function pythonWith(modules: readonly string[]): Promise<string | undefined> {
  const { PYTHON: named } = process.env;
  const candidates = named ? [named] : ['python3', SYSTEM_PYTHON];
  for (const python of candidates) {
    const has = run(python, ['-c', `import ${modules.join(', ')}`]).then(
      () => true,
      () => false,
    );
    if (await has) return python;
  }
  return undefined;
}

async function install(modules: readonly string[]): Promise<string> {
  const missing = `No Python with ${modules.join(' and ')} found`;
  if (!mayUseApt() || process.env.PYTHON) throw new Error(`${missing}: ${howToInstall(modules)}.`);
  process.stderr.write(`${missing}: installing it with apt-get\n`);
  try {
    await aptInstall('python3', ...modules.map((module) => `python3-${module}`));
  } catch (error) {
    throw new Error(`${missing} (${firstLine(error)}): ${howToInstall(modules)}.`, { cause: error });
  }
  const python = await pythonWith(modules);
  if (python === undefined)
    throw new Error(`${missing}, not even after installing it: ${howToInstall(modules)}.`);
  return python;
}

function howToInstall(modules: readonly string[]): string {
  const packages = modules.map((module) => `python3-${module}`).join(' ');
  return `install it (Debian/Ubuntu: apt-get install ${packages}; elsewhere: pip install ${modules.join(' ')}) or set PYTHON to a Python that has it`;
}
