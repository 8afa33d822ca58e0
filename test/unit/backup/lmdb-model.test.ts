import fc from 'fast-check';
import { expect, it, onTestFinished } from 'vitest';
import { everyQueue, formatKey } from '../../../src/backup/lmdb/keys.js';
import { Tree } from '../../../src/backup/lmdb/tree.js';
import { LmdbBackupStore } from '../../../src/backup/lmdb.js';
import { type BackupStore, type JobRecord, MemoryBackupStore } from '../../../src/index.js';
import { FakeClock } from '../support/fake-clock.js';
import { jobRecord } from '../support/job-record.js';
import { temporaryFolder } from '../support/temporary-folder.js';

const LEASE_MS = 1000;
const RUNS = Number(process.env.LMDB_MODEL_RUNS ?? 60);
const epochs = ['018bcfe5680aaaaaaaaaaaaaaaa', '018bcfe5680bbbbbbbbbbbbbbbb'];
/** Ids that the library never makes, near those that it does. */
const strangeIds = [
  ...[
    '018bcfe5680aaaaaaaaaaaaaaaa-01',
    '018BCFE5680AAAAAAAAAAAAAAAA-1',
    '018bcfe5680aaaaaaaaaaaaaaaa-1048576',
  ],
  ...['018bcfe5680aaaaaaaaaaaaaaaa-', '018bcfe5680aaaaaaaaaaaaaaaa', 'order-1', 'order-2', 'ö', '-1', '1'],
];

/** One step. Which jobs it means is said by numbers: they are taken from those that are there. */
type Step =
  | { readonly what: 'append'; readonly ids: readonly string[]; readonly salt: number }
  | { readonly what: 'lease'; readonly limit: number }
  | {
      readonly what: 'settle';
      readonly how: 'acknowledge' | 'release' | 'park';
      readonly picks: readonly number[];
    }
  | { readonly what: 'remove' | 'unpark'; readonly ids: readonly string[] }
  | { readonly what: 'wait'; readonly ms: number };

const epoch = fc.constantFrom(...epochs);
const seq = fc.oneof(fc.nat(300), fc.integer({ min: 2 ** 20 - 150, max: 2 ** 20 - 1 }));
const generatedId = fc.tuple(epoch, seq).map(([epoch, seq]) => `${epoch}-${seq}`);
const id = fc.oneof(
  { weight: 4, arbitrary: generatedId },
  { weight: 1, arbitrary: fc.constantFrom(...strangeIds) },
);
const run = fc
  .tuple(epoch, seq, fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 20, max: 300 })))
  .map(([epoch, from, count]) =>
    Array.from({ length: Math.min(count, 2 ** 20 - from) }, (_, n) => `${epoch}-${from + n}`),
  );
