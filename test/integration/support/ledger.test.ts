import { expect, it } from 'vitest';
import { Ledger } from '../../support/ledger.js';

const resolved = (id: string, outcome = 'enqueued') => Promise.resolve({ id, outcome });
const rejected = (error: object) => Promise.reject(Object.assign(new Error('no'), error));
const never = new Promise<never>(() => undefined);

it('finds nothing amiss when every accepted job stands in the queue once', async () => {
  const ledger = new Ledger();
  await ledger.track('a', resolved('a'));
  await ledger.track('b', resolved('b', 'backed-up'));
  await ledger.track(undefined, resolved('generated'));
  ledger.delivered(['b', 'a', 'generated']);
  expect(ledger.summary()).toMatchObject({
    ...{ accepted: 3, enqueued: 2, backedUp: 1, duplicates: 0, delivered: 3 },
    ...{ lost: 0, doubled: 0, ghosts: 0, rejected: 0, unsettled: 0, errors: {} },
  });
});

it('finds lost, doubled, ghost and unsettled jobs', async () => {
  const ledger = new Ledger();
  await ledger.track('lost', resolved('lost', 'backed-up'));
  await ledger.track('doubled', resolved('doubled'));
  await ledger.track('nowhere', rejected({ code: 'UNAVAILABLE', fate: 'not-delivered' }));
  void ledger.track('hung', never);
  void ledger.track(undefined, never);
  ledger.delivered(['doubled', 'doubled', 'nowhere', 'stranger', 'hung']);
  expect(ledger.unsettled).toBe(2);
  expect(ledger.summary()).toMatchObject({
    ...{
      lost: 1,
      lostIds: ['lost'],
      doubled: 1,
      doubledIds: ['doubled'],
      ghosts: 2,
      ghostIds: ['nowhere', 'stranger'],
    },
    ...{ accepted: 2, rejected: 1, unsettled: 2, delivered: 4, errors: { UNAVAILABLE: 1 } },
  });
});

it('allows a job of unknown fate to be delivered or not, but once', async () => {
  const ledger = new Ledger();
  for (const id of ['ran', 'ran-twice', 'did-not-run']) {
    await ledger.track(undefined, rejected({ code: 'UNAVAILABLE', fate: 'unknown', jobId: id }));
  }
  ledger.delivered(['ran', 'ran-twice', 'ran-twice']);
  expect(ledger.summary()).toMatchObject({ rejected: 3, ghosts: 0, lost: 0, doubledIds: ['ran-twice'] });
});

it('counts a job that was retried under its id once', async () => {
  const ledger = new Ledger();
  await ledger.track('a', rejected({ code: 'UNAVAILABLE', fate: 'unknown' }));
  await ledger.track('a', resolved('a', 'duplicate'));
  await ledger.track('b', resolved('b'));
  await ledger.track('b', resolved('b', 'duplicate'));
  ledger.delivered(['a', 'b']);
  expect(ledger.summary()).toMatchObject({
    accepted: 2,
    enqueued: 1,
    duplicates: 2,
    rejected: 0,
    lost: 0,
    ghosts: 0,
  });
  ledger.delivered(['b']);
  expect(ledger.summary().lostIds).toEqual(['a']);
});

it('counts rejections without a job, odd rejections, and receipts of another job', async () => {
  const ledger = new Ledger();
  await ledger.track(undefined, rejected({}));
  await ledger.track(undefined, Promise.reject('text'));
  await ledger.track(undefined, Promise.reject(undefined));
  await ledger.track('mine', resolved('yours'));
  expect(ledger.summary()).toMatchObject({
    rejected: 3,
    accepted: 1,
    lostIds: ['mine'],
    errors: { Error: 1, text: 1, undefined: 1, 'receipt of another job': 1 },
  });
});

it('replaces what it knew of the queue with each look', async () => {
  const ledger = new Ledger();
  await ledger.track('a', resolved('a'));
  ledger.delivered(['a']);
  ledger.delivered(['a']);
  expect(ledger.summary()).toMatchObject({ delivered: 1, doubled: 0, lost: 0 });
});

it('times calls until they settle', async () => {
  const ledger = new Ledger();
  const slow = new Promise<{ id: string; outcome: string }>((resolve) => {
    setTimeout(() => resolve({ id: 'slow', outcome: 'enqueued' }), 50);
  });
  await Promise.all([
    ledger.track('slow', slow),
    ...Array.from({ length: 199 }, (_, i) => ledger.track(`${i}`, resolved(`${i}`))),
  ]);
  const { worstMs, p99Ms } = ledger.summary();
  expect(worstMs).toBeGreaterThanOrEqual(49);
  expect(p99Ms).toBeLessThan(worstMs);
});

it('prints a compact table', async () => {
  const ledger = new Ledger();
  for (let i = 0; i < 5; i++) await ledger.track(`job-${i}`, resolved(`job-${i}`));
  await ledger.track(undefined, rejected({ code: 'BACKUP_FULL' }));
  const table = ledger.toString();
  expect(table).toMatch(/^accepted +5$/m);
  expect(table).toMatch(/^lost +5 {2}\(job-0, job-1, job-2, …\)$/m);
  expect(table).toMatch(/^error BACKUP_FULL +1$/m);
});

it('handles hundreds of thousands of jobs', { timeout: 20_000 }, async () => {
  const ledger = new Ledger();
  const ids = Array.from({ length: 300_000 }, (_, i) => `0198c7d2e4f1-${i}`);
  const startedAt = performance.now();
  for (const [i, id] of ids.entries()) {
    const tracked = ledger.track(id, resolved(id));
    if (i % 10_000 === 9_999) await tracked;
  }
  ledger.delivered(ids.slice(1));
  expect(ledger.summary()).toMatchObject({ accepted: 300_000, delivered: 299_999, lostIds: [ids[0]] });
  expect(performance.now() - startedAt).toBeLessThan(10_000);
});
