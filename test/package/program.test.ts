import { spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeConsumer, manifest } from './support.js';

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
    expect(call('--help').stdout).toContain('doctor');
    expect(call('doctor', '--help').status).toBe(0);
  });

  it('says what to install when it is to connect', () => {
    const { status, stdout, stderr } = program(folder).call('doctor', 'redis://127.0.0.1:1');
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain('npm install ioredis');
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
