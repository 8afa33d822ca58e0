import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LmdbBackupStore } from '../../../src/backup/lmdb.js';
import type { JobRecord } from '../../../src/index.js';
import { FakeClock } from '../support/fake-clock.js';
import { jobRecord } from '../support/job-record.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const job = (id: string, fields: Partial<JobRecord> = {}) => jobRecord({ id, ...fields });

describe('a reopened LmdbBackupStore', () => {
  it('has what the one before it had: waiting, held, attempted, parked, in order', async () => {
    const clock = new FakeClock();
    const path = temporaryFolder();
    const first = new LmdbBackupStore({ path, clock });
    await first.append(
      'q',
      ['a', 'b', 'c', 'd', 'e'].map((id) => job(id)),
    );
    await first.append('other', [job('a', { fate: 'unknown' })]);
    const lease = await first.lease('q', 3, 1000);
    await first.park(lease?.token as string, ['b'], 'why');
    const before = await first.stats('q');
    await first.close();

    const second = new LmdbBackupStore({ path, clock });
    expect(await second.stats('q')).toEqual(before);
    expect(before).toMatchObject({ pending: 4, leased: 2, parked: 1 });
    expect(await second.stats('other')).toMatchObject({ pending: 1, unknown: 1 });
    expect([...(await second.admin.queues())].sort()).toEqual(['other', 'q']);
    expect((await second.lease('q', 10, 1000))?.jobs.map(({ id }) => id)).toEqual(['d', 'e']);
    clock.advance(1000);
    const rest = await second.lease('q', 10, 1000);
    expect(rest?.jobs.map(({ id, lastAttemptAt }) => [id, lastAttemptAt])).toEqual([
      ['a', clock.now() - 1000],
      ['c', clock.now() - 1000],
      ['d', clock.now() - 1000],
      ['e', clock.now() - 1000],
    ]);
    await second.close();
  });
});

describe('two stores on one folder in one process', () => {
  it('are one backup, which the last to close closes', async () => {
    const path = temporaryFolder();
    const one = new LmdbBackupStore({ path });
    const two = new LmdbBackupStore({ path: join(path, '..', path.split('/').at(-1) as string) });
    expect(await one.append('q', [job('a')])).toEqual(['added']);
    expect(await two.append('q', [job('a'), job('b')])).toEqual(['present', 'added']);
    const lease = await two.lease('q', 1, 1000);
    expect((await one.lease('q', 10, 1000))?.jobs.map(({ id }) => id)).toEqual(['b']);
    await one.close();
    await two.acknowledge(lease?.token as string, ['a']);
    expect(await two.stats('q')).toMatchObject({ pending: 1 });
    await two.close();
    const three = new LmdbBackupStore({ path });
    expect(await three.stats('q')).toMatchObject({ pending: 1 });
    await three.close();
  });

  it('closes at once for a second call, which counts once', async () => {
    const path = temporaryFolder();
    const one = new LmdbBackupStore({ path });
    const two = new LmdbBackupStore({ path });
    await Promise.all([one.close(), one.close()]);
    await one.close();
    expect(await two.append('q', [job('a')])).toEqual(['added']);
    await two.close();
  });
});

describe('close', () => {
  it('waits for what is under way', async () => {
    const path = temporaryFolder();
    const store = new LmdbBackupStore({ path });
    const appended = Promise.all(Array.from({ length: 200 }, (_, n) => store.append('q', [job(`j${n}`)])));
    await store.close();
    expect((await appended).flat()).toHaveLength(200);
    const next = new LmdbBackupStore({ path });
    expect(await next.stats('q')).toMatchObject({ pending: 200 });
    await next.close();
  });

  it.each(['stats', 'list', 'queues', 'unpark', 'remove'] as const)(
    'has later calls rejected: %s',
    async (call) => {
      const store = new LmdbBackupStore({ path: temporaryFolder() });
      await store.close();
      const calls = {
        stats: () => store.stats('q'),
        list: () => store.admin.list('q', 'pending', { limit: 1 }),
        queues: () => store.admin.queues(),
        unpark: () => store.admin.unpark('q', ['a']),
        remove: () => store.admin.remove('q', ['a']),
      };
      await expect(calls[call]()).rejects.toThrow('LmdbBackupStore is closed');
    },
  );
});

