import { appendFile, mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { JOB_RECORD_VERSION, type JobRecord, type Lease } from '@morningai/resilient-queue';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { NdjsonBackupStore } from '../../../examples/own-backup-store/ndjson-backup-store.js';

const QUEUE = 'orders {of} ünï';
let folder: string;
let path: string;
let opened: NdjsonBackupStore[];

const openStore = async () => {
  const store = await NdjsonBackupStore.open(path);
  opened.push(store);
  return store;
};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'resilient-queue-example-'));
  path = join(folder, 'backup.ndjson');
  opened = [];
  vi.useFakeTimers({ toFake: ['Date'], now: 1_000_000 });
});

afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  await Promise.allSettled(opened.map((store) => store.close()));
  await rm(folder, { recursive: true });
});

const job = (id: string, more: Partial<JobRecord> = {}): JobRecord => ({
  version: JOB_RECORD_VERSION,
  queue: QUEUE,
  id,
  delivery: `epoch-${id}`,
  name: 'order.place',
  payload: '{"text":"two\\nlines"}',
  fate: 'not-delivered',
  enqueuedAt: 500,
  transport: 'streams',
  ...more,
});
const jobs = (...ids: string[]) => ids.map((id) => job(id));
const idsOf = (lease: Lease | undefined) => lease?.jobs.map(({ id }) => id);
const take = async (store: NdjsonBackupStore, limit = 10, leaseMs = 1000) => {
  const lease = await store.lease(QUEUE, limit, leaseMs);
  if (!lease) throw new Error('There was nothing to lease.');
  return lease;
};

it('keeps a job once, also within a batch and while it is leased', async () => {
  const store = await openStore();
  expect(await store.append(QUEUE, jobs('a', 'b', 'a'))).toEqual(['added', 'added', 'present']);
  await take(store, 1);
  expect(await store.append(QUEUE, jobs('a', 'c'))).toEqual(['present', 'added']);
  expect(await store.append('another', jobs('a'))).toEqual(['added']);
  expect(await store.stats(QUEUE)).toEqual({ pending: 3, leased: 1, unknown: 0, parked: 0, oldestAt: 500 });
});

it('keeps a job once when two calls bring it at the same time', async () => {
  const store = await openStore();
  const outcomes = await Promise.all([store.append(QUEUE, jobs('a')), store.append(QUEUE, jobs('a'))]);
  expect(outcomes).toEqual([['added'], ['present']]);
});

it('hands out the oldest first, nothing twice, and a released job at its old place', async () => {
  const store = await openStore();
  await store.append(QUEUE, jobs('a', 'b', 'c', 'd'));
  const first = await take(store, 2);
  expect(idsOf(first)).toEqual(['a', 'b']);
  expect(idsOf(await take(store))).toEqual(['c', 'd']);
  expect(await store.lease(QUEUE, 10, 1000)).toBeUndefined();
  expect(await store.lease('nobody', 10, 1000)).toBeUndefined();
  await store.release(first.token, ['b', 'a']);
  expect(idsOf(await take(store))).toEqual(['a', 'b']);
});

it('lets go of what is acknowledged, and minds no id that is gone', async () => {
  const store = await openStore();
  await store.append(QUEUE, jobs('a', 'b'));
  const { token } = await take(store);
  await store.acknowledge(token, ['a']);
  await store.acknowledge(token, ['a', 'never was']);
  expect(await store.stats(QUEUE)).toMatchObject({ pending: 1, leased: 1 });
});

it('changes nothing for an outdated token', async () => {
  const store = await openStore();
  await store.append(QUEUE, jobs('a'));
  const old = await take(store);
  vi.advanceTimersByTime(1000);
  const current = await take(store);
  expect(current.jobs[0]).toEqual(job('a', { lastAttemptAt: 1_000_000 }));
  await store.release(old.token, ['a']);
  await store.park(old.token, ['a'], 'late');
  await store.acknowledge(old.token, ['a']);
  await store.acknowledge('nonsense', ['a']);
  expect(await store.stats(QUEUE)).toMatchObject({ pending: 1, leased: 1, parked: 0 });
  await store.acknowledge(current.token, ['a']);
  expect(await store.stats(QUEUE)).toMatchObject({ pending: 0 });
});

