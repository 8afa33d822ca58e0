import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { LmdbBackupStore } from '../../../src/backup/lmdb.js';
import { changeParked } from '../../../src/cli/change-parked.js';
import { parkedCommand } from '../../../src/cli/parked-command.js';
import type { AdminStore } from '../../../src/cli/parked-pages.js';
import { type JobRecord, type ParkedJob, ResilientQueue, streamKey } from '../../../src/index.js';
import { Ledger } from '../../support/ledger.js';
import { settleWithin } from '../../support/load.js';
import { queueOnRedis } from '../../support/queue-on-redis.js';
import { RedisServer } from '../../support/redis-server.js';
import { runCommand } from '../../support/run-command.js';
import { readStream } from '../../support/stream.js';
import { waitFor } from '../../support/wait-for.js';
import { jobRecord } from '../../unit/support/job-record.js';
import { temporaryFolder } from '../../unit/support/temporary-folder.js';

const QUEUE = 'orders';
const DAY_MS = 86_400_000;
const root = fileURLToPath(new URL('../../../', import.meta.url));

const run = (...args: string[]) => runCommand(parkedCommand, args);

let deliveries = 0;

function job(id: string, fields: Partial<JobRecord> = {}): JobRecord {
  deliveries += 1;
  const delivery = `018bcfe5680aaaaaaaaaaaaaaaa-${deliveries}`;
  return jobRecord({ queue: QUEUE, id, delivery, name: 'confirm', ...fields });
}

async function park(store: LmdbBackupStore, reason: string, jobs: readonly JobRecord[], queue = QUEUE) {
  await store.append(queue, jobs);
  await parkPending(store, reason, queue);
}

async function parkPending(store: LmdbBackupStore, reason: string, queue = QUEUE) {
  for (;;) {
    const lease = await store.lease(queue, 1000, 30_000);
    if (!lease) return;
    const ids = lease.jobs.map(({ id }) => id);
    await store.park(lease.token, ids, reason);
  }
}

/** A backup of no process, with what `fill` puts into it. */
async function backup(fill: (store: LmdbBackupStore) => Promise<unknown>): Promise<string> {
  const path = temporaryFolder();
  const store = new LmdbBackupStore({ path });
  await fill(store);
  await store.close();
  return path;
}

async function statsOf(path: string, queue = QUEUE) {
  const store = new LmdbBackupStore({ path });
  const stats = await store.stats(queue);
  await store.close();
  return stats;
}

const numbered = (count: number, prefix = 'job') =>
  Array.from({ length: count }, (_, n) => job(`${prefix}-${n}`));

it('shows what is parked by its reason, the first of many, and what to do, but no payload', async () => {
  const content = {
    payload: '"secret"',
    headers: { secret: 'secret' },
    transportOptions: { description: 'secret' },
  };
  const path = await backup(async (store) => {
    await park(
      store,
      'rejected: NOPERM this user has no permissions',
      Array.from({ length: 1002 }, (_, n) => job(`no-${n}`, content)),
    );
    await park(store, 'recognition-expired', [job('old', { ...content, expiresAt: 1_800_000_000_000 })]);
    await store.append(QUEUE, [job('waits')]);
  });
  const { code, out, err } = await run(path, '--limit', '2');
  expect([code, err]).toEqual([1, '']);
  const time = '\\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z';
  expect(out.replaceAll(new RegExp(`parked ${time}`, 'g'), 'parked just now')).toBe(
    `Queue "orders", parked jobs: 1,003

rejected, the first 2 of 1,002:
  no-0  confirm  enqueued 2023-11-14T22:13:20.000Z, parked just now
    NOPERM this user has no permissions
  no-1  confirm  enqueued 2023-11-14T22:13:20.000Z, parked just now
    NOPERM this user has no permissions

recognition-expired, all 1:
  old  confirm  enqueued 2023-11-14T22:13:20.000Z, parked just now, expires 2027-01-15T08:00:00.000Z

What to do next
  - rejected: Redis refused them: remove the cause (rights, a key of another type), then --unpark.
  - recognition-expired: they may have run, and Redis no longer knows. Look: --remove those that have, --unpark --may-run-twice the others.
`,
  );
  expect((await run(path)).out).toContain('the first 20 of 1,002');
  expect((await run(path, '--payload', '--id', 'old')).out).toContain('    "secret"\n');

  const json = await run(path, '--json');
  const lines = json.out.trimEnd().split('\n');
  expect(lines).toHaveLength(1003);
  expect(json.out).not.toContain('secret');
  expect(JSON.parse(lines[1002] as string)).toEqual({
    job: {
      ...{
        version: 1,
        queue: QUEUE,
        id: 'old',
        name: 'confirm',
        fate: 'not-delivered',
        transport: 'streams',
      },
      ...{ delivery: expect.any(String), enqueuedAt: 1_700_000_000_000, expiresAt: 1_800_000_000_000 },
      lastAttemptAt: expect.any(Number),
    },
    reason: 'recognition-expired',
    parkedAt: expect.any(Number),
  });
  const whole = await run(path, '--json', '--payload', '--reason', 'recognition-expired');
  expect((JSON.parse(whole.out) as ParkedJob).job).toMatchObject(content);
  expect(await statsOf(path)).toMatchObject({ pending: 1, leased: 0, parked: 1003 });
});

