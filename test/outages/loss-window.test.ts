import { readdirSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { MemoryBackupStore, type QueueOptions, StreamsTransport, streamKey } from '../../src/index.js';
import {
  type ClientKind,
  ioredis5Default,
  ioredisDefault,
  ioredisStrict,
  nodeRedisDefault,
} from '../support/clients.js';
import { LastingBackupStore, large, strikeUnderLoad, WatchedQueue } from '../support/loss-run.js';
import { MovingClient } from '../support/moving-client.js';
import { RedisServer } from '../support/redis-server.js';
import { SwitchingProxy } from '../support/switching-proxy.js';
import { waitFor } from '../support/wait-for.js';

/** A queue whose client and itself are ended with the test. */
function watch(
  name: string,
  { port }: { readonly port: number },
  options: Partial<QueueOptions> = {},
  kind: ClientKind = ioredisDefault,
): WatchedQueue {
  const { client, end } = kind.make({ port });
  const watched = new WatchedQueue(name, { redis: client, ...options });
  onTestFinished(async () => {
    await watched.end();
    end();
  });
  return watched;
}

/** FLUSHALL; resolves with how many jobs of each queue it took. */
async function flush(server: RedisServer, ...queues: readonly WatchedQueue[]): Promise<number[]> {
  const lengths = queues.map(({ name }) => `redis.call('XLEN', '${streamKey(name)}')`);
  const script = `local lengths = { ${lengths} } redis.call('FLUSHALL') return lengths`;
  return (await server.command('EVAL', script, '0')) as number[];
}

async function cutAppendOnlyFile(server: RedisServer): Promise<void> {
  const folder = join(server.directory, 'appendonlydir');
  const file = join(folder, readdirSync(folder).find((name) => name.endsWith('.incr.aof')) as string);
  const { size } = statSync(file);
  expect(size).toBeGreaterThan(50_000);
  truncateSync(file, Math.floor(size * 0.6));
}

const kinds = [ioredisDefault, ioredisStrict, nodeRedisDefault];

describe.each(kinds)('jobs that Redis acknowledged and lost are laid down again, under $name:', (kind) => {
  it('kill -9 and restart without persistence', async () => {
    await using server = await RedisServer.start({ appendOnly: 'no' });
    const watched = watch('killed', server, {}, kind);
    await strikeUnderLoad(watched, server, () => server.restart());
    const { totals, told } = await watched.expectMadeGood(server);
    expect(totals.redelivered, told).toBeGreaterThanOrEqual(600);
  });

  it('FLUSHALL', async () => {
    await using server = await RedisServer.start({ appendOnly: 'no' });
    const watched = watch('flushed', server, {}, kind);
    let lost = 0;
    await strikeUnderLoad(watched, server, async () => {
      [lost = 0] = await flush(server, watched);
    });
    const { totals, told } = await watched.expectMadeGood(server);
    expect(lost, told).toBeGreaterThanOrEqual(600);
    expect(totals.redelivered, told).toBe(lost);
    expect(watched.losses, told).toHaveLength(1);
  });

  it('an append-only file that lost its end', async () => {
    await using server = await RedisServer.start();
    const watched = watch('cut', server, {}, kind);
    await strikeUnderLoad(watched, server, async () => {
      await server.kill();
      await cutAppendOnlyFile(server);
      await server.restart();
    });
    const { totals, told } = await watched.expectMadeGood(server);
    expect(totals.redelivered, told).toBeGreaterThan(100);
    expect(watched.losses[0]?.recognised, told).toBeGreaterThan(100);
  });
});

describe('jobs that Redis acknowledged and lost are laid down again:', () => {
  it('kill -9 and restart with an old snapshot', async () => {
    await using server = await RedisServer.start({ appendOnly: 'no' });
    const watched = watch('old', server);
    await strikeUnderLoad(watched, server, async () => {
      await server.command('SAVE');
      await watched.untilDelivered(300);
      await server.restart();
    });
    const { totals, told } = await watched.expectMadeGood(server);
    expect(totals.redelivered, told).toBeGreaterThan(200);
    expect(watched.losses[0]?.recognised, told).toBeGreaterThanOrEqual(600);
  });

  it('a lagging replica promoted behind the same address, without a reconnect', async () => {
    await using primary = await RedisServer.start({ appendOnly: 'no' });
    await using replica = await replicaOf(primary);
    await using proxy = await SwitchingProxy.start(primary);
    // It speaks RESP2, with no handshake that the new server would miss.
    const watched = watch('promoted', proxy, {}, ioredis5Default);
    const breaker: string[] = [];
    watched.queue.on('breaker', ({ state }) => breaker.push(state));
    await strikeUnderLoad(watched, replica, async () => {
      await replica.command('REPLICAOF', 'NO', 'ONE');
      await watched.untilDelivered(300);
      await proxy.switchTo(replica);
    });
    const { totals, summary, told } = await watched.expectMadeGood(replica);
    expect(totals.redelivered, told).toBeGreaterThan(200);
    expect(watched.losses[0]?.recognised, told).toBeGreaterThanOrEqual(600);
    // Nothing else could have told: no outage, no connection lost.
    expect(summary.backedUp, told).toBe(0);
    expect(breaker).toEqual([]);
  });

  it.each([true, false])(
    'a stopped primary that wakes after the promotion and says "delivered" (replay by itself: %s)',
    async (auto) => {
      await using primary = await RedisServer.start({ appendOnly: 'no' });
      await using replica = await replicaOf(primary);
      const client = new MovingClient(primary);
      const watched = new WatchedQueue('woken', { redis: client, replay: { auto } });
      onTestFinished(async () => {
        await watched.end();
        client.disconnect();
      });
      const ended = new AbortController();
      const load = watched.offer(1500, { signal: ended.signal });
      await watched.untilDelivered(500);
      await replica.command('REPLICAOF', 'NO', 'ONE');
      await watched.untilDelivered(300);
      primary.pause();
      const { queue } = watched;
      await waitFor(() => queue.health().backup.unknown > 0 && queue.health().breaker === 'open', {
        what: 'unanswered jobs to be in the backup',
      });
      client.moveTo(replica);
      await watched.untilLost();
      primary.resume();
      await waitFor(() => client.lateReplies > 3, { what: 'the old primary to answer' });
      const pending = queue.health().backup.pending;
      if (!auto) {
        // Nothing of it left the backup on the old primary's word.
        expect(pending).toBeGreaterThan(100);
        await queue.replay();
      }
      await watched.untilDelivered(300);
      ended.abort();
      await load;
      await watched.settled();
      await watched.untilWhole(replica);
      const { summary, totals, told } = await watched.expectMadeGood(replica);
      expect(totals.redelivered, told).toBeGreaterThan(200);
      expect(summary.backedUp, told).toBeGreaterThan(100);
    },
  );

  it('without traffic, at once when the connection is new', async () => {
    await using server = await RedisServer.start({ appendOnly: 'no' });
    const watched = watch('new', server);
    await watched.fill(1000);
    await server.restart();
    await watched.untilLost();
    await watched.untilWhole(server);
    expect(watched.losses).toMatchObject([{ remembered: 1000, redelivered: 1000, recognised: 0 }]);
    await watched.expectMadeGood(server);
  });

  it('without traffic, within about a third of the window; and what left the window is told of', async () => {
    await using server = await RedisServer.start({ appendOnly: 'no' });
    const within = watch('within', server, { lossWindow: { ...large, ms: 3000 } });
    const after = watch('after', server, { lossWindow: { ...large, ms: 1000 } });
    await Promise.all([within.fill(1200), after.fill(1200)]);
    const filledAt = performance.now();

    // A canary that was sent a second later has found all of it there, so nothing is remembered any more.
    const canary = () => server.command('GET', 'rsq:{after}:canary');
    let last = await canary();
    await waitFor(
      async () => {
        const [before, now] = [last, await canary()];
        last = now;
        return before !== now && performance.now() - filledAt > 1100;
      },
      { what: 'a canary after the window' },
    );
    const flushedAt = performance.now();
    await flush(server, within, after);

    await within.untilLost();
    expect(performance.now() - flushedAt).toBeLessThan(1000 + 700);
    await within.untilWhole(server);
    expect(within.losses).toMatchObject([
      { remembered: 1200, redelivered: 1200, recognised: 0, windowExceeded: false },
    ]);
    await within.expectMadeGood(server);

    await after.queue.enqueue('later');
    expect(await after.untilLost()).toMatchObject([
      { remembered: 0, redelivered: 0, recognised: 0, windowExceeded: true },
    ]);
    expect(await server.command('XLEN', streamKey('after'))).toBe(1);
    expect(after.queue.health().totals).toMatchObject({ redelivered: 0, delivered: 1201 });
  });
});

it('tells that more may be lost when the window is too small, and doubles nothing', async () => {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const few = watch('few', server, { lossWindow: { ...large, jobs: 200 } });
  const short = watch('short', server, { lossWindow: { ...large, bytes: 2000 } });
  const report = watch('report', server, { lossWindow: { ...large, onLoss: 'report' } });
  const witnesses: unknown[] = [];
  const off = watch('off', server, { lossWindow: false, transport: noting(witnesses) });
  const all = [few, short, report, off];

  const ended = new AbortController();
  const loads = all.map((watched) => watched.offer(600, { signal: ended.signal }));
  await Promise.all(all.map((watched) => watched.untilDelivered(400)));
  const lost = await flush(server, ...all);
  await Promise.all(all.map((watched) => watched.untilDelivered(300)));
  ended.abort();
  await Promise.all(loads);
  await Promise.all(all.map((watched) => watched.settled()));
  await Promise.all([few, short, report].map((watched) => watched.untilLost()));
  expect(Math.min(...lost)).toBeGreaterThanOrEqual(400);

  for (const [i, watched] of [few, short].entries()) {
    const { summary, totals, told } = await watched.verdict(server);
    expect(watched.losses, told).toMatchObject([{ windowExceeded: true }]);
    expect(totals.redelivered, told).toBeGreaterThan(0);
    expect(totals.redelivered, told).toBeLessThanOrEqual(200);
    expect(summary.lost, told).toBe((lost[i] as number) - totals.redelivered);
  }
  const reported = await report.verdict(server);
  expect(report.losses, reported.told).toMatchObject([
    { redelivered: 0, recognised: 0, windowExceeded: false },
  ]);
  expect(report.losses[0]?.remembered, reported.told).toBeGreaterThanOrEqual(lost[2] as number);
  expect(reported.summary.lost, reported.told).toBe(lost[2]);
  const silent = await off.verdict(server);
  expect(off.losses).toEqual([]);
  expect(silent.summary.lost, silent.told).toBe(lost[3]);
  expect(witnesses.length).toBeGreaterThan(10);
  expect(new Set(witnesses)).toEqual(new Set([undefined]));
});

describe('a redelivery', () => {
  const JOBS = 8000;

  /** Fills the queue, loses all of it, and resolves in the middle of its redelivery. */
  async function interruptible(server: RedisServer, watched: WatchedQueue): Promise<void> {
    await watched.fill(JOBS);
    await flush(server, watched);
    // Its canary finds it out.
    void watched.queue.check();
    const length = async () => Number(await server.command('XLEN', streamKey(watched.name)));
    await waitFor(async () => (await length()) > 300, { what: 'a redelivery', everyMs: 1 });
    expect(watched.queue.health().totals.redelivered).toBeLessThan(JOBS);
  }

  it('goes on when Redis was down in the middle of it, and tells of all of it once', async () => {
    await using server = await RedisServer.start();
    const watched = watch('down', server);
    await interruptible(server, watched);
    await server.kill();
    await waitFor(() => watched.queue.health().breaker === 'open', { what: 'the breaker to open' });
    const { redelivered } = watched.queue.health().totals;
    expect(redelivered).toBeLessThan(JOBS);
    await server.restart();
    await watched.untilWhole(server);
    await watched.untilLost();
    await watched.expectMadeGood(server);
    expect(watched.losses).toMatchObject([{ remembered: JOBS, redelivered: JOBS, recognised: 0 }]);
  });

  it('begins anew with what is lost in the middle of it', async () => {
    await using server = await RedisServer.start({ appendOnly: 'no' });
    const watched = watch('twice', server);
    await interruptible(server, watched);
    const [lost = 0] = await flush(server, watched);
    await watched.untilWhole(server);
    await watched.untilLost(2);
    const { totals, told } = await watched.expectMadeGood(server);
    expect(totals.redelivered, told).toBe(JOBS + lost);
  });

  it('that a closing queue breaks off goes on from the backup, in the next process', async () => {
    await using server = await RedisServer.start({ appendOnly: 'no' });
    const backup = new LastingBackupStore();
    const watched = watch('closed', server, { backup });
    await interruptible(server, watched);
    const { pending } = await watched.queue.close({ timeoutMs: 0 });
    expect(pending).toBeGreaterThan(0);
    const { summary, totals, told } = await watched.verdict(server);
    expect(summary.lost, told).toBe(pending);
    expect(totals, told).toMatchObject({ accepted: JOBS, delivered: JOBS - pending, pending });
    expect(watched.losses, told).toMatchObject([{ remembered: JOBS, redelivered: JOBS - pending }]);

    const next = watch('closed', server, { backup });
    await waitFor(() => next.queue.health().totals.delivered === pending, { what: 'the replay' });
    expect(await next.queue.close()).toEqual({ pending: 0 });
    expect((await watched.verdict(server)).summary).toMatchObject({ delivered: JOBS, lost: 0, doubled: 0 });
  });

  it('that a closing queue can end in time is ended', async () => {
    await using server = await RedisServer.start({ appendOnly: 'no' });
    const watched = watch('ended', server);
    await interruptible(server, watched);
    expect(await watched.queue.close()).toEqual({ pending: 0 });
    await watched.expectMadeGood(server);
  });

  it('is begun by a queue that closes, when the loss has not been found before', async () => {
    await using server = await RedisServer.start({ appendOnly: 'no' });
    const watched = watch('last', server);
    await watched.fill(1000);
    await flush(server, watched);
    await watched.expectMadeGood(server);
    expect(watched.losses).toMatchObject([{ remembered: 1000, redelivered: 1000 }]);
  });

  it('puts jobs that Redis refuses into the backup, from where they are replayed', async () => {
    await using server = await RedisServer.start({ appendOnly: 'no' });
    const watched = watch('refused', server);
    await watched.fill(1000);
    await flush(server, watched);
    await server.command('SET', streamKey('refused'), 'somebody’s');
    await watched.queue.check();
    await watched.untilLost();
    const { backup, totals } = watched.queue.health();
    expect(backup).toMatchObject({ pending: 1000, unknown: 1000 });
    expect(totals).toMatchObject({ delivered: 0, pending: 1000, redelivered: 0 });
    expect(watched.losses).toMatchObject([{ remembered: 1000, redelivered: 0, recognised: 0 }]);
    await server.command('DEL', streamKey('refused'));
    await watched.queue.replay();
    await watched.untilWhole(server);
    const { summary, told } = await watched.verdict(server);
    expect(summary, told).toMatchObject({ delivered: 1000, lost: 0, doubled: 0 });
  });

  it('tries again when neither Redis nor the backup takes the jobs', async () => {
    await using server = await RedisServer.start({ appendOnly: 'no' });
    const backup = new MemoryBackupStore();
    const watched = watch('nowhere', server, { backup });
    const errors: string[] = [];
    watched.queue.on('error', ({ kind, error }) => errors.push(`${kind}: ${error.message}`));
    await watched.fill(1000);
    await flush(server, watched);
    await server.command('SET', streamKey('nowhere'), 'somebody’s');
    const append = backup.append.bind(backup);
    backup.append = async () => {
      throw new Error('disk full');
    };
    await watched.queue.check();
    await watched.untilLost();
    await waitFor(() => errors.includes('backup: disk full'), { what: 'the store to be tried' });
    backup.append = append;
    await waitFor(() => watched.queue.health().backup.pending === 1000, { what: 'the jobs to be kept' });
    expect(watched.queue.health().totals).toMatchObject({ delivered: 0, pending: 1000, dropped: 0 });
    await server.command('DEL', streamKey('nowhere'));
    const { summary, told } = await watched.verdict(server);
    expect(summary, told).toMatchObject({ lost: 0, doubled: 0 });
  });

  it('gives jobs up at the end, and says so, that neither Redis nor the backup takes', async () => {
    await using server = await RedisServer.start({ appendOnly: 'no' });
    const backup = new MemoryBackupStore();
    const watched = watch('given-up', server, { backup });
    const dropped: string[] = [];
    watched.queue.on('dropped', ({ reason }) => dropped.push(reason));
    await watched.fill(1000);
    await flush(server, watched);
    await server.command('SET', streamKey('given-up'), 'somebody’s');
    backup.append = async () => {
      throw new Error('disk full');
    };
    await watched.queue.check();
    await watched.untilLost();
    await watched.queue.close({ timeoutMs: 100 });
    expect(dropped).toEqual(Array(1000).fill('lost'));
    expect(watched.queue.health().totals).toMatchObject({ delivered: 0, pending: 0, dropped: 1000 });
    await server.command('DEL', streamKey('given-up'));
    const { summary, told } = await watched.verdict(server);
    expect(summary, told).toMatchObject({ lost: 1000, doubled: 0 });
  });

  it('drops what has expired, and says so', async () => {
    await using server = await RedisServer.start({ appendOnly: 'no' });
    const watched = watch('expired', server);
    const { queue } = watched;
    const dropped: string[] = [];
    queue.on('dropped', ({ id, reason }) => dropped.push(`${id} ${reason}`));
    const expiresAt = Date.now() + 300;
    const jobs = Array.from({ length: 100 }, (_, n) => n);
    await Promise.all(jobs.map((n) => queue.enqueue('job', n, { id: `soon-${n}`, expiresAt })));
    await Promise.all(jobs.map((n) => queue.enqueue('job', n, { id: `late-${n}` })));
    await flush(server, watched);
    await waitFor(() => Date.now() > expiresAt, { what: 'the jobs to expire' });
    await queue.check();
    await watched.untilLost();
    await waitFor(() => dropped.length === 100, { what: 'the jobs to be dropped' });
    expect(new Set(dropped)).toEqual(new Set(jobs.map((n) => `soon-${n} expired`)));
    expect(queue.health().totals).toMatchObject({ delivered: 100, dropped: 100, redelivered: 100 });
    expect(await server.command('XLEN', streamKey('expired'))).toBe(100);
    expect(watched.losses).toMatchObject([{ remembered: 200, redelivered: 100 }]);
  });

  it('lays a caller’s id down once, also when the caller enqueues it again after the loss', async () => {
    await using server = await RedisServer.start({ appendOnly: 'no' });
    const watched = watch('ids', server);
    const { queue } = watched;
    const enqueue = (n: number) => queue.enqueue('job', n, { id: `mine-${n}` });
    const jobs = Array.from({ length: 300 }, (_, n) => n);
    await Promise.all(jobs.map(enqueue));
    await flush(server, watched);
    // These come before the loss is known; each is laid down as a new delivery.
    const again = await Promise.all(jobs.slice(0, 100).map(enqueue));
    expect(new Set(again.map(({ outcome }) => outcome))).toEqual(new Set(['enqueued']));
    expect(await watched.untilLost()).toMatchObject([
      { remembered: 300, redelivered: 200, recognised: 100, windowExceeded: false },
    ]);
    const afterwards = await Promise.all(jobs.map(enqueue));
    expect(new Set(afterwards.map(({ outcome }) => outcome))).toEqual(new Set(['duplicate']));
    await queue.close();
    expect(await server.command('XLEN', streamKey('ids'))).toBe(300);
  });
});

/** A replica that gets every write as it comes. */
async function replicaOf(primary: RedisServer): Promise<RedisServer> {
  await primary.command('CONFIG', 'SET', 'repl-diskless-sync-delay', '0');
  const args = ['--replicaof', primary.host, String(primary.port)];
  const replica = await RedisServer.start({ appendOnly: 'no', args });
  await waitFor(async () => /state=online/.test(String(await primary.command('INFO', 'replication'))), {
    what: 'the replica to be online',
  });
  await primary.command('SET', 'arrived', '1');
  await waitFor(() => replica.command('GET', 'arrived'), { what: 'a write to reach the replica' });
  return replica;
}

/** The usual transport; notes the witness of each delivery. */
function noting(witnesses: unknown[]): StreamsTransport {
  const transport = new StreamsTransport();
  const deliver = transport.deliver.bind(transport);
  transport.deliver = (connection, jobs, context) => {
    witnesses.push(context.witness);
    return deliver(connection, jobs, context);
  };
  return transport;
}
