import { statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { rowsOf } from '../../../src/backup/lmdb/keys.js';
import { RUN_IDS } from '../../../src/backup/lmdb/place-run.js';
import { Tree } from '../../../src/backup/lmdb/tree.js';
import { type LmdbBackupOptions, LmdbBackupStore } from '../../../src/backup/lmdb.js';
import type { JobRecord } from '../../../src/index.js';
import { FakeClock } from '../support/fake-clock.js';
import { jobRecord } from '../support/job-record.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const EPOCH = '018bcfe5680aaaaaaaaaaaaaaaa';
const LATER = '018bcfe5681bbbbbbbbbbbbbbbb';
const id = (seq: number, epoch = EPOCH) => `${epoch}-${seq}`;
const job = (id: string, fields: Partial<JobRecord> = {}) => jobRecord({ id, delivery: id, ...fields });
const jobs = (from: number, count: number, epoch = EPOCH) =>
  Array.from({ length: count }, (_, n) => job(id(from + n, epoch)));
const idsOf = (jobs: readonly JobRecord[] | undefined) => jobs?.map(({ id }) => id) ?? [];
const nothing = { pending: 0, leased: 0, unknown: 0, parked: 0, bytes: 0 };

function open(options: Partial<LmdbBackupOptions> = {}): LmdbBackupStore {
  return new LmdbBackupStore({ path: temporaryFolder(), ...options });
}

/** Takes up to `limit` jobs. */
async function lease(store: LmdbBackupStore, limit = 1000) {
  const lease = await store.lease('q', limit, 1000);
  return { token: lease?.token ?? '', ids: idsOf(lease?.jobs) };
}

/** How many rows of each kind a closed backup has for its first queue. */
async function rowsIn(path: string): Promise<Record<string, number>> {
  const tree = new Tree(path);
  const kinds = ['bundle', 'marks', 'place', 'parked', 'lease', 'run'] as const;
  const rows = kinds.map((kind) => [kind, tree.keys(rowsOf(kind, 0)).length] as const);
  await tree.close();
  return Object.fromEntries(rows.filter(([, count]) => count > 0));
}

describe('jobs whose ids follow each other', () => {
  it('share rows, and each is present until it is acknowledged', async () => {
    const path = temporaryFolder();
    const store = open({ path });
    expect(new Set(await store.append('q', jobs(0, 200)))).toEqual(new Set(['added']));
    expect(await store.append('q', [job(id(0)), job(id(137)), job(id(199)), job(id(200))])).toEqual([
      ...['present', 'present', 'present', 'added'],
    ]);
    expect(await store.append('q', jobs(150, 100))).toEqual(
      Array.from({ length: 100 }, (_, n) => (n <= 50 ? 'present' : 'added')),
    );
    const { token, ids } = await lease(store);
    expect(ids).toEqual(jobs(0, 250).map(({ id }) => id));
    await store.acknowledge(
      token,
      ids.filter((_, n) => n % 10 === 7),
    );
    expect(await store.append('q', [job(id(136)), job(id(137)), job(id(138))])).toEqual([
      ...['present', 'added', 'present'],
    ]);
    expect(await store.append('q', [job(id(137))])).toEqual(['present']);
    await store.close();
    const rows = await rowsIn(path);
    expect(rows.place).toBeUndefined();
    expect(rows.run).toBe(Math.ceil(250 / RUN_IDS));
  });

  it('have no row that outlives them, whichever way they go', async () => {
    const path = temporaryFolder();
    const store = open({ path });
    for (let from = 0; from < 1000; from += 90) await store.append('q', jobs(from, 90));
    const first = await lease(store, 333);
    await store.acknowledge(first.token, first.ids);
    const second = await lease(store, 333);
    await store.park(second.token, second.ids, 'why');
    expect(await store.admin.remove('q', second.ids)).toBe(333);
    const third = await lease(store, 100);
    await store.park(third.token, third.ids, 'why');
    expect(await store.admin.unpark('q', third.ids)).toBe(100);
    const last = await lease(store);
    await store.acknowledge(last.token, last.ids.slice().reverse());
    expect(await store.stats('q')).toEqual(nothing);
    await store.close();
    expect(await rowsIn(path)).toEqual({});
  });

  it('do not make the file grow while as many go as come', async () => {
    const path = temporaryFolder();
    const store = open({ path });
    const sizes: number[] = [];
    for (let round = 0; round < 150; round++) {
      await store.append('q', jobs(round * 50, 50));
      const { token, ids } = await lease(store, 50);
      await store.acknowledge(token, ids);
      sizes.push(statSync(join(path, 'data.mdb')).size);
    }
    expect(sizes.at(-1)).toBe(sizes[30]);
    await store.close();
  });

  it('are parked, replaced, unparked and removed one by one', async () => {
    const store = open();
    await store.append('q', jobs(0, 100));
    const { token, ids } = await lease(store);
    await store.park(token, [id(40), id(41), id(63), id(64)], 'why');
    await store.release(
      token,
      ids.filter((_, n) => n < 30),
    );
    expect(await store.stats('q')).toMatchObject({ pending: 96, parked: 4, leased: 66 });
    expect(await store.append('q', [job(id(39)), job(id(40)), job(id(64))])).toEqual([
      ...['present', 'replaced', 'replaced'],
    ]);
    expect(await store.append('q', [job(id(40))])).toEqual(['present']);
    expect(await store.admin.unpark('q', [id(40), id(41), id(42)])).toBe(1);
    expect(await store.admin.unpark('q', [id(41)])).toBe(0);
    expect(await store.admin.remove('q', [id(50), id(50), id(63), id(500)])).toBe(2);
    expect(await store.stats('q')).toMatchObject({ pending: 98, parked: 0 });
    expect(await store.append('q', [job(id(50)), job(id(63))])).toEqual(['added', 'added']);
    const { jobs: pending } = await store.admin.list('q', 'pending', { limit: 1000 });
    const moved = [40, 41, 50, 63, 64];
    const stayed = Array.from({ length: 100 }, (_, n) => n).filter((n) => !moved.includes(n));
    expect(idsOf(pending as JobRecord[])).toEqual([...stayed, 40, 64, 41, 50, 63].map((n) => id(n)));
    await store.close();
  });

  it('count exactly, whatever becomes of them', async () => {
    const store = open();
    const of = (n: number) =>
      job(id(n), { payload: JSON.stringify('x'.repeat(n)), fate: n % 2 ? 'unknown' : 'not-delivered' });
    const bytesOf = (n: number) => n + 2 + 'job'.length + id(n).length;
    await store.append(
      'q',
      Array.from({ length: 10 }, (_, n) => of(n)),
    );
    const all = Array.from({ length: 10 }, (_, n) => bytesOf(n)).reduce((sum, bytes) => sum + bytes);
    expect(await store.stats('q')).toMatchObject({ pending: 10, unknown: 5, bytes: all });
    await store.admin.remove('q', [id(3)]);
    expect(await store.stats('q')).toMatchObject({ pending: 9, unknown: 4, bytes: all - bytesOf(3) });
    const { token } = await lease(store);
    await store.acknowledge(token, [id(4), id(5)]);
    const left = all - bytesOf(3) - bytesOf(4) - bytesOf(5);
    expect(await store.stats('q')).toMatchObject({ pending: 7, unknown: 3, bytes: left });
    await store.park(token, [id(7)], 'why');
    expect(await store.stats('q')).toMatchObject({ pending: 6, unknown: 2, bytes: left - bytesOf(7) });
    await store.close();
  });

  it('are kept in order by leases of parts of them, which end and come again', async () => {
    const clock = new FakeClock();
    const store = open({ clock });
    await store.append('q', jobs(0, 300));
    const waiting = new Set(jobs(0, 300).map(({ id }) => id));
    for (let round = 0; waiting.size > 0; round++) {
      const one = await lease(store, 41);
      const two = await lease(store, 23);
      expect([...one.ids, ...two.ids]).toEqual([...waiting].slice(0, 64));
      for (const { token, ids } of [one, two]) {
        const gone = ids.filter((_, n) => n % 3 === 0);
        await store.acknowledge(token, gone);
        for (const id of gone) waiting.delete(id);
      }
      expect(
        await store.append(
          'q',
          [...waiting].slice(0, 70).map((id) => job(id)),
        ),
      ).not.toContain('added');
      expect(await store.stats('q')).toMatchObject({ pending: waiting.size });
      clock.advance(1000);
      if (round > 100) throw new Error('It does not end');
    }
    expect(await store.stats('q')).toEqual(nothing);
    await store.close();
  });

  it('are others in another queue', async () => {
    const store = open();
    await store.append('q', jobs(0, 10));
    expect(new Set(await store.append('other', jobs(0, 10)))).toEqual(new Set(['added']));
    const { token, ids } = await lease(store);
    await store.acknowledge(token, ids);
    expect(new Set(await store.append('other', jobs(0, 10)))).toEqual(new Set(['present']));
    expect(new Set(await store.append('q', jobs(0, 10)))).toEqual(new Set(['added']));
    await store.close();
  });

  it('are recognised in any order, twice in one call, and after the store was opened anew', async () => {
    const path = temporaryFolder();
    const first = open({ path });
    const shuffled = [70, 3, 64, 63, 3, 65, 70, 0].map((n) => job(id(n)));
    expect(await first.append('q', shuffled)).toEqual([
      ...['added', 'added', 'added', 'added', 'present', 'added', 'present', 'added'],
    ]);
    await first.close();
    const second = open({ path });
    expect(await second.append('q', [job(id(65)), job(id(66))])).toEqual(['present', 'added']);
    expect((await lease(second)).ids).toEqual([70, 3, 64, 63, 65, 0, 66].map((n) => id(n)));
    await second.close();
  });
});

describe('an epoch’s end', () => {
  it('is no end for jobs that follow each other across it', async () => {
    const path = temporaryFolder();
    const store = open({ path });
    const across = [...jobs(2 ** 20 - 40, 40), ...jobs(0, 40, LATER)];
    expect(new Set(await store.append('q', across))).toEqual(new Set(['added']));
    expect(new Set(await store.append('q', across))).toEqual(new Set(['present']));
    // Of the earlier epoch, where the later one has its jobs.
    expect(await store.append('q', [job(id(0)), job(id(2 ** 20 - 40, LATER))])).toEqual(['added', 'added']);
    const { token, ids } = await lease(store);
    expect(ids).toEqual([...idsOf(across), id(0), id(2 ** 20 - 40, LATER)]);
    await store.acknowledge(token, ids);
    await store.close();
    expect(await rowsIn(path)).toEqual({});
  });
});

describe('an id that only looks like the library’s own', () => {
  const near = [
    ...[
      `${EPOCH}-01`,
      `${EPOCH}-001`,
      `${EPOCH}-1.0`,
      `${EPOCH}-+1`,
      `${EPOCH}- 1`,
      `${EPOCH}-1 `,
      `${EPOCH}-1\n`,
    ],
    ...[`${EPOCH.toUpperCase()}-1`, `${EPOCH}a-1`, `${EPOCH.slice(1)}-1`, `${EPOCH}-`, EPOCH, `${EPOCH}--1`],
    // These would be 1 and 0, if only some of their bits were looked at.
    ...[
      `${EPOCH}-${2 ** 20 + 1}`,
      `${EPOCH}-${2 ** 20}`,
      `${EPOCH}-${2 ** 32 + 1}`,
      `${EPOCH}-1e0`,
      `${EPOCH}-0x1`,
    ],
  ];

  it.each(near)('is another’s: %j', async (other) => {
    const path = temporaryFolder();
    const store = open({ path });
    // Beside the one that it looks like, since who has just looked at that may look less closely.
    expect(await store.append('q', [job(id(0)), job(other), job(id(1))])).toEqual([
      'added',
      'added',
      'added',
    ]);
    expect(await store.append('q', [job(id(1)), job(other)])).toEqual(['present', 'present']);
    const { token } = await lease(store);
    await store.acknowledge(token, [id(0), id(1)]);
    expect(await store.append('q', [job(other)])).toEqual(['present']);
    expect(await store.admin.remove('q', [id(0), id(1)])).toBe(0);
    await store.park(token, [other], 'why');
    expect(await store.append('q', [job(id(1)), job(other)])).toEqual(['added', 'replaced']);
    expect(await store.admin.remove('q', [other, id(1)])).toBe(2);
    await store.close();
    expect(await rowsIn(path)).toEqual({});
  });
});