describe('append', () => {
  it('keeps the order of its calls, whatever comes together', async () => {
    const store = new LmdbBackupStore({ path: temporaryFolder() });
    const calls = Array.from({ length: 300 }, (_, n) => store.append('q', [job(`${n}.0`), job(`${n}.1`)]));
    await Promise.all(calls);
    const ids = (await store.lease('q', 1000, 1000))?.jobs.map(({ id }) => id);
    expect(ids).toEqual(Array.from({ length: 600 }, (_, n) => `${n >> 1}.${n & 1}`));
    await store.close();
  });

  it('changes nothing when one of its jobs cannot be kept, and nothing for those who came with it', async () => {
    const store = new LmdbBackupStore({ path: temporaryFolder() });
    const before = store.append('q', [job('a')]);
    const bad = store.append('q', [job('b'), job('x'.repeat(5000))]);
    const after = store.append('q', [job('c')]);
    await expect(bad).rejects.toThrow(RangeError);
    expect(await Promise.all([before, after])).toEqual([['added'], ['added']]);
    expect((await store.lease('q', 10, 1000))?.jobs.map(({ id }) => id)).toEqual(['a', 'c']);
    await store.close();
  });

  it('takes any text: empty payloads, other scripts, lone surrogates, and what looks like its own format', async () => {
    const store = new LmdbBackupStore({ path: temporaryFolder() });
    const records = [
      job('empty', { payload: '' }),
      job('ünïcödé 😀', { name: '名前', payload: '"😀"', headers: { ä: 'ö' } }),
      job('surrogate', { payload: '"\ud800"' }),
      job('large surrogate', { payload: `"\ud800${'x'.repeat(5000)}"` }),
      job('large', { payload: JSON.stringify('é'.repeat(5000)) }),
      job('binary', { payload: '"\u0000\u0001\u007f"' }),
    ];
    await store.append('q', records);
    expect((await store.lease('q', 10, 1000))?.jobs).toEqual(records);
    await store.close();
  });

  it('takes records of a version that it does not know, and gives them back as they were', async () => {
    const store = new LmdbBackupStore({ path: temporaryFolder() });
    const record = { ...job('a'), version: 99, payload: { not: 'text' }, ofTheFuture: [1, { deep: null }] };
    await store.append('q', [record as unknown as JobRecord, job('b')]);
    const lease = await store.lease('q', 10, 1000);
    expect(lease?.jobs).toEqual([record, job('b')]);
    await store.park(lease?.token as string, ['a'], 'unknown-version');
    await store.acknowledge(lease?.token as string, ['b']);
    expect((await store.admin.list('q', 'parked', { limit: 1 })).jobs).toMatchObject([
      { job: { version: 99, ofTheFuture: [1, { deep: null }] } },
    ]);
    expect(await store.stats('q')).toMatchObject({ pending: 0, parked: 1, bytes: 0 });
    await store.close();
  });

  it('takes 1000 jobs in one call, and jobs of a mebibyte', { timeout: 30_000 }, async () => {
    const store = new LmdbBackupStore({ path: temporaryFolder() });
    const many = Array.from({ length: 1000 }, (_, n) => job(`many-${n}`));
    expect(new Set(await store.append('q', many))).toEqual(new Set(['added']));
    const large = Array.from({ length: 20 }, (_, n) =>
      job(`large-${n}`, { payload: `"${String(n).repeat(1024 * 1024)}"` }),
    );
    expect(await store.append('q', large)).toHaveLength(20);
    const got: JobRecord[] = [];
    for (;;) {
      const lease = await store.lease('q', 10_000, 60_000);
      if (!lease) break;
      // A lease is in memory: it is not as large as its limit would let it be.
      expect(lease.jobs.reduce((sum, { payload }) => sum + payload.length, 0)).toBeLessThan(40 * 1024 * 1024);
      got.push(...lease.jobs);
      await store.acknowledge(
        lease.token,
        lease.jobs.map(({ id }) => id),
      );
    }
    expect(got.map(({ id }) => id)).toEqual([...many, ...large].map(({ id }) => id));
    expect(got.every(({ payload }, n) => payload === [...many, ...large][n]?.payload)).toBe(true);
    expect(await store.stats('q')).toEqual({ pending: 0, leased: 0, unknown: 0, parked: 0, bytes: 0 });
    await store.close();
  });
});

