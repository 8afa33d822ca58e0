import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeConsumer, manifest, root, run } from './support.js';

const version = (manifest as unknown as { readonly version: string }).version;

/** The program, as npm links it, in a project of its own. */
function program(folder: string) {
  const file = join(folder, 'node_modules', manifest.name, manifest.bin['resilient-queue'] as string);
  const call = (...args: string[]) => {
    const env = { ...process.env, REDIS_URL: undefined };
    const { status, stdout, stderr } = spawnSync(process.execPath, [file, ...args], {
      ...{ cwd: folder, env, encoding: 'utf8', timeout: 50_000 },
    });
    return { status, stdout, stderr };
  };
  return { file, call };
}

/** A backup in `folder` with a job that was parked. */
function makeBackup(folder: string): void {
  const job = `{ version: 1, queue: 'q', id: 'a', delivery: 'a', name: 'job', payload: 'null', fate: 'not-delivered', enqueuedAt: 0, transport: 'streams' }`;
  const script = `import { LmdbBackupStore } from './dist/backup/lmdb.js';
    const store = new LmdbBackupStore({ path: ${JSON.stringify(join(folder, 'backup'))} });
    await store.append('q', [${job}]);
    const { token } = await store.lease('q', 1, 1000);
    await store.park(token, ['a'], 'rejected');
    await store.close();`;
  run(process.execPath, ['--input-type=module', '--eval', script], root);
}

describe('the program of the packed package, in a project without a Redis client', () => {
  let folder: string;
  beforeAll(() => {
    folder = makeConsumer().folder;
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('can be executed', () => {
    const { file } = program(folder);
    expect(readFileSync(file, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
    expect(() => accessSync(file, constants.X_OK)).not.toThrow();
  });

  it('tells its version and its commands', () => {
    const { call } = program(folder);
    expect(call('--version')).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' });
    for (const command of ['doctor', 'parked', 'verify']) expect(call('--help').stdout).toContain(command);
    expect(call('doctor', '--help').status).toBe(0);
  });

  it('says what to install when it is to connect', () => {
    const { status, stdout, stderr } = program(folder).call('doctor', 'redis://127.0.0.1:1');
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain('npm install ioredis');
  });

  it('says what to install when it is to open a backup', () => {
    makeBackup(folder);
    const { status, stdout, stderr } = program(folder).call('parked', './backup');
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toBe('LmdbBackupStore needs the package "lmdb" 3: npm install lmdb\n');
  });
});

describe('the program in a project with lmdb', () => {
  let folder: string;
  beforeAll(() => {
    ({ folder } = makeConsumer(['lmdb']));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('shows parked jobs, puts them back and removes them', () => {
    const { call } = program(folder);
    makeBackup(folder);
    expect(call('parked', './backup')).toMatchObject({
      ...{ status: 1, stdout: expect.stringContaining('rejected, all 1:\n  a  job  parked '), stderr: '' },
    });
    expect(call('parked', './backup', '--unpark', '--id', 'a')).toEqual({
      ...{ status: 0, stdout: 'unparked  a  job  rejected\nJobs unparked: 1.\n', stderr: '' },
    });
    expect(call('parked', './backup', '--remove', '--id', 'a')).toEqual({
      ...{ status: 1, stdout: 'Jobs removed: 0.\n', stderr: 'Not parked: a.\n' },
    });
    expect(call('parked', './backup')).toMatchObject({ status: 0 });
  });

  it('makes no backup where there is none', () => {
    const { status, stderr } = program(folder).call('parked', './bakcup');
    expect(stderr).toBe('There is no backup of an LmdbBackupStore in ./bakcup.\n');
    expect(status).toBe(2);
    expect(existsSync(join(folder, 'bakcup'))).toBe(false);
  });
});

describe.each(['ioredis', 'redis'])('the program in a project with %s', (client) => {
  let folder: string;
  beforeAll(() => {
    ({ folder } = makeConsumer([client]));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('examines', () => {
    const { status, stdout } = program(folder).call('doctor', 'redis://127.0.0.1:1');
    expect(status).toBe(1);
    expect(stdout).toContain('the port refuses connections');
  });
});
