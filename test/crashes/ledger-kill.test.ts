import { readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { streamKey } from '../../src/index.js';
import { type LedgerLine, readLedger } from '../../src/ledger/index.js';
import { QUEUE, verifyOn } from '../integration/ledger/ledger-site.js';
import { BundledProgram, type RunningProgram } from '../support/bundled-program.js';
import { RedisServer } from '../support/redis-server.js';
import { readStream } from '../support/stream.js';
import { waitFor } from '../support/wait-for.js';
import { temporaryFolder } from '../unit/support/temporary-folder.js';
import type { LedgerWorkerSettings } from './ledger-worker.js';

let worker: BundledProgram;
beforeAll(async () => {
  worker = await BundledProgram.build(new URL('ledger-worker.ts', import.meta.url));
});
afterAll(() => worker[Symbol.asyncDispose]());

const acceptedBy = (program: RunningProgram): string[] =>
  program.lines().flatMap((line) => /^(?:enqueued|backed-up) (\S+)$/.exec(line)?.[1] ?? []);

const told = (program: RunningProgram, outcome: string): number =>
  program.lines().filter((line) => line.startsWith(outcome)).length;

async function idsIn(path: string): Promise<Set<string>> {
  const ids = new Set<string>();
  const note = (line: LedgerLine | undefined) => {
    if (line && 'id' in line) ids.add(line.id);
  };
  await readLedger(path, note);
  return ids;
}

it('proves that two processes, killed in an outage, lost and doubled nothing, from one ledger of both', async () => {
  await using server = await RedisServer.start();
  const folder = temporaryFolder();
  const settings = (name: string, callers: number): LedgerWorkerSettings => ({
    ...{ port: server.port, queue: QUEUE, name, callers },
    ...{ backup: join(folder, 'backup'), ledger: join(folder, 'ledger.ndjson') },
  });
  const { ledger, backup } = settings('', 0);
  const programs = ['one', 'two'].map((name) => worker.start(settings(name, 8)));
  const each = (count: number, outcome: string) =>
    waitFor(() => programs.every((program) => told(program, outcome) > count), {
      what: `each to be told ${outcome}`,
      timeoutMs: 30_000,
    });
  await each(200, 'enqueued');
  await server.kill();
  await each(100, 'backed-up');
  // Beside processes at work, while Redis is down.
  const blind = await verifyOn(server, ledger, '--backup-lmdb', backup);
  expect(blind).toMatchObject({
    code: 2,
    err: expect.stringMatching(/^Nothing could be found out: Redis cannot be reached/),
  });
  expect(blind.err).not.toContain(String(server.port));
  await server.restart();
  await each(300, 'enqueued');
  const beside = await verifyOn(server, ledger, '--backup-lmdb', backup);
  expect(beside.report.counts, JSON.stringify(beside.report)).toMatchObject({
    lost: 0,
    doubled: 0,
    unknowable: 0,
  });
  expect(beside.code).toBe(0);
  await server.kill();
  const soFar = Math.max(...programs.map((program) => told(program, 'backed-up')));
  await each(soFar + 50, 'backed-up');
  await Promise.all(programs.map((program) => program.kill()));
  await server.restart();
  // While it is loading what it has, verify says so, and nothing else.
  await server.command('PING');

  const accepted = programs.flatMap(acceptedBy);
  const written = await idsIn(ledger);
  // Only what was accepted in the last moments may be missing from it.
  expect(accepted.filter((id) => !written.has(id)).length).toBeLessThan(accepted.length / 4);
  const waiting = await verifyOn(server, ledger, '--backup-lmdb', backup);
  expect(waiting.report?.counts, waiting.err).toMatchObject({ lost: 0, doubled: 0, unknowable: 0 });
  expect(waiting.report.counts.pending).toBeGreaterThan(0);
  expect(waiting.report.ledger).toMatchObject({ openWriters: 2, missing: 0 });
  expect(waiting.code).toBe(0);

  const third = worker.start(settings('three', 0));
  const pending = async () => (await verifyOn(server, ledger, '--backup-lmdb', backup)).report.counts.pending;
  await waitFor(async () => (await pending()) === 0, {
    what: 'the backlog to be replayed',
    timeoutMs: 30_000,
    everyMs: 200,
  });
  await third.kill();
  const { code, report } = await verifyOn(server, ledger, '--backup-lmdb', backup);
  expect(report.counts).toEqual({
    ...{ delivered: written.size, pending: 0, parked: 0, dropped: 0, lost: 0, doubled: 0, unknowable: 0 },
  });
  expect(code).toBe(0);
  // What is missing from the ledger is not missing from the queue.
  const standing = new Set((await readStream(server, streamKey(QUEUE))).map(({ fields }) => fields.id));
  expect(accepted.filter((id) => !standing.has(id))).toEqual([]);
});

it('goes on behind a line that a kill tore, and counts it as torn', async () => {
  await using server = await RedisServer.start();
  const folder = temporaryFolder();
  const ledger = join(folder, 'ledger.ndjson');
  const settings = { port: server.port, queue: QUEUE, backup: join(folder, 'backup'), ledger, callers: 4 };
  const first = worker.start({ ...settings, name: 'one' });
  await waitFor(() => acceptedBy(first).length > 100, { what: 'jobs', timeoutMs: 30_000 });
  await first.kill();
  const bytes = readFileSync(ledger);
  truncateSync(ledger, bytes.length - 20);
  const torn = await verifyOn(server, ledger);
  expect(torn).toMatchObject({ code: 0, report: { ledger: { torn: 1, openWriters: 1 } } });

  const second = worker.start({ ...settings, name: 'two' });
  await waitFor(() => acceptedBy(second).length > 100, { what: 'jobs', timeoutMs: 30_000 });
  await second.kill();
  const { code, report } = await verifyOn(server, ledger);
  expect(report).toMatchObject({ counts: { lost: 0, doubled: 0 }, ledger: { torn: 1, openWriters: 2 } });
  expect(report.jobs).toBeGreaterThan(150);
  expect(code).toBe(0);
  const standing = Number(await server.command('XLEN', streamKey(QUEUE)));
  expect(standing).toBeGreaterThanOrEqual(report.jobs);
});