describe('what is settled in parts', () => {
  it('leaves the rest of a bundle as it is, through leases that end and come again', async () => {
    const clock = new FakeClock();
    const store = new LmdbBackupStore({ path: temporaryFolder(), clock });
    const ids = Array.from({ length: 100 }, (_, n) => `j${n}`);
    await store.append(
      'q',
      ids.map((id) => job(id)),
    );
    const waiting = new Set(ids);
    for (let round = 0; waiting.size > 0; round++) {
      const lease = await store.lease('q', 17, 1000);
      const held = lease?.jobs.map(({ id }) => id) ?? [];
      expect(held).toEqual([...waiting].slice(0, 17));
      const token = lease?.token as string;
      await store.acknowledge(
        token,
        held.filter((_, n) => n % 3 === 0),
      );
      await store.release(
        token,
        held.filter((_, n) => n % 3 === 1),
      );
      for (const [n, id] of held.entries()) if (n % 3 === 0) waiting.delete(id);
      expect(await store.stats('q')).toMatchObject({ pending: waiting.size });
      clock.advance(1000);
      if (round > 100) throw new Error('It does not end');
    }
    expect(await store.stats('q')).toEqual({ pending: 0, leased: 0, unknown: 0, parked: 0, bytes: 0 });
    await store.close();
  });

  it('does not come back when it is removed while somebody holds it', async () => {
    const clock = new FakeClock();
    const store = new LmdbBackupStore({ path: temporaryFolder(), clock });
    await store.append(
      'q',
      ['a', 'b', 'c'].map((id) => job(id)),
    );
    const lease = await store.lease('q', 10, 1000);
    expect(await store.admin.remove('q', ['b'])).toBe(1);
    expect(await store.stats('q')).toMatchObject({ pending: 2, leased: 2 });
    await store.append('q', [job('b')]);
    await store.acknowledge(lease?.token as string, ['a', 'b']);
    expect(await store.stats('q')).toMatchObject({ pending: 2, leased: 1 });
    clock.advance(1000);
    expect((await store.lease('q', 10, 1000))?.jobs.map(({ id }) => id)).toEqual(['c', 'b']);
    await store.close();
  });
});

describe('the file', () => {
  it('does not grow while as much goes as comes', async () => {
    const path = temporaryFolder();
    const store = new LmdbBackupStore({ path });
    const sizes: number[] = [];
    for (let round = 0; round < 150; round++) {
      await store.append(
        'q',
        Array.from({ length: 50 }, (_, n) => job(`${round}-${n}`, { payload: `"${'x'.repeat(500)}"` })),
      );
      const lease = await store.lease('q', 50, 1000);
      await store.acknowledge(lease?.token as string, lease?.jobs.map(({ id }) => id) ?? []);
      sizes.push(statSync(join(path, 'data.mdb')).size);
    }
    expect(sizes.at(-1)).toBe(sizes[30]);
    expect(readdirSync(path).sort()).toEqual(['backup-format', 'data.mdb', 'lock.mdb']);
    await store.close();
  });
});
