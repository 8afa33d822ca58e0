import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RedisServer } from '../support/redis-server.js';
import { readStream } from '../support/stream.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));
const tsc = join(root, 'node_modules/typescript/bin/tsc');
const tsx = join(root, 'node_modules/tsx/dist/cli.mjs');
let folder: string;
let files: string[];

// Inside the repository, so that the examples resolve the package and its peers as a user's project would.
beforeAll(async () => {
  folder = await mkdtemp(join(root, 'test/examples/.readme-'));
  const readme = await readFile(join(root, 'README.md'), 'utf8');
  const blocks = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => match[1] as string);
  files = blocks.map((_, i) => join(folder, `block-${i}.ts`));
  await Promise.all(blocks.map((block, i) => writeFile(files[i] as string, block)));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the README', () => {
  it('has examples that compile', async () => {
    expect(files.length).toBeGreaterThanOrEqual(3);
    const config = join(folder, 'tsconfig.json');
    const compilerOptions = { paths: { '@morningai/resilient-queue': ['../../../src/index.ts'] } };
    await writeFile(
      config,
      JSON.stringify({ extends: '../../../tsconfig.json', compilerOptions, include: ['*.ts'] }),
    );
    const errors = await run(process.execPath, [tsc, '--noEmit', '-p', config]).then(
      () => '',
      (error: { stdout: string }) => error.stdout,
    );
    expect(errors).toBe('');
  });

  it('begins with lines that enqueue a job when they are run', async () => {
    await using server = await RedisServer.start();
    const env = { ...process.env, REDIS_URL: `redis://127.0.0.1:${server.port}` };
    const args = [tsx, '--tsconfig', join(root, 'tsconfig.json'), files[0] as string];
    const { stdout } = await run(process.execPath, args, { cwd: root, env });
    expect(stdout).toBe('enqueued\n');
    const [entry] = await readStream(server, 'rsq:{orchestrator}:jobs');
    expect(entry?.fields).toMatchObject({
      name: 'faq.generate',
      payload: JSON.stringify({ question: 'What if Redis is down?' }),
    });
  });

  it('shows of each framework what its example has', async () => {
    const readme = await readFile(join(root, 'README.md'), 'utf8');
    const rows = [...readme.matchAll(/^\| .+ \| `(.+)` \| \[.+\]\((examples\/.+)\) \|$/gm)];
    expect(rows.length).toBeGreaterThanOrEqual(9);
    for (const [, line, file] of rows) {
      expect(await readFile(join(root, file as string), 'utf8')).toContain(line);
    }
  });

  it('names every option, error code and status that there is', async () => {
    const readme = await readFile(join(root, 'README.md'), 'utf8');
    const sources = {
      'src/queue/options.ts': /^ {2}(\w+): true,$/gm,
      'src/errors/resilient-queue-error.ts': /^ {2}\| '(\w+)'/gm,
      'src/health/health-report.ts': /^ \* - `(\w+)`:/gm,
    };
    const later = ['ordering', 'lossWindow'];
    for (const [file, pattern] of Object.entries(sources)) {
      const source = await readFile(join(root, file), 'utf8');
      const names = [...source.matchAll(pattern)].map((match) => match[1] as string);
      expect(names.length).toBeGreaterThan(3);
      for (const name of names) if (!later.includes(name)) expect(readme).toContain(`\`${name}\``);
    }
  });
});
