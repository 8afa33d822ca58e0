import { execFile } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { MemoryBackupStore, ResilientQueue, streamKey } from '@morningai/resilient-queue';
import { LmdbBackupStore } from '@morningai/resilient-queue/backup/lmdb';
import { createHealth } from '@morningai/resilient-queue/health';
import { writeLedger } from '@morningai/resilient-queue/ledger';
import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { findRedisServer } from '../../scripts/find-redis-server.js';
import { reasonWords } from '../../src/cli/print-parked.js';
import { RedisServer } from '../support/redis-server.js';
import { readStream } from '../support/stream.js';
import { waitFor } from '../support/wait-for.js';
import { jobRecord } from '../unit/support/job-record.js';
import { redisUrl, root } from './support/child.js';

const QUEUE = 'orchestrator';
const runbook = readFileSync(join(root, 'docs/redis-outage.md'), 'utf8');
const blocks = [...runbook.matchAll(/^```sh\n(.*?)^```$/gms)].map((match) => match[1] as string);

interface Outcome {
  readonly code: number;
  readonly output: string;
}

/** A project that has installed the library, and a shell in it: whoever is on call. */
async function onCall(server: RedisServer, service: string) {
  const folder = mkdtempSync(join(root, 'test/examples/.runbook-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const bin = join(folder, 'node_modules/.bin');
  mkdirSync(bin, { recursive: true });
  mkdirSync(join(folder, 'var'));
  writeFileSync(join(folder, 'package.json'), '{ "name": "service", "private": true }');
  symlinkSync(join(root, 'dist/cli/main.js'), join(bin, 'resilient-queue'));
  symlinkSync(join(root, 'node_modules/.bin/tsx'), join(bin, 'tsx'));
  symlinkSync(join(root, 'examples'), join(folder, 'examples'));
  const env = {
    ...{ ...process.env, NO_COLOR: '1', SERVICE: service, REDIS_URL: redisUrl(server) },
    // redis-cli is installed where the server is.
    PATH: `${dirname(await findRedisServer())}:${process.env.PATH}`,
  };
  const untried = new Set(blocks);
  const calls = (command: string): Promise<Outcome> =>
    new Promise((resolve) => {
      const args = ['-euo', 'pipefail', '-c', command];
      execFile('bash', args, { cwd: folder, env }, (error, stdout, stderr) =>
        resolve({ code: error ? Number(error.code) : 0, output: stdout + stderr }),
      );
    });
  return {
    folder,
    untried,
    /** Types the runbook's one command, or list of commands, that has `words` in it. */
    async types(words: string): Promise<Outcome> {
      const block = blocks.filter((one) => one.includes(words));
      expect(block, `the runbook's blocks with ${words}`).toHaveLength(1);
      untried.delete(block[0] as string);
      return calls(block[0] as string);
    },
    calls,
  };
}

it('has commands that say what is the matter, in every phase of an outage, and prove that nothing was lost', async () => {
  expect(existsSync(join(root, 'dist/cli/main.js')), 'npm run build').toBe(true);
  await using server = await RedisServer.start();
  const http = createServer((request, response) => void ready(request, response)).listen(0, '127.0.0.1');
  await once(http, 'listening');
  onTestFinished(() => void http.close());
  const person = await onCall(server, `http://127.0.0.1:${(http.address() as AddressInfo).port}`);
  const redis = new Redis(server.port, { retryStrategy: () => 100 });
  redis.on('error', () => {});
  onTestFinished(() => redis.disconnect());
  const backup = new LmdbBackupStore({ path: join(person.folder, 'var/orchestrator') });
  const poison = jobRecord({ queue: QUEUE, name: 'poison' });
  await backup.append(QUEUE, [poison]);
  const lease = await backup.lease(QUEUE, 1, 1000);
  await backup.park(lease?.token as string, [poison.id], 'rejected');
  const queue = new ResilientQueue(QUEUE, { redis, backup });
  const ready = createHealth(queue).nodeHandler('readiness');
  const ledger = writeLedger(queue, join(person.folder, 'var/ledger.ndjson'));
  const enqueue = (count: number) =>
    Promise.all(Array.from({ length: count }, (_, n) => queue.enqueue('faq.generate', { n })));
  await enqueue(20);

  expect(await person.types('export REDIS_URL')).toEqual({ code: 0, output: '' });
  const up = await person.types('/health/ready');
  expect(up.output).toMatch(/^HTTP\/1\.1 200 OK.*"status":"pass"/s);
  expect((await person.types('SET rsq:by-hand')).output).toBe('OK\n');
  expect((await person.types('SLOWLOG GET')).output).toMatch(
    /used_memory_human.*maxmemory_policy.*connected_clients.*loading:0.*master/s,
  );
  expect(JSON.parse((await person.types('doctor --json')).output)).toMatchObject({
    checks: expect.any(Array),
  });

  await server.kill();
  expect((await enqueue(30)).map(({ outcome }) => outcome)).toContain('backed-up');
  await waitFor(() => queue.health().status === 'degraded', { what: 'the outage to be noticed' });
  const down = await person.types('/health/ready');
  expect(down.output).toMatch(/^HTTP\/1\.1 200 OK.*"status":"warn".*"degraded".*backup:left/s);
  expect(await person.types('SET rsq:by-hand')).toMatchObject({
    code: 1,
    output: expect.stringContaining('refused'),
  });
  const examined = await person.types('resilient-queue doctor\n');
  expect(examined).toMatchObject({ code: 1, output: expect.stringMatching(/port/i) });
  expect(examined.output).not.toContain(String(server.port));

  await server.restart();
  await waitFor(() => queue.health().status === 'up', { what: 'the replay', timeoutMs: 20_000 });
  // As it is to be typed without a terminal, where npx would install another package of the name.
  const [, cautious = ''] = /there type `(npx [^`]+)`/.exec(runbook) ?? [];
  expect((await person.calls(`${cautious} --help`)).output).toMatch(/^resilient-queue <command>/);
  const parked = await person.types('parked ./var/orchestrator\n');
  expect(parked.output).toContain(`rejected, all 1:\n  ${poison.id}  poison`);
  expect(parked.code).toBe(1);
  expect(await person.types('--unpark')).toEqual({
    code: 0,
    output: `unparked  ${poison.id}  poison  rejected\nJobs unparked: 1.\n`,
  });
  await waitFor(async () => (await readStream(server, streamKey(QUEUE))).length === 51, {
    ...{ what: 'the job to be laid down', timeoutMs: 20_000 },
  });
  await queue.close();
  await ledger.close();
  const proof = await person.types('resilient-queue verify');
  expect(proof.output).toMatch(/delivered +50 .*lost +0.*doubled +0.*^WELL: /ms);
  expect(proof.code, proof.output).toBe(0);
  expect([...person.untried]).toEqual([]);
});

it('takes nobody away from a Redis that refuses writes, although an idle service has not noticed yet', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no', args: ['--maxmemory', '1'] });
  const redis = new Redis(server.port);
  onTestFinished(() => redis.disconnect());
  const queue = new ResilientQueue(QUEUE, { redis, backup: new MemoryBackupStore() });
  onTestFinished(async () => void (await queue.close()));
  const ready = createHealth(queue).nodeHandler('readiness');
  const http = createServer((request, response) => void ready(request, response)).listen(0, '127.0.0.1');
  await once(http, 'listening');
  onTestFinished(() => void http.close());
  await waitFor(() => redis.status === 'ready', { what: 'the client to be connected' });
  const person = await onCall(server, `http://127.0.0.1:${(http.address() as AddressInfo).port}`);
  expect((await person.types('/health/ready')).output).toMatch(/"observedValue":"up"/);
  const [, whatToDo = ''] = /^\| `up` \|.*\| ([^|]*) \|$/m.exec(runbook) ?? [];
  expect(whatToDo).toMatch(/^go on with 2\./);
  expect((await person.types('SET rsq:by-hand')).output).toMatch(/^OOM/);
});

