import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { type LedgerLine, writeLedger } from '../../../src/ledger/index.js';
import { waitFor } from '../../support/wait-for.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { ToldQueue } from '../support/told-queue.js';

const newPath = () => join(temporaryFolder(), 'ledger.ndjson');
const newPipe = () => {
  const path = newPath();
  execFileSync('mkfifo', [path]);
  return path;
};
const linesOf = (path: string) =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as LedgerLine);
const idsOf = (path: string) => linesOf(path).flatMap((line) => ('id' in line ? [line.id] : []));

it('writes a line for each job that is accepted, parked or dropped, and who wrote them', async () => {
  const [path, queue] = [newPath(), new ToldQueue()];
  const before = Date.now();
  const ledger = writeLedger(queue, path);
  queue.accept('a', 'b "quoted"');
  queue.tell('backed-up', { ids: ['c'], unknown: 1 });
  queue.tell('duplicate', { ids: ['e'] });
  queue.tell('parked', { id: 'c', name: 'secret', reason: 'rejected', text: 'secret' });
  queue.tell('dropped', { id: 'd', name: 'secret', reason: 'expired' });
  queue.tell('redis-data-loss', { remembered: 9, redelivered: 2, recognised: 7, windowExceeded: false });
  expect(await ledger.close()).toEqual({ lines: 6, missing: 0 });
  queue.accept('nobody listens any more');
  const lines = linesOf(path);
  expect(lines.map(({ v, at, ...line }) => line)).toEqual([
    { queue: 'orders', event: 'opened', writer: expect.stringMatching(/^[0-9a-f]{12}$/) },
    { queue: 'orders', event: 'enqueued', id: 'a' },
    { queue: 'orders', event: 'enqueued', id: 'b "quoted"' },
    { queue: 'orders', event: 'backed-up', id: 'c' },
    { queue: 'orders', event: 'duplicate', id: 'e' },
    { queue: 'orders', event: 'parked', id: 'c', reason: 'rejected' },
    { queue: 'orders', event: 'dropped', id: 'd', reason: 'expired' },
    { queue: 'orders', event: 'redis-data-loss', redelivered: 2 },
    { queue: 'orders', event: 'closed', writer: (lines[0] as { writer?: string }).writer },
  ]);
  for (const { v, at } of lines) {
    expect(v).toBe(1);
    expect(at).toBeGreaterThanOrEqual(before);
  }
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readFileSync(path, 'utf8')).not.toContain('secret');
});

it('is written without anybody closing it, and closes once, also by await using', async () => {
  const [path, queue] = [newPath(), new ToldQueue()];
  {
    await using ledger = writeLedger(queue, path);
    queue.accept('a');
    await waitFor(() => idsOf(path).length === 1, { what: 'the line' });
    await ledger.close();
    expect(await ledger.close()).toEqual({ lines: 1, missing: 0 });
  }
  expect(linesOf(path).filter(({ event }) => event === 'closed')).toHaveLength(1);
});

it('says at once that a file cannot be opened, or an option not be had', () => {
  const queue = new ToldQueue();
  expect(() => writeLedger(queue, join(temporaryFolder(), 'no/such/folder'))).toThrow('ENOENT');
  expect(() => writeLedger(queue, newPath(), { maxBufferedBytes: 5 })).toThrow(RangeError);
  expect(() => writeLedger(queue, newPath(), { onError: 5 as never })).toThrow(TypeError);
  expect(() => writeLedger(queue, newPath(), { path: '' } as never)).toThrow('Unknown option "path"');
});

it('ends the line that a killed writer left torn, and loses no other by it', async () => {
  const [path, queue] = [newPath(), new ToldQueue()];
  appendFileSync(path, '{"v":1,"at":5,"queue":"orders","event":"enqu');
  const ledger = writeLedger(queue, path);
  queue.accept('a');
  await ledger.close();
  const [torn, ...whole] = readFileSync(path, 'utf8').split('\n');
  expect(torn).toBe('{"v":1,"at":5,"queue":"orders","event":"enqu');
  expect(whole.filter((line) => line.includes('"a"'))).toHaveLength(1);
  expect(whole.slice(0, -1).map((line) => JSON.parse(line).event)).toEqual(['opened', 'enqueued', 'closed']);
});