it('ends with 0 where nothing is parked, of what was asked for', async () => {
  const path = await backup((store) => park(store, 'rejected', [job('a')]));
  expect(await run(path, '--id', 'b')).toEqual({
    ...{ code: 0, out: 'Queue "orders", parked jobs: 0\n', err: '' },
  });
  expect(await run(path, '--reason', 'unlisted-error', '--json')).toEqual({ code: 0, out: '', err: '' });
  expect((await run(path, '--reason', 'unlisted-error', '--reason', 'rejected')).code).toBe(1);
  const fresh = await backup(async () => {});
  for (const more of [[], ['--unpark', '--all'], ['--remove', '--all']]) {
    expect(await run(fresh, ...more)).toMatchObject({ code: 0, err: '' });
  }
  expect((await run(fresh, '--remove', '--id', 'a')).code).toBe(1);
});

it('looks at every queue, and changes only the one that is named', async () => {
  const path = await backup(async (store) => {
    await park(store, 'rejected', [job('a')]);
    await park(store, 'rejected', [job('a', { queue: 'mails' })], 'mails');
  });
  expect((await run(path)).out).toMatch(/Queue "mails", parked jobs: 1\n.*Queue "orders", parked jobs: 1\n/s);
  expect((await run(path, '--queue', 'mails')).out).not.toContain('orders');
  const unclear = await run(path, '--remove', '--id', 'a');
  expect(unclear).toEqual({
    code: 2,
    out: '',
    err: 'Say by --queue which of its queues: "mails", "orders".\n',
  });
  const unknown = await run(path, '--queue', 'order', '--unpark', '--all');
  expect(unknown.err).toBe('The backup knows no queue "order": it has "mails", "orders".\n');
  expect(unknown.code).toBe(2);
  expect(await run(path, '--queue', 'orders', '--remove', '--id', 'a')).toEqual({
    ...{ code: 0, out: 'removed  a  confirm  rejected\nJobs removed: 1.\n', err: '' },
  });
  expect((await statsOf(path, 'mails')).parked).toBe(1);
});

