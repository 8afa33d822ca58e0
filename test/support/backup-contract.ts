import { describe, expect, it, onTestFinished } from 'vitest';
import type { BackupAdmin, BackupStore, Clock, JobRecord, Lease, ParkedJob } from '../../src/index.js';
import { FakeClock } from '../unit/support/fake-clock.js';
import { jobRecord } from '../unit/support/job-record.js';

const LEASE_MS = 30_000;

const job = (id: string, fields: Partial<JobRecord> = {}) => jobRecord({ id, ...fields });

const idsOf = (lease: Lease | undefined) => lease?.jobs.map((job) => job.id);

/** What every store promises, as tests. `open` makes an empty one whose leases are timed by `clock`; it is closed after its test. */
export function describeBackupStore(
  open: (clock: Clock) => BackupStore & { readonly admin: BackupAdmin },
  { largeBacklog = 200_000 }: { readonly largeBacklog?: number } = {},
): void {
  function makeStore() {
    const clock = new FakeClock();
    const store = open(clock);
    onTestFinished(() => store.close());
    const append = (...ids: string[]) =>
      store.append(
        'q',
        ids.map((id) => job(id)),
      );
    const lease = async (limit = 100): Promise<Lease> => {
      const lease = await store.lease('q', limit, LEASE_MS);
      if (!lease) throw new Error('Nothing to lease');
      return lease;
    };
    const leasedIds = async (limit = 100) => idsOf(await store.lease('q', limit, LEASE_MS));
    return { clock, store, append, lease, leasedIds };
  }

  describe('append', () => {
    it('adds jobs and says so, in order', async () => {
      const { append, leasedIds } = makeStore();
      expect(await append('a', 'b')).toEqual(['added', 'added']);
      expect(await append('c')).toEqual(['added']);
      expect(await leasedIds()).toEqual(['a', 'b', 'c']);
    });

    it('keeps the first of an id that is pending, also of one batch', async () => {
      const { store, lease } = makeStore();
      const first = job('a', { payload: '"first"' });
      const second = job('a', { payload: '"second"' });
      expect(await store.append('q', [first, second])).toEqual(['added', 'present']);
      expect(await store.append('q', [second, job('b')])).toEqual(['present', 'added']);
      expect((await lease()).jobs.map((job) => job.payload)).toEqual(['"first"', 'null']);
    });

    it('says present of an id that is leased, and added once it is gone', async () => {
      const { store, append, lease } = makeStore();
      await append('a');
      const { token } = await lease();
      expect(await append('a')).toEqual(['present']);
      await store.acknowledge(token, ['a']);
      expect(await append('a')).toEqual(['added']);
    });

    it('replaces a parked job of the same id', async () => {
      const { store, append, lease } = makeStore();
      await append('a');
      await store.park((await lease()).token, ['a'], 'rejected');
      expect(await store.append('q', [job('a', { payload: '"new"' })])).toEqual(['replaced']);
      expect(await store.stats('q')).toMatchObject({ pending: 1, parked: 0 });
      expect((await lease()).jobs[0]?.payload).toBe('"new"');
    });

    it('gives a record back with every field, also those it does not know', async () => {
      const { store, lease } = makeStore();
      const record = {
        ...job('a', { headers: { k: 'v' }, expiresAt: 5, transportOptions: { deep: [1] } }),
        ofTheFuture: true,
      };
      await store.append('q', [record]);
      expect((await lease()).jobs).toEqual([record]);
    });

    it('takes none at all', async () => {
      const { store } = makeStore();
      expect(await store.append('q', [])).toEqual([]);
      expect(await store.lease('q', 10, LEASE_MS)).toBeUndefined();
    });
  });

  describe('lease', () => {
    it('hands out up to its limit, oldest first, and each job to one holder', async () => {
      const { append, leasedIds } = makeStore();
      await append('a', 'b', 'c', 'd', 'e');
      expect(await leasedIds(2)).toEqual(['a', 'b']);
      expect(await leasedIds(2)).toEqual(['c', 'd']);
      expect(await leasedIds(2)).toEqual(['e']);
      expect(await leasedIds(2)).toBeUndefined();
    });

    it('has nothing for a queue it never heard of', async () => {
      expect(await makeStore().store.lease('other', 10, LEASE_MS)).toBeUndefined();
    });

    it('keeps queues apart, of one id too', async () => {
      const { store, append, lease } = makeStore();
      await append('a');
      expect(await store.append('other', [job('a', { queue: 'other' })])).toEqual(['added']);
      await store.acknowledge((await lease()).token, ['a']);
      expect(await store.stats('q')).toMatchObject({ pending: 0 });
      expect(await store.stats('other')).toMatchObject({ pending: 1, leased: 0 });
    });

    it('ends by the clock, to the millisecond', async () => {
      const { clock, append, leasedIds } = makeStore();
      await append('a', 'b');
      expect(await leasedIds(1)).toEqual(['a']);
      clock.advance(LEASE_MS - 1);
      expect(await leasedIds()).toEqual(['b']);
      clock.advance(1);
      expect(await leasedIds()).toEqual(['a']);
    });

    it('that would end further ahead than its length has ended: the clock was set back', async () => {
      const { clock, append, leasedIds } = makeStore();
      await append('a');
      expect(await leasedIds()).toEqual(['a']);
      clock.advance(-1);
      expect(await leasedIds()).toEqual(['a']);
      clock.advance(-3_600_000);
      expect(await leasedIds()).toEqual(['a']);
    });

    it('marks what it keeps as attempted, and hands out what was before', async () => {
      const { clock, append, lease } = makeStore();
      await append('a');
      const at = clock.now();
      expect((await lease()).jobs[0]).not.toHaveProperty('lastAttemptAt');
      clock.advance(LEASE_MS);
      expect((await lease()).jobs[0]?.lastAttemptAt).toBe(at);
    });

    it('keeps the time of the first attempt, which is the first to be forgotten', async () => {
      const { clock, store, lease } = makeStore();
      await store.append('q', [job('a', { lastAttemptAt: 5 }), job('b')]);
      const at = clock.now();
      for (let n = 0; n < 3; n++) {
        const { token, jobs } = await lease();
        expect(jobs.map((job) => job.lastAttemptAt)).toEqual([5, n === 0 ? undefined : at]);
        await store.release(token, ['a', 'b']);
        clock.advance(1000);
      }
    });

    it('does not change a record that it was given', async () => {
      const { store, lease } = makeStore();
      const record = Object.freeze(job('a'));
      await store.append('q', [record]);
      await lease();
      expect(record).toEqual(job('a'));
    });
  });

  describe('acknowledge', () => {
    it('removes for good, and takes what is gone already for no error', async () => {
      const { store, append, lease, clock, leasedIds } = makeStore();
      await append('a', 'b');
      const { token } = await lease();
      await store.acknowledge(token, ['a']);
      await store.acknowledge(token, ['a', 'never']);
      expect(await store.stats('q')).toMatchObject({ pending: 1, leased: 1 });
      clock.advance(LEASE_MS);
      expect(await leasedIds()).toEqual(['b']);
    });

    it('still counts when the lease has just ended and nobody else holds the job', async () => {
      const { store, append, lease, clock } = makeStore();
      await append('a');
      const { token } = await lease();
      clock.advance(LEASE_MS * 2);
      await store.acknowledge(token, ['a']);
      expect(await store.stats('q')).toMatchObject({ pending: 0 });
    });

    it('of a former holder does not remove a new job of the same id', async () => {
      const { store, append, lease } = makeStore();
      await append('a');
      const former = await lease();
      await store.acknowledge(former.token, ['a']);
      await append('a');
      await store.acknowledge(former.token, ['a']);
      expect(await store.stats('q')).toMatchObject({ pending: 1 });
    });
  });

  describe('release', () => {
    it('puts jobs back at their old place', async () => {
      const { store, append, lease, leasedIds } = makeStore();
      await append('a', 'b', 'c', 'd');
      const { token } = await lease(3);
      await store.release(token, ['b', 'a']);
      await append('e');
      expect(await store.stats('q')).toMatchObject({ pending: 5, leased: 1 });
      expect(await leasedIds()).toEqual(['a', 'b', 'd', 'e']);
    });
  });

  describe('an outdated token', () => {
    it.each(['acknowledge', 'release', 'park'] as const)('changes nothing: %s', async (call) => {
      const { store, append, lease, clock } = makeStore();
      await append('a');
      const former = await lease();
      clock.advance(LEASE_MS);
      const present = await lease();
      expect(present.token).not.toBe(former.token);
      const before = await store.stats('q');
      await store[call](former.token, ['a'], 'late');
      expect(await store.stats('q')).toEqual(before);
      expect(before).toMatchObject({ pending: 1, leased: 1, parked: 0 });
      expect(await store.lease('q', 1, LEASE_MS)).toBeUndefined();
      await store.acknowledge(present.token, ['a']);
      expect(await store.stats('q')).toMatchObject({ pending: 0, leased: 0 });
    });

    it.each(['acknowledge', 'release', 'park'] as const)(
      'nobody ever had changes nothing: %s',
      async (call) => {
        const { store, append } = makeStore();
        await append('a');
        await store[call]('no such token', ['a'], 'odd');
        expect(await store.stats('q')).toMatchObject({ pending: 1, leased: 0, parked: 0 });
      },
    );
  });

  describe('park', () => {
    it('sets aside with reason and time, out of every lease', async () => {
      const { store, append, lease, clock, leasedIds } = makeStore();
      await append('a', 'b');
      const { token } = await lease();
      clock.advance(5);
      await store.park(token, ['a'], 'rejected: WRONGTYPE');
      await store.release(token, ['a', 'b']);
      expect(await store.stats('q')).toMatchObject({ pending: 1, leased: 0, parked: 1 });
      const { jobs } = await store.admin.list('q', 'parked', { limit: 10 });
      expect(jobs).toMatchObject([
        { job: { id: 'a' }, reason: 'rejected: WRONGTYPE', parkedAt: clock.now() } satisfies Omit<
          ParkedJob,
          'job'
        > & { job: object },
      ]);
      expect(await leasedIds()).toEqual(['b']);
    });

    it('is undone by unpark: back to pending, at the end', async () => {
      const { store, append, lease, leasedIds } = makeStore();
      await append('a', 'b');
      await store.park((await lease(1)).token, ['a'], 'rejected');
      expect(await store.admin.unpark('q', ['a', 'b', 'never'])).toBe(1);
      expect(await store.admin.unpark('q', ['a'])).toBe(0);
      expect(await store.stats('q')).toMatchObject({ pending: 2, parked: 0 });
      expect(await leasedIds()).toEqual(['b', 'a']);
    });
  });

  describe('unpark', () => {
    it('keeps when a job was first sent, unless it is to be as new', async () => {
      const { store, append, lease, clock } = makeStore();
      await store.append('q', [job('a', { fate: 'unknown', lastAttemptAt: 7 })]);
      await append('b');
      const first = clock.now();
      await store.park((await lease()).token, ['a', 'b'], 'recognition-expired');
      clock.advance(5);
      await store.admin.unpark('q', ['a', 'b']);
      const { token, jobs } = await lease();
      expect(jobs).toMatchObject([
        { id: 'a', fate: 'unknown', lastAttemptAt: 7 },
        { id: 'b', fate: 'not-delivered', lastAttemptAt: first },
      ]);
      await store.park(token, ['a', 'b'], 'recognition-expired');
      expect(await store.admin.unpark('q', ['a', 'b'], { asNew: true })).toBe(2);
      expect((await store.stats('q')).unknown).toBe(0);
      expect((await lease()).jobs).toEqual([job('a'), job('b')]);
    });
  });

  describe('stats', () => {
    it('are all zero for a queue it never heard of', async () => {
      expect(await makeStore().store.stats('other')).toEqual({
        pending: 0,
        leased: 0,
        unknown: 0,
        parked: 0,
        bytes: 0,
      });
    });

    it('count jobs of unknown fate through every change', async () => {
      const { store, lease } = makeStore();
      const unknown = async () => (await store.stats('q')).unknown;
      await store.append('q', [job('a', { fate: 'unknown' }), job('b', { fate: 'unknown' }), job('c')]);
      await store.append('q', [job('a', { fate: 'unknown' })]);
      expect(await unknown()).toBe(2);
      const { token } = await lease();
      expect(await unknown()).toBe(2);
      await store.release(token, ['c']);
      await store.acknowledge(token, ['a']);
      expect(await unknown()).toBe(1);
      await store.park(token, ['b'], 'why');
      expect(await unknown()).toBe(0);
      await store.admin.unpark('q', ['b']);
      expect(await unknown()).toBe(1);
      await store.admin.remove('q', ['b', 'c']);
      expect(await unknown()).toBe(0);
      expect(await store.stats('q')).toEqual({ pending: 0, leased: 0, unknown: 0, parked: 0, bytes: 0 });
    });

    it('count bytes of UTF-8 of what is pending, not of what is parked', async () => {
      const { store, lease } = makeStore();
      const bytes = async () => (await store.stats('q')).bytes;
      const large = job('ü', { name: '€', payload: '"😀"', headers: { k: 'v' }, transportOptions: [1] });
      await store.append('q', [large, job('a')]);
      const first = 2 + 3 + 6 + '{"k":"v"}'.length + '[1]'.length;
      const second = 'a'.length + 'job'.length + 'null'.length;
      expect(await bytes()).toBe(first + second);
      await store.park((await lease(1)).token, ['ü'], 'why');
      expect(await bytes()).toBe(second);
    });

    it('name the oldest pending job, leased or not', async () => {
      const { store, lease } = makeStore();
      await store.append('q', [job('a', { enqueuedAt: 100 }), job('b', { enqueuedAt: 200 })]);
      const { token } = await lease(1);
      expect((await store.stats('q')).oldestAt).toBe(100);
      await store.acknowledge(token, ['a']);
      expect((await store.stats('q')).oldestAt).toBe(200);
      await store.admin.remove('q', ['b']);
      expect(await store.stats('q')).not.toHaveProperty('oldestAt');
    });
  });

  describe('admin', () => {
    it('lists in order, page by page, and nothing twice', async () => {
      const { store, append } = makeStore();
      await append('a', 'b', 'c', 'd', 'e');
      await store.admin.remove('q', ['b']);
      const first = await store.admin.list('q', 'pending', { limit: 3 });
      const rest = await store.admin.list('q', 'pending', { limit: 3, cursor: first.cursor });
      expect([...first.jobs, ...rest.jobs].map((job) => (job as JobRecord).id)).toEqual(['a', 'c', 'd', 'e']);
      expect(rest.cursor).toBeUndefined();
      expect(await store.admin.queues()).toEqual(['q']);
      expect(await store.admin.list('other', 'parked', { limit: 3 })).toEqual({ jobs: [] });
    });

    it('removes what is pending, leased or parked, and counts it', async () => {
      const { store, append, lease } = makeStore();
      await append('a', 'b', 'c');
      const { token } = await lease(2);
      await store.park(token, ['a'], 'why');
      expect(await store.admin.remove('q', ['a', 'b', 'c', 'never'])).toBe(3);
      await store.release(token, ['b']);
      expect(await store.stats('q')).toEqual({ pending: 0, leased: 0, unknown: 0, parked: 0, bytes: 0 });
      expect(await store.admin.remove('other', ['a'])).toBe(0);
    });

    it('removes only what is parked, or only what is pending, where that is asked for', async () => {
      const { store, append, lease } = makeStore();
      await append('a', 'b');
      await store.park((await lease(1)).token, ['a'], 'why');
      expect(await store.admin.remove('q', ['a', 'b'], { state: 'parked' })).toBe(1);
      expect(await store.stats('q')).toMatchObject({ pending: 1, parked: 0 });
      await append('a');
      await store.park((await lease(2)).token, ['a'], 'why');
      expect(await store.admin.remove('q', ['a', 'b'], { state: 'pending' })).toBe(1);
      expect(await store.stats('q')).toMatchObject({ pending: 0, parked: 1 });
    });
  });

  describe('a large backlog', () => {
    it('is leased and acknowledged to the end, in order, and leaves nothing', {
      timeout: 60_000,
    }, async () => {
      const { store } = makeStore();
      for (let from = 0; from < largeBacklog; from += 1000) {
        const jobs = Array.from({ length: 1000 }, (_, i) => job(`j${from + i}`));
        await store.append('q', jobs);
      }
      expect(await store.stats('q')).toMatchObject({ pending: largeBacklog });
      let next = 0;
      for (;;) {
        const lease = await store.lease('q', 256, LEASE_MS);
        if (!lease) break;
        expect(lease.jobs[0]?.id).toBe(`j${next}`);
        next += lease.jobs.length;
        expect(lease.jobs.at(-1)?.id).toBe(`j${next - 1}`);
        await store.acknowledge(
          lease.token,
          lease.jobs.map((job) => job.id),
        );
      }
      expect(next).toBe(largeBacklog);
      expect(await store.stats('q')).toEqual({ pending: 0, leased: 0, unknown: 0, parked: 0, bytes: 0 });
    });
  });

  describe('a closed store', () => {
    it.each(['append', 'lease', 'acknowledge', 'release', 'park'] as const)('rejects: %s', async (call) => {
      const { store, append, lease } = makeStore();
      await append('a');
      const { token } = await lease();
      await store.close();
      const calls = {
        append: () => append('b'),
        lease: () => store.lease('q', 1, LEASE_MS),
        acknowledge: () => store.acknowledge(token, ['a']),
        release: () => store.release(token, ['a']),
        park: () => store.park(token, ['a'], 'why'),
      };
      await expect(calls[call]()).rejects.toThrow('closed');
    });

    it('closes again without an error', async () => {
      const { store } = makeStore();
      await store.close();
      await expect(store.close()).resolves.toBeUndefined();
    });
  });
}