it('does not let a clock that is set back hold a job for ever', async () => {
  const store = await openStore();
  await store.append(QUEUE, jobs('a'));
  await take(store);
  vi.setSystemTime(1000);
  expect(await store.stats(QUEUE)).toMatchObject({ leased: 0 });
  expect(idsOf(await take(store))).toEqual(['a']);
});

it('sets a parked job aside, until one of the same id takes its place at the end', async () => {
  const store = await openStore();
  await store.append(QUEUE, jobs('a', 'b'));
  const { token } = await take(store, 1);
  await store.park(token, ['a'], 'rejected: WRONGTYPE');
  expect(await store.stats(QUEUE)).toMatchObject({ pending: 1, parked: 1 });
  expect(await store.append(QUEUE, [job('a', { payload: '2' })])).toEqual(['replaced']);
  expect(await store.stats(QUEUE)).toMatchObject({ pending: 2, parked: 0 });
  const { jobs: all } = await take(store);
  expect(all.map(({ id, payload }) => [id, payload])).toEqual([
    ['b', job('b').payload],
    ['a', '2'],
  ]);
});

it('finds everything again after a crash, without the leases but with their attempts', async () => {
  const before = await openStore();
  const odd = { ...job('b', { fate: 'unknown', headers: { tenant: 'ü' } }), addedLater: [1] };
  await before.append(QUEUE, [job('a'), odd, job('c'), job('d')]);
  const { token } = await take(before, 3);
  await before.acknowledge(token, ['a']);
  await before.park(token, ['c'], 'why');
  await appendFile(path, '{"op":"add","queue":"orders","jobs":[{"id":"half');

  const after = await openStore();
  expect(await after.stats(QUEUE)).toMatchObject({ pending: 2, leased: 0, unknown: 1, parked: 1 });
  expect((await take(after)).jobs).toEqual([{ ...odd, lastAttemptAt: 1_000_000 }, job('d')]);
  expect(await after.append(QUEUE, jobs('c'))).toEqual(['replaced']);
});

it('refuses a file that is damaged rather than forgetting jobs', async () => {
  await writeFile(path, '{"op":"add"\n{"op":"remove","queue":"q","ids":[]}\n');
  await expect(NdjsonBackupStore.open(path)).rejects.toThrow(SyntaxError);
});

it('writes only what still counts when it is closed, for nobody else to read', async () => {
  const store = await openStore();
  for (let n = 0; n < 20; n++) await store.append(QUEUE, jobs(`job-${n}`));
  const { token } = await take(store, 19);
  await store.acknowledge(
    token,
    Array.from({ length: 19 }, (_, n) => `job-${n}`),
  );
  await Promise.all([store.close(), store.close()]);
  expect((await readFile(path, 'utf8')).split('\n')).toHaveLength(2);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  await expect(store.append(QUEUE, jobs('late'))).rejects.toThrow('closed');
});

it('has changed nothing when a write fails, and goes on', async () => {
  const store = await openStore();
  await store.append(QUEUE, jobs('a'));
  const datasync = await datasyncOfFiles();
  datasync.mockRejectedValueOnce(new Error('EIO'));
  await expect(store.append(QUEUE, jobs('b', 'c'))).rejects.toThrow('EIO');
  expect(await store.stats(QUEUE)).toMatchObject({ pending: 1 });
  expect(await store.append(QUEUE, jobs('c'))).toEqual(['added']);
  expect(idsOf(await take(await openStore()))).toEqual(['a', 'c']);
});

it('says that the fate is unknown when not even that can be made sure', async () => {
  const store = await openStore();
  const datasync = await datasyncOfFiles();
  datasync.mockRejectedValue(new Error('EIO'));
  await expect(store.append(QUEUE, jobs('a'))).rejects.toMatchObject({ fate: 'unknown' });
  datasync.mockRestore();
  await expect(store.append(QUEUE, jobs('b'))).rejects.toThrow('broken');
});

async function datasyncOfFiles() {
  const file = await open(path);
  const prototype = Object.getPrototypeOf(file) as typeof file;
  await file.close();
  return vi.spyOn(prototype, 'datasync');
}