it('lets no id or name move the cursor of a terminal', async () => {
  const path = await backup((store) =>
    park(store, 'rejected: \u001b[2J', [job('a\u001b[1A', { name: 'b\r\n\u009b', payload: '"\u009b31m"' })]),
  );
  for (const args of [[], ['--payload'], ['--json', '--payload'], ['--unpark', '--all']]) {
    const { out } = await run(path, ...args);
    expect(out).toContain('a\\u001b[1A');
    expect(out.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
  }
});

it('shows a record of another version, and a damaged one, as far as it goes', async () => {
  const path = await backup(async (store) => {
    const { name, payload, ...future } = job('future', { version: 2 });
    await park(store, 'unknown-version', [{ ...future, body: 'secret' } as unknown as JobRecord]);
    await park(store, 'damaged: its bytes on the disk fail their checksum (unknown-version)', [
      job('torn', { enqueuedAt: 0 }),
    ]);
  });
  const { out } = await run(path);
  expect(out).toContain('\n  future    enqueued');
  expect(out).not.toContain('secret');
  expect(out).toMatch(/\ndamaged, all 1:\n {2}torn {2}confirm {2}parked [^,\n]+\n {4}its bytes/);
  expect((await run(path, '--json')).out).not.toContain('secret');
  expect(await run(path, '--unpark', '--all')).toEqual({
    ...{ code: 1, out: 'unparked  future    unknown-version\nJobs unparked: 1.\n' },
    err: 'Still parked, as damaged: 1. They can only be removed.\n',
  });
});

it.each<[readonly string[], string]>([
  [[], 'Which backup?'],
  [['a', 'b'], 'One folder at a time'],
  [['redis://user:secret@host:1'], 'not an address'],
  [['x', '--colour'], "Unknown option '--colour'.\nSee: "],
  [['x', '--redis://:secret@host'], 'Unknown option.\nSee: '],
  [['x', '--reason', 'redis://:secret@host'], 'got "<url>"'],
  [['x', '--reason', 'reject'], '--reason must be one of rejected, unlisted-error, recognition-expired'],
  [['x', '--limit', '-1'], '--limit'],
  [['x', '--limit', 'many'], '--limit must be a whole number'],
  [['x', '--all'], '--all goes with'],
  [['x', '--may-run-twice'], '--may-run-twice goes with --unpark'],
  [['x', '--remove', '--id', 'a', '--may-run-twice'], '--may-run-twice goes with --unpark'],
  [['x', '--unpark', '--remove', '--all'], 'exclude each other'],
  [['x', '--unpark'], '--unpark needs either --id <id> or --all'],
  [['x', '--unpark', '--reason', 'rejected'], '--unpark needs either'],
  [['x', '--remove'], '--remove needs either'],
  [['x', '--remove', '--all', '--id', 'a'], '--remove needs either'],
  [['x', '--remove', '--all', '--limit', '5'], '--remove would not stop at it'],
])('refuses a wrong call: %j', async (args, says) => {
  const { code, out, err } = await run(...args);
  expect(err).toContain(says);
  expect(err).toContain('parked --help');
  expect(err).not.toContain('secret');
  expect([code, out]).toEqual([2, '']);
});

it('explains itself', async () => {
  expect(await run('--help')).toEqual({ code: 0, out: parkedCommand.help, err: '' });
});

it('puts back what a service had parked once the cause is gone, and the service at work lays it down once', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  await server.command('ACL', 'SETUSER', 'app', 'on', '>secret', '~*', '&*', '+@all');
  const redis = new Redis({ port: server.port, username: 'app', password: 'secret' });
  redis.on('error', () => {});
  onTestFinished(() => redis.disconnect());
  const path = temporaryFolder();
  const queue = new ResilientQueue(QUEUE, {
    ...{ redis, backup: new LmdbBackupStore({ path }), replay: { pollMs: 100 }, breaker: { failures: 1000 } },
  });
  onTestFinished(async () => void (await queue.close()));
  queue.on('error', () => {});
  const ledger = new Ledger();
  const outage = queue.isolate();
  const orders = ['order-1', 'order-2', 'order-3'];
  for (const id of orders) void ledger.track(id, queue.enqueue('confirm', { id }, { id }));
  expect(await settleWithin(ledger, 10_000)).toBe(true);
  // It may not write the markers of its callers' ids any more.
  const keys = ['jobs', 'seen:*', 'epochs', 'canary'].map((key) => `~rsq:{${QUEUE}}:${key}`);
  await server.command('ACL', 'SETUSER', 'app', 'resetkeys', ...keys);
  outage.dispose();
  let n = 0;
  await waitFor(
    async () => {
      n += 1;
      const live = queue.enqueue('live', n);
      await ledger.track((await live).id, live);
      return queue.health().totals.parked === orders.length;
    },
    { what: 'the orders to be parked', timeoutMs: 40_000 },
  );

  const shown = await outcomeOf(path);
  expect(shown.out).toContain('rejected, all 3:\n  order-1  confirm');
  expect(shown.out).toContain('NOPERM');
  expect(shown.code).toBe(1);

  await server.command('ACL', 'SETUSER', 'app', '~*');
  expect(await outcomeOf(path, '--unpark', '--id', 'order-2', '--id', 'order-1')).toEqual({
    code: 0,
    out: 'unparked  order-1  confirm  rejected\nunparked  order-2  confirm  rejected\nJobs unparked: 2.\n',
    err: '',
  });
  expect(await outcomeOf(path, '--remove', '--id', 'order-3')).toMatchObject({ code: 0 });
  expect(await outcomeOf(path)).toEqual({ code: 0, out: 'Queue "orders", parked jobs: 0\n', err: '' });
  const idsInRedis = async () => (await readStream(server, streamKey(QUEUE))).map(({ fields }) => fields.id);
  await waitFor(async () => (await idsInRedis()).includes('order-2'), {
    ...{ what: 'the orders to be laid down', timeoutMs: 20_000 },
  });
  await waitFor(() => queue.health().status === 'up' && queue.health().backup.parked === 0, {
    what: 'the queue to be up, and to see that none is parked',
  });
  // Of what a person removed it knows only that it was parked.
  expect(queue.health().totals).toMatchObject({ accepted: n + 3, delivered: n + 2, pending: 0, parked: 1 });
  await queue.close();
  ledger.delivered((await idsInRedis()) as string[]);
  expect(ledger.summary(), `${ledger}`).toMatchObject({
    ...{
      accepted: n + 3,
      delivered: n + 2,
      lost: 1,
      lostIds: ['order-3'],
      doubled: 0,
      ghosts: 0,
      errors: {},
    },
  });
  expect(await statsOf(path)).toMatchObject({ pending: 0, leased: 0, parked: 0 });
}, 90_000);