it('goes on in a new file when the old one is renamed, and loses no line', async () => {
  const [path, queue] = [newPath(), new ToldQueue()];
  const ledger = writeLedger(queue, path);
  const ids = Array.from({ length: 150 }, (_, n) => `job-${n}`);
  for (const [n, id] of ids.entries()) {
    queue.accept(id);
    if (n === 50) renameSync(path, `${path}.1`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  expect(await ledger.close()).toEqual({ lines: 150, missing: 0 });
  const [old, young] = [idsOf(`${path}.1`), idsOf(path)];
  expect(young.length).toBeGreaterThan(0);
  expect([...old, ...young]).toEqual(ids);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

it.each([
  ['a folder', () => temporaryFolder()],
  ['a pipe', () => newPipe()],
  ['a device', () => '/dev/null'],
])('does not take %s for a ledger', (kind, path) => {
  expect(() => writeLedger(new ToldQueue(), path())).toThrow(`is ${kind}.`);
});

/** A writer whose file has become a pipe, which it has noticed: it can write nothing any more. */
async function stoppedWriter(onError: (error: Error) => unknown) {
  const [path, queue] = [newPath(), new ToldQueue()];
  let told = 0;
  const listener = (error: Error) => {
    told += 1;
    return onError(error) as undefined;
  };
  const ledger = writeLedger(queue, path, { onError: listener, maxBufferedBytes: 64 * 1024 });
  queue.accept('first');
  await waitFor(() => idsOf(path).length === 1, { what: 'the first line' });
  renameSync(path, `${path}.1`);
  execFileSync('mkfifo', [path]);
  let accepted = 1;
  await waitFor(
    () => {
      queue.accept(`job-${accepted}`);
      accepted += 1;
      return told > 0;
    },
    { what: 'the error' },
  );
  return { path, queue, ledger, accepted: () => accepted, accept: () => queue.accept(`job-${accepted++}`) };
}

it('tells once that the file cannot be written, keeps what fits in memory, and says how much is missing', async () => {
  const errors: Error[] = [];
  const { path, ledger, accepted, accept } = await stoppedWriter((error) => {
    errors.push(error);
    throw new Error('and this harms nobody');
  });
  for (let n = 0; n < 1000; n++) accept();
  const { lines, missing } = await ledger.close();
  expect(lines).toBe(idsOf(`${path}.1`).length);
  expect(lines + missing).toBe(accepted());
  expect(missing).toBeGreaterThanOrEqual(1000);
  expect(errors.map(({ message }) => message)).toEqual([expect.stringContaining('is a pipe')]);
});

it('is not ended, nor is the process, by whoever is told of that and rejects', async () => {
  const unhandled: unknown[] = [];
  const listen = (reason: unknown) => unhandled.push(reason);
  process.on('unhandledRejection', listen);
  onTestFinished(() => void process.off('unhandledRejection', listen));
  const { path, ledger, accept, accepted } = await stoppedWriter(async () => {
    throw new Error('and this harms nobody');
  });
  rmSync(path);
  accept();
  expect(await ledger.close()).toEqual({ lines: accepted(), missing: 0 });
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(unhandled).toEqual([]);
});

it('says how the jobs are recognised, in each new file, too', async () => {
  const [path, queue] = [newPath(), new ToldQueue()];
  queue.recognition = { transport: 'rq', generatedMs: 7, callerMs: 5 };
  const ledger = writeLedger(queue, path);
  queue.accept('a');
  await waitFor(() => idsOf(path).length === 1, { what: 'the first line' });
  renameSync(path, `${path}.1`);
  await waitFor(
    () => {
      queue.accept('b');
      return existsSync(path) && idsOf(path).length > 0;
    },
    { what: 'the new file', everyMs: 100 },
  );
  await ledger.close();
  const opened = [`${path}.1`, path].map((file) => linesOf(file)[0]);
  const writer = (opened[0] as { writer?: string }).writer;
  for (const line of opened) {
    expect(line).toMatchObject({ event: 'opened', writer, recognition: queue.recognition });
  }
  expect(linesOf(path).filter(({ event }) => event === 'opened')).toHaveLength(1);
});

it('says so when it is closed while its queue goes on, unless another ledger of it is being written', async () => {
  const endOf = (path: string) => linesOf(path).at(-1);
  const [first, second, third] = [newPath(), newPath(), newPath()];
  const queue = new ToldQueue();
  queue.phase = 'open';
  const one = writeLedger(queue, first);
  const two = writeLedger(queue, second);
  await one.close();
  expect(endOf(first)).not.toHaveProperty('isQueueOpen');
  await two.close();
  expect(endOf(second)).toMatchObject({ event: 'closed', isQueueOpen: true });
  // Calls may still be answered.
  queue.phase = 'closing';
  const fourth = newPath();
  await writeLedger(queue, fourth).close();
  expect(endOf(fourth)).toMatchObject({ isQueueOpen: true });
  const three = writeLedger(queue, third);
  queue.phase = 'closed';
  await three.close();
  expect(endOf(third)).not.toHaveProperty('isQueueOpen');
});