it('has a row for every kind of failure that an event may name', () => {
  const source = readFileSync(join(root, 'src/policy/outage.ts'), 'utf8');
  const [, union = ''] = /type FailureKind =\n([^;]+);/.exec(source) ?? [];
  const kinds = [...union.matchAll(/'([^']+)'/g)].map((match) => match[1] as string);
  expect(kinds.length).toBeGreaterThan(15);
  const named = [...runbook.matchAll(/^\| (`[^|]+) \|/gm)].flatMap(([, cell = '']) => [
    ...cell.matchAll(/`([^`]+)`/g),
  ]);
  const words = named.map((match) => match[1]);
  expect(kinds.filter((kind) => !words.includes(kind))).toEqual([]);
});

it('says of every reason for which a job is parked what to do', () => {
  const [, section = ''] = /^## Parked jobs\n(.*?)^## /ms.exec(runbook) ?? [];
  const rows = [...section.matchAll(/^\| (`[^|]+) \|/gm)].map(([, cell]) => cell).join();
  expect([...rows.matchAll(/`([^`]+)`/g)].map(([, word]) => word).sort()).toEqual([...reasonWords].sort());
});

/** What stands in the first cells of the tables in a part of the runbook. */
function rowsOf(part: string): readonly string[] {
  const cells = [...part.matchAll(/^\| (`[^|]+) \|/gm)].map(([, cell = '']) => cell);
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word));
}

/** The words of a union of strings in the sources. */
function wordsOf(file: string, start: RegExp): readonly string[] {
  const source = readFileSync(join(root, file), 'utf8');
  const from = source.search(start);
  expect(from, `${start} in ${file}`).toBeGreaterThan(-1);
  const union = source.slice(from, source.indexOf(';', from));
  return [...union.matchAll(/'([^']+)'/g)].map(([, word = '']) => word);
}

it('says of each kind what becomes of jobs: that they wait, or that they are refused', () => {
  const [, kinds = ''] = runbook.split('## Each kind of outage');
  const [outages = '', refusals = ''] = (kinds.split('\n## ')[0] as string).split('These are no outages.');
  const source = readFileSync(join(root, 'src/policy/outage.ts'), 'utf8');
  const rows = [...source.matchAll(/\bun(?:sent|known)\('([^']+)'(?:, '([^']+)')?\)/g)];
  const [waiting, refused] = [new Set<string>(), new Set<string>()];
  for (const [, kind = '', treatment = 'outage'] of rows) {
    (treatment === 'outage' || treatment === 'gap' ? waiting : refused).add(kind);
  }
  // A redirection is an outage only of a client for clusters, which has followed many.
  for (const kind of refused) waiting.delete(kind);
  expect(waiting.size).toBeGreaterThan(10);
  expect(new Set(rowsOf(outages))).toEqual(waiting);
  expect(new Set(rowsOf(refusals))).toEqual(refused);
});

it('has a row for each event and each status, and a word for each reason and kind of error', () => {
  const [, events = ''] = runbook.split('## Events');
  const table = events.split('\n## ')[0] as string;
  const source = readFileSync(join(root, 'src/health/queue-events.ts'), 'utf8');
  const [, members = ''] = /interface QueueEvents \{([\s\S]*?)\n\}/.exec(source) ?? [];
  const names = [...members.matchAll(/^ {2}'?([\w-]+)'?: /gm)].map(([, name = '']) => name);
  expect(names.length).toBeGreaterThan(10);
  expect(names.filter((name) => !rowsOf(table).includes(name))).toEqual([]);
  const [, first = ''] = runbook.split('## The first five minutes');
  expect(rowsOf(first.split('\n## ')[0] as string)).toEqual(['up', 'recovering', 'degraded', 'down']);
  expect(wordsOf('src/health/health-report.ts', /type HealthStatus/).toSorted()).toEqual(
    ['up', 'recovering', 'degraded', 'down'].toSorted(),
  );
  const words = [
    ...wordsOf('src/health/queue-events.ts', /reason: 'expired'/),
    ...wordsOf('src/health/queue-events.ts', /kind: FailureKind \| /),
    ...wordsOf('src/policy/default-policy.ts', /type BreakerState/),
  ];
  expect(words.length).toBeGreaterThan(8);
  expect(words.filter((word) => !table.includes(`\`${word}\``))).toEqual([]);
});

it('names commands of Redis that there are, as they are written', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const commands = new Set(
    [...runbook.matchAll(/`([A-Z]{4,}(?: [A-Za-z]+)*(?: \d+)?)`/g)].map(([, text]) => text as string),
  );
  // What somebody else has done, what nobody should do, and what is no command.
  const words = ['UNAVAILABLE', 'WELL', 'NOT WELL', 'NOT PROVEN'];
  const others = new Set(['CLIENT KILL', 'FLUSHALL', ...words]);
  const tried: string[] = [];
  for (const command of commands) {
    if (others.has(command)) continue;
    const [name = '', ...args] = command.split(' ');
    const problem = await server.command(name, ...args).then(
      () => '',
      ({ message }: Error) => message,
    );
    // Where there is nothing to end, and no cluster.
    expect(problem, command).toMatch(/^$|^NOTBUSY|cluster support disabled/);
    tried.push(command);
  }
  expect(tried).toEqual(
    expect.arrayContaining(['ROLE', 'SLOWLOG GET 10', 'SCRIPT KILL', 'CLIENT LIST', 'INFO persistence']),
  );
});