/** The command as a process of its own, beside this one. */
function start(nodeOptions: readonly string[], ...args: readonly string[]): ChildProcess {
  const file = join(root, 'src/cli/main.ts');
  return spawn(process.execPath, [...nodeOptions, '--import', 'tsx', file, 'parked', ...args], { cwd: root });
}

async function outcomeOf(...args: readonly string[]) {
  const child = start([], ...args);
  const [out, err] = [collect(child.stdout), collect(child.stderr)];
  const [code] = await once(child, 'close');
  return { code, out: out(), err: err() };
}

function collect(stream: NodeJS.ReadableStream | null): () => string {
  let text = '';
  stream?.setEncoding('utf8').on('data', (more: string) => {
    text += more;
  });
  return () => text;
}

it('leaves what may have been forgotten by Redis, unless it is told that it may run twice', async () => {
  const path = temporaryFolder();
  const store = new LmdbBackupStore({ path });
  const longAgo = Date.now() - 8 * DAY_MS;
  await park(store, 'recognition-expired', [
    job('old', { fate: 'unknown', enqueuedAt: longAgo, lastAttemptAt: longAgo }),
  ]);
  await park(store, 'rejected', [job('other')]);
  const { queue, idsInRedis } = await queueOnRedis(QUEUE, { backup: store, replay: { pollMs: 50 } });
  const parkedAgain: string[] = [];
  queue.on('parked', ({ id, reason }) => parkedAgain.push(`${id} ${reason}`));

  const first = await run(path, '--unpark', '--all');
  expect(first.out).toBe('unparked  other  confirm  rejected\nJobs unparked: 1.\n');
  expect(first.err).toMatch(
    /^Still parked, as recognition-expired: 1\. They may have run: .*--may-run-twice/,
  );
  expect(first.code).toBe(1);
  await waitFor(async () => (await idsInRedis()).length === 1, { what: 'the other job', timeoutMs: 20_000 });
  // Without the flag it would only come back.
  expect(await store.admin.unpark(QUEUE, ['old'])).toBe(1);
  await waitFor(() => parkedAgain.length === 1, { what: 'it to be parked again', timeoutMs: 20_000 });
  expect(parkedAgain).toEqual(['old recognition-expired']);

  await waitFor(async () => (await store.stats(QUEUE)).parked === 1, { what: 'the store to have parked it' });
  expect(await run(path, '--unpark', '--may-run-twice', '--id', 'old')).toEqual({
    ...{ code: 0, out: 'unparked  old  confirm  recognition-expired\nJobs unparked: 1.\n', err: '' },
  });
  await waitFor(async () => (await idsInRedis()).length === 2, { what: 'the old job', timeoutMs: 20_000 });
  expect(await idsInRedis()).toEqual(['other', 'old']);
  expect(parkedAgain).toHaveLength(1);
});

/** A store with other ways, that does nothing else differently. */
function withAdmin(store: LmdbBackupStore, admin: Partial<LmdbBackupStore['admin']>): AdminStore {
  return {
    stats: (queue: string) => store.stats(queue),
    admin: { ...store.admin, ...admin },
  } as AdminStore;
}

/** What the command does once it has opened a store. */
async function change(store: AdminStore, action: 'unpark' | 'remove', json = false) {
  let out = '';
  let err = '';
  const io = {
    out: (text: string) => {
      out += text;
    },
    err: (text: string) => {
      err += text;
    },
    ...{ env: {}, hasColours: false },
  };
  const asked = { selection: { ids: undefined, reasons: undefined }, withPayload: false, mayRunTwice: false };
  const ended = changeParked(store, [QUEUE], { action, isJson: json, ...asked }, io);
  const code = await ended.catch((error: Error) => error.message);
  return { code, out, err };
}