const ids = fc.oneof(
  { weight: 5, arbitrary: run },
  { weight: 1, arbitrary: run.map((ids) => [...ids].reverse()) },
  { weight: 2, arbitrary: fc.array(id, { minLength: 1, maxLength: 40 }) },
  { weight: 1, arbitrary: fc.tuple(run, fc.array(id, { maxLength: 5 }), run).map((parts) => parts.flat()) },
);
const picks = fc.oneof(fc.constant([1]), fc.array(fc.nat(1), { minLength: 1, maxLength: 7 }));
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ what: fc.constant('append'), ids, salt: fc.nat(1000) }) },
  {
    weight: 3,
    arbitrary: fc.record({ what: fc.constant('lease'), limit: fc.integer({ min: 1, max: 400 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      what: fc.constant('settle'),
      how: fc.constantFrom('acknowledge', 'acknowledge', 'release', 'park'),
      picks,
    }),
  },
  { weight: 2, arbitrary: fc.record({ what: fc.constantFrom('remove', 'unpark'), ids }) },
  {
    weight: 1,
    arbitrary: fc.record({ what: fc.constant('wait'), ms: fc.integer({ min: 1, max: LEASE_MS }) }),
  },
);

const jobOf = (id: string, salt: number): JobRecord =>
  jobRecord({
    id,
    delivery: id,
    payload: JSON.stringify('x'.repeat(salt)),
    fate: salt % 3 === 0 ? 'unknown' : 'not-delivered',
    enqueuedAt: 1_700_000_000_000 + salt,
  });

/** A store and the leases taken of it. */
interface Side {
  readonly store: BackupStore;
  readonly leases: { readonly token: string; readonly ids: readonly string[]; readonly endsAt: number }[];
}

/** Takes a step; resolves with what a caller sees of it. */
async function take(side: Side, queue: string, step: Step, clock: FakeClock): Promise<unknown> {
  const { store, leases } = side;
  if (step.what === 'append')
    return store.append(
      queue,
      step.ids.map((id, n) => jobOf(id, step.salt + (n % 3))),
    );
  if (step.what === 'remove') return store.admin?.remove(queue, step.ids);
  if (step.what === 'unpark') return store.admin?.unpark(queue, step.ids);
  if (step.what === 'lease') {
    const lease = await store.lease(queue, step.limit, LEASE_MS);
    if (lease)
      leases.push({
        token: lease.token,
        ids: lease.jobs.map(({ id }) => id),
        endsAt: clock.now() + LEASE_MS,
      });
    return lease?.jobs;
  }
  if (step.what === 'settle') {
    // What an outdated token does is the store's own affair.
    const lease = leases.find(({ endsAt }) => endsAt > clock.now());
    const ids = lease?.ids.filter((_, n) => step.picks[n % step.picks.length] === 1);
    if (!lease || !ids) return;
    if (step.how === 'park') await store.park(lease.token, ids, 'why');
    else await store[step.how](lease.token, ids);
  }
  return;
}

/** All that can be seen of a queue. */
async function look({ store }: Side, queue: string): Promise<unknown> {
  const { leased, ...stats } = await store.stats(queue);
  const pages = async (state: 'pending' | 'parked') => {
    const jobs: unknown[] = [];
    for (let cursor: string | undefined; ; ) {
      const page = await store.admin?.list(queue, state, { limit: 70, cursor });
      jobs.push(...(page?.jobs ?? []));
      cursor = page?.cursor;
      if (cursor === undefined) return jobs;
    }
  };
  const parked = (await pages('parked')).map((job) => JSON.stringify(job)).sort();
  return { stats, pending: await pages('pending'), parked };
}

async function empty({ store }: Side, queue: string): Promise<void> {
  for (const state of ['pending', 'parked'] as const) {
    const page = await store.admin?.list(queue, state, { limit: 100_000 });
    const ids = page?.jobs.map((job) => ('job' in job ? job.job.id : job.id)) ?? [];
    await store.admin?.remove(queue, ids);
  }
}

it(`does what the memory's store does, in ${RUNS} random lives, and leaves nothing behind`, {
  timeout: 30_000 + RUNS * 5000,
}, async () => {
  const path = temporaryFolder();
  const clock = new FakeClock();
  const lmdb = new LmdbBackupStore({ path, clock });
  onTestFinished(() => lmdb.close());
  let lives = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (steps) => {
      const queue = `q${lives++}`;
      const model: Side = { store: new MemoryBackupStore({ clock }), leases: [] };
      const real: Side = { store: lmdb, leases: [] };
      for (const step of steps) {
        if (step.what === 'wait') clock.advance(step.ms);
        const expected = await take(model, queue, step, clock);
        expect(await take(real, queue, step, clock)).toEqual(expected);
        expect(await look(real, queue)).toEqual(await look(model, queue));
      }
      await empty(real, queue);
    }),
    { numRuns: RUNS },
  );
  await lmdb.close();
  const tree = new Tree(path);
  const left = tree.keys({ start: Buffer.from([0]), end: Buffer.from([255]) });
  const queues = tree.keys(everyQueue);
  await tree.close();
  const isOurs = (key: Buffer) => key.equals(formatKey) || queues.some((queue) => queue.equals(key));
  expect(left.filter((key) => !isOurs(key)).map((key) => key.toString('hex'))).toEqual([]);
});
