import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';

const script = fileURLToPath(new URL('../../../scripts/find-python.ts', import.meta.url));
const isDebianRoot = process.platform === 'linux' && process.getuid?.() === 0;
/** No Python of this machine has it. */
const MODULE = 'resilient_queue_nowhere';

let folder: string;
let bin: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'resilient-queue-find-'));
  bin = join(folder, 'bin');
  mkdirSync(bin);
});
afterEach(() => rmSync(folder, { recursive: true }));

function program(name: string, body: string): string {
  const path = join(bin, name);
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
  return path;
}

/** What a fresh process with only `bin` on its PATH finds. */
function find(env: Record<string, string> = {}): Promise<string> {
  const code = `const { findPython } = await import(${JSON.stringify(script)});
    await findPython('${MODULE}').then((path) => process.stdout.write(path), (error) => process.stdout.write('Error: ' + error.message));`;
  const args = ['--import', 'tsx', '--input-type=module', '--eval', code];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { env: { PATH: bin, TMPDIR: folder, ...env } }, (error, path) => {
      if (error) reject(error);
      else resolve(path);
    });
  });
}

it('takes the Python that PYTHON names, or the one on the PATH, if it has the modules', async () => {
  const named = program('named', `[ "$2" = "import ${MODULE}" ]`);
  expect(await find({ PYTHON: named })).toBe(named);
  program('python3', 'exit 0');
  expect(await find()).toBe('python3');
});

it('takes an empty PYTHON for none, as CI does', async () => {
  program('python3', 'exit 0');
  expect(await find({ PYTHON: '' })).toBe('python3');
});

it('says in one line what to install where it may not install', async () => {
  const without = program('without', 'exit 1');
  expect(await find({ PYTHON: without })).toMatch(
    /^Error: No Python with resilient_queue_nowhere found: .*apt-get install python3-\w+; elsewhere: pip install .* PYTHON .*$/,
  );
});

// apt-get is played by a program: the real one cannot be tested where the modules are installed.
it.runIf(isDebianRoot)(
  'installs with apt-get once, although several processes look at the same time',
  async () => {
    const log = join(folder, 'log');
    const python = join(bin, 'python3');
    const install = `/bin/sleep 0.3; printf '#!/bin/sh\\n' > ${python}; /bin/chmod 755 ${python}`;
    program('apt-get', `echo "$*" >> ${log}\ncase "$*" in *install*) ${install};; esac`);
    expect(await Promise.all([find(), find({ PYTHON: '' }), find()])).toEqual([
      'python3',
      'python3',
      'python3',
    ]);
    expect(readFileSync(log, 'utf8').match(/install -y .*/g)).toEqual([
      `install -y --no-install-recommends python3 python3-${MODULE}`,
    ]);
  },
);