it('removes no job that a caller enqueued meanwhile under the id of a parked one', async () => {
  const store = new LmdbBackupStore({ path: temporaryFolder() });
  onTestFinished(() => store.close());
  await park(store, 'rejected', [job('a', { payload: '"old"' }), job('b')]);
  const racing = withAdmin(store, {
    list: async (...args) => {
      const page = await store.admin.list(...args);
      await store.append(QUEUE, [job('a', { payload: '"new"' })]);
      return page;
    },
  });
  expect(await change(racing, 'remove')).toEqual({
    code: 1,
    out: 'removed  b  confirm  rejected\nJobs removed: 1.\n',
    err: 'Parked no more when their turn came: 1. Somebody else has put them back, replaced or removed them.\n',
  });
  expect((await store.lease(QUEUE, 10, 1000))?.jobs).toMatchObject([{ id: 'a', payload: '"new"' }]);
});

it('puts no job back twice that is parked again at once, and comes to an end', async () => {
  const store = new LmdbBackupStore({ path: temporaryFolder() });
  onTestFinished(() => store.close());
  await park(store, 'rejected', numbered(200));
  const hopeless = withAdmin(store, {
    unpark: async (...args) => {
      const count = await store.admin.unpark(...args);
      await parkPending(store, 'rejected');
      return count;
    },
  });
  const { code, out } = await change(hopeless, 'unpark', true);
  const ids = out
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as ParkedJob).job.id);
  expect(new Set(ids).size).toBe(200);
  expect([code, ids.length]).toEqual([0, 200]);
  expect(await store.stats(QUEUE)).toMatchObject({ pending: 0, parked: 200 });
});

it('says how far it came when the store fails midway', async () => {
  const store = new LmdbBackupStore({ path: temporaryFolder() });
  onTestFinished(() => store.close());
  await park(store, 'rejected', numbered(200));
  let calls = 0;
  const failing = withAdmin(store, {
    remove: async (...args) => {
      calls += 1;
      if (calls > 70 && calls !== 100) throw new Error('The disk of the backup is full.');
      return store.admin.remove(...args);
    },
  });
  const { code, out, err } = await change(failing, 'remove');
  expect(code).toBe('The disk of the backup is full.');
  expect(err).toBe('Jobs removed: 71. Then the backup failed; call again for the others.\n');
  expect(out.trimEnd().split('\n')).toHaveLength(71);
  expect(await store.stats(QUEUE)).toMatchObject({ pending: 0, parked: 129 });
});

it('leaves each job parked or waiting when it is killed with -9 midway, and does the rest when called again', async () => {
  const path = temporaryFolder();
  const store = new LmdbBackupStore({ path });
  onTestFinished(() => store.close());
  const jobs = 4000;
  await park(store, 'rejected', numbered(jobs));
  const child = start([], path, '--unpark', '--all');
  const out = collect(child.stdout);
  await waitFor(() => out().split('\n').length > 100, { what: 'some to be put back', timeoutMs: 30_000 });
  child.kill('SIGKILL');
  await once(child, 'close');
  const told = out()
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split('  ')[1] as string);
  const { pending, parked } = await store.stats(QUEUE);
  expect(pending + parked).toBe(jobs);
  expect(parked).toBeGreaterThan(0);
  expect(pending).toBeGreaterThanOrEqual(told.length);
  expect(pending).toBeLessThanOrEqual(told.length + 64);

  expect(await outcomeOf(path, '--unpark', '--all')).toMatchObject({ code: 0, err: '' });
  const ids: string[] = [];
  for (;;) {
    const lease = await store.lease(QUEUE, 1000, 30_000);
    if (!lease) break;
    ids.push(...lease.jobs.map(({ id }) => id));
    await store.acknowledge(
      lease.token,
      lease.jobs.map(({ id }) => id),
    );
  }
  expect([ids.length, new Set(ids).size]).toEqual([jobs, jobs]);
  expect(ids.slice(0, told.length)).toEqual(told);
});

it('holds no more than a page of jobs in memory', async () => {
  const path = await backup(async (store) => {
    const payload = JSON.stringify('x'.repeat(200_000));
    for (let n = 0; n < 10; n++)
      await park(
        store,
        'rejected',
        numbered(100, `large-${n}`).map((one) => ({ ...one, payload })),
      );
  });
  const child = start(['--max-old-space-size=96'], path, '--json', '--payload');
  const err = collect(child.stderr);
  let lines = 0;
  child.stdout?.on('data', (bytes: Buffer) => {
    for (const byte of bytes) if (byte === 10) lines += 1;
  });
  const [code] = await once(child, 'close');
  expect({ code, lines, err: err() }).toEqual({ code: 1, lines: 1000, err: '' });
});

/** What is in a folder, byte by byte; but for LMDB's table of readers. */
function contentOf(path: string): unknown {
  if (!existsSync(path)) return 'nothing';
  return readdirSync(path)
    .filter((name) => name !== 'lock.mdb')
    .sort()
    .map((name) => [name, readFileSync(join(path, name)).toString('base64')]);
}

const whole = () => backup((store) => park(store, 'rejected', [job('a')]));

it.each<[string, () => string | Promise<string>, RegExp]>([
  ['where there is no folder', () => join(temporaryFolder(), 'no', 'where'), /no backup .* in .*where\.$/],
  ['in an empty folder', () => temporaryFolder(), /There is no backup of an LmdbBackupStore in /],
  [
    'where making one was begun',
    () => {
      const path = temporaryFolder();
      writeFileSync(join(path, 'data.mdb'), '');
      return path;
    },
    /There is no backup/,
  ],
  ['in a file', async () => join(await whole(), 'data.mdb'), /is a file: give the folder/],
  [
    'that is cut off',
    async () => {
      const path = await whole();
      truncateSync(join(path, 'data.mdb'), 6000);
      return path;
    },
    /is damaged: it is cut off at byte 6000\. It was left as it is\. Stop all processes .* restore/,
  ],
  [
    'whose file is gone',
    async () => {
      const path = await whole();
      rmSync(join(path, 'data.mdb'));
      return path;
    },
    /is damaged: its file .*data\.mdb is missing\. .* Restore the folder/,
  ],
  [
    'of a newer release',
    async () => {
      const path = await whole();
      writeFileSync(join(path, 'backup-format'), 'resilient-queue backup 2\n');
      return path;
    },
    /has format 2; this release .* reads 1\. Use the release that wrote it/,
  ],
  [
    'of another program',
    async () => {
      const path = temporaryFolder();
      const { open } = createRequire(import.meta.url)('lmdb') as typeof import('lmdb');
      const foreign = open({ path, noSubdir: false });
      await foreign.put('mine', 1);
      await foreign.close();
      return path;
    },
    /has an LMDB file that no LmdbBackupStore wrote/,
  ],
])('makes nothing and changes nothing %s, and says what to do', async (_, make, says) => {
  const path = await make();
  const folder = path.endsWith('data.mdb') ? join(path, '..') : path;
  const before = contentOf(folder);
  for (const more of [[], ['--unpark', '--all'], ['--remove', '--all']]) {
    const { code, out, err } = await run(path, ...more);
    expect(err.trimEnd()).toMatch(says);
    expect([code, out]).toEqual([2, '']);
  }
  expect(contentOf(folder)).toEqual(before);
});

/** Only root can become somebody else; anybody else can take the rights from themselves. */
const isRoot = process.getuid?.() === 0;

it('says whose it is to look where it has no rights', async () => {
  const path = await whole();
  if (!isRoot) chmodSync(join(path, 'data.mdb'), 0o000);
  // In this process, as the program and its packages may be out of a stranger's reach.
  const { code, out, err } = await asStranger(path, () => run(path, '--unpark', '--all'));
  expect(err).toMatch(
    /^The backup in .* cannot be opened \(EACCES\): run this as the user that the service runs as/,
  );
  expect([code, out]).toEqual([2, '']);
  if (!isRoot) chmodSync(join(path, 'data.mdb'), 0o600);
  expect(await statsOf(path)).toMatchObject({ pending: 0, parked: 1 });
});

async function asStranger<T>(path: string, work: () => Promise<T>): Promise<T> {
  if (!isRoot) return work();
  chmodSync(path, 0o755);
  process.seteuid?.(65_534);
  try {
    return await work();
  } finally {
    process.seteuid?.(0);
  }
}

it.runIf(isRoot)('makes no file as root that its owner could not open', async () => {
  const path = await whole();
  for (const file of ['.', 'data.mdb', 'lock.mdb', 'backup-format'])
    chownSync(join(path, file), 65_534, 65_534);
  expect((await run(path)).code).toBe(1);
  rmSync(join(path, 'lock.mdb'));
  const { code, err } = await run(path);
  expect(err).toMatch(
    /lacks a file that only its owner should make: run this as that user \(its id is 65534\)/,
  );
  expect(code).toBe(2);
  expect(existsSync(join(path, 'lock.mdb'))).toBe(false);
});
