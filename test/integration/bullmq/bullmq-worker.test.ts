import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { LmdbBackupStore } from '../../../src/backup/lmdb.js';
import { MemoryBackupStore } from '../../../src/index.js';
import { bullMqSite, openQueue } from '../../support/bullmq/bullmq-site.js';
import { bullMqKinds, type QueueSettings } from '../../support/bullmq/kinds.js';
import { temporaryFolder } from '../../unit/support/temporary-folder.js';

describe.each(bullMqKinds)('a job that a worker runs: $name', (kind) => {
  it('is what was enqueued, under its id', async () => {
    const { open, work, ran, hasRun } = await bullMqSite(kind);
    const { queue } = open();
    const payload = { text: 'Grüße, 世界 🚀', nested: [1, 2.5, null, { deep: true }], __proto__: null };
    const before = Date.now();
    const receipt = await queue.enqueue('mail.send', payload, { id: 'mine' });
    expect(receipt).toEqual({ id: 'mine', outcome: 'enqueued', durability: 'acked' });
    const generated = await queue.enqueue('mail.send', 'text');
    await work();
    await hasRun(2);
    expect(ran[0]).toMatchObject({ id: 'mine', name: 'mail.send' });
    expect(ran[0]?.data).toEqual({ text: payload.text, nested: payload.nested });
    expect(ran[0]?.timestamp).toBeGreaterThanOrEqual(before);
    expect(ran[1]).toMatchObject({ id: generated.id, data: 'text' });
  });

  it('has the options that were asked for', async () => {
    const { open, work, ran, hasRun } = await bullMqSite(kind);
    const { queue } = open();
    const options = {
      attempts: 3,
      backoff: { type: 'exponential', delay: 50, jitter: 0.5 },
      keepLogs: 5,
      removeOnComplete: { age: 60 },
      removeOnFail: 10,
      timestamp: 1_700_000_000_000,
    };
    await queue.enqueue('last', {}, { transport: { priority: 7 } as never });
    await queue.enqueue('first', {}, { transport: { priority: 3 } as never });
    await queue.enqueue('ahead of both', {}, { transport: options as never });
    await work();
    await hasRun(3);
    expect(ran.map(({ name }) => name)).toEqual(['ahead of both', 'first', 'last']);
    expect(ran[0]?.opts).toMatchObject(options);
    expect(ran[0]?.timestamp).toBe(options.timestamp);
  });

  it('runs once under one id, whoever enqueues it again', async () => {
    const { open, work, idsRun, hasRun, server } = await bullMqSite(kind);
    const { queue } = open();
    const both = await Promise.all([
      queue.enqueue('job', 1, { id: 'a' }),
      queue.enqueue('job', 2, { id: 'a' }),
    ]);
    expect(both.map(({ outcome }) => outcome)).toEqual(['enqueued', 'duplicate']);
    const other = kind.make('orders', server.port);
    onTestFinished(other.end);
    const neighbour = openQueue(other.queue).queue;
    expect(await neighbour.enqueue('job', 3, { id: 'a' })).toEqual({ id: 'a', outcome: 'duplicate' });
    await queue.enqueue('job', 4, { id: 'b' });
    await work();
    await hasRun(2);
    expect(await queue.enqueue('job', 5, { id: 'a' })).toEqual({ id: 'a', outcome: 'duplicate' });
    await sleep(300);
    expect(idsRun()).toEqual(['a', 'b']);
    expect(queue.health().totals).toMatchObject({ accepted: 2, delivered: 2, duplicates: 2 });
  });

  it.each<[string, NonNullable<QueueSettings['defaultJobOptions']>]>([
    ['removed when it has run', { removeOnComplete: true }],
    ['removed to make room for others', { removeOnComplete: { count: 1 } }],
    ['removed when it has failed', { removeOnFail: true }],
  ])('runs once although it was %s', async (_, settings) => {
    const { open, work, idsRun, hasRun, keys } = await bullMqSite(kind, {
      defaultJobOptions: settings,
    });
    const { queue } = open();
    await work();
    await queue.enqueue('removeOnFail' in settings ? 'fail' : 'job', 1, { id: 'a' });
    await hasRun(1);
    await queue.enqueue('job', 1, { id: 'b' });
    await hasRun(2);
    await expect.poll(() => keys('bull:orders:a')).toEqual([]);
    expect(await queue.enqueue('job', 2, { id: 'a' })).toEqual({ id: 'a', outcome: 'duplicate' });
    await sleep(300);
    expect(idsRun()).toEqual(['a', 'b']);
  });

  it('runs again once the time is over for which its id is known', async () => {
    const { open, work, idsRun, hasRun, server } = await bullMqSite(kind, {
      defaultJobOptions: { removeOnComplete: true },
    });
    const { queue } = open();
    await queue.enqueue('job', 1, { id: 'a' });
    const left = Number(await server.command('PTTL', 'bull:orders:de:rsq:a'));
    expect(left).toBeGreaterThan(86_400_000 - 60_000);
    expect(left).toBeLessThanOrEqual(86_400_000);
    await work();
    await hasRun(1);
    await server.command('PEXPIRE', 'bull:orders:de:rsq:a', '1');
    await sleep(50);
    expect(await queue.enqueue('job', 2, { id: 'a' })).toMatchObject({ outcome: 'enqueued' });
    await hasRun(2);
    expect(idsRun()).toEqual(['a', 'a']);
  });

  it('runs again when it was removed by hand, as BullMQ forgets it then', async () => {
    const { open, work, bullMq, idsRun, hasRun } = await bullMqSite(kind);
    const { queue } = open();
    await queue.enqueue('job', 1, { id: 'a' });
    await bullMq.remove('a');
    expect(await queue.enqueue('job', 2, { id: 'a' })).toMatchObject({ outcome: 'enqueued' });
    await work();
    await hasRun(1);
    await sleep(100);
    expect(idsRun()).toEqual(['a']);
  });

  it('with a priority runs once, also when it was promoted, or retried, among all', async () => {
    const { open, work, bullMq, idsRun, hasRun } = await bullMqSite(kind);
    const { queue } = open();
    const all = bullMq as unknown as Record<
      'pause' | 'promoteJobs' | 'resume' | 'retryJobs',
      () => Promise<void>
    >;
    const options = { id: 'a', transport: { priority: 5 } as never };
    await queue.enqueue('fail', 1, { ...options, runAt: Date.now() + 3_600_000 });
    await all.promoteJobs();
    expect(await queue.enqueue('fail', 1, options)).toEqual({ id: 'a', outcome: 'duplicate' });
    await work();
    await hasRun(1);
    await all.pause();
    await sleep(300);
    await all.retryJobs();
    expect(await queue.enqueue('fail', 1, options)).toEqual({ id: 'a', outcome: 'duplicate' });
    await all.resume();
    await hasRun(2);
    await sleep(300);
    expect(idsRun()).toEqual(['a', 'a']);
  });

  it('is given back by its caller after an unknown fate, and is there once', async () => {
    const { open, work, idsRun, hasRun } = await bullMqSite(kind);
    const { queue } = open();
    const { id } = await queue.enqueue('job', 1);
    expect(await queue.enqueue('job', 1, { id })).toEqual({ id, outcome: 'duplicate' });
    await work();
    await hasRun(1);
    await sleep(200);
    expect(idsRun()).toEqual([id]);
  });
});

describe.each(bullMqKinds)('runAt: $name', (kind) => {
  it('is when a job is due, and not before', async () => {
    const { open, work, ran, hasRun, server } = await bullMqSite(kind);
    const { queue } = open();
    await work();
    const runAt = Date.now() + 1500;
    await queue.enqueue('later', 1, { runAt, id: 'later' });
    await queue.enqueue('now', 2, { runAt: runAt - 5000 });
    expect(await server.command('HMGET', 'bull:orders:later', 'timestamp', 'delay')).toSatisfy(
      ([timestamp, delay]: string[]) => Number(timestamp) + Number(delay) === runAt,
    );
    await hasRun(1);
    expect(ran[0]?.name).toBe('now');
    await hasRun(2);
    expect(Date.now()).toBeGreaterThanOrEqual(runAt);
    expect(Date.now()).toBeLessThan(runAt + 1500);
  });

  it('is the same for a job that is replayed later', async () => {
    const { open, work, ran, hasRun, server } = await bullMqSite(kind);
    const { queue, isUp } = open();
    const isolation = queue.isolate();
    const runAt = new Date(Date.now() + 2500.4);
    await queue.enqueue('due later', 1, { runAt, id: 'later' });
    await queue.enqueue('due by then', 2, { runAt: Date.now() + 300 });
    await sleep(1000);
    isolation.dispose();
    await isUp();
    const [timestamp, delay] = (await server.command(
      'HMGET',
      'bull:orders:later',
      'timestamp',
      'delay',
    )) as string[];
    expect(Number(timestamp) + Number(delay)).toBe(runAt.getTime());
    await work();
    await hasRun(1);
    expect(ran[0]?.name).toBe('due by then');
    await hasRun(2);
    expect(Date.now()).toBeGreaterThanOrEqual(runAt.getTime());
  });

  it('wins over a delay that the queue gives to all jobs', async () => {
    const { open, work, ran, hasRun } = await bullMqSite(kind, { defaultJobOptions: { delay: 3_600_000 } });
    const { queue } = open();
    await work();
    await queue.enqueue('in an hour', 1);
    await queue.enqueue('now', 2, { runAt: Date.now() });
    await hasRun(1);
    expect(ran.map(({ name }) => name)).toEqual(['now']);
  });
});

describe.each(bullMqKinds)('a job in the backup: $name', (kind) => {
  it('is replayed by the next process, with its options, and run once', async () => {
    const { open, work, ran, hasRun, bullMq } = await bullMqSite(kind);
    const folder = temporaryFolder();
    const first = openQueue(bullMq, { backup: new LmdbBackupStore({ path: folder }) });
    first.queue.isolate();
    const transport = { attempts: 4, removeOnComplete: true } as never;
    const receipt = await first.queue.enqueue('job', { n: 1 }, { id: 'mine', transport });
    expect(receipt).toMatchObject({ outcome: 'backed-up' });
    await first.queue.close();
    const second = open({ backup: new LmdbBackupStore({ path: folder }) });
    await second.isUp();
    await work();
    await hasRun(1);
    expect(ran[0]).toMatchObject({
      id: 'mine',
      data: { n: 1 },
      opts: { attempts: 4, removeOnComplete: true },
    });
  });

  it('of unknown fate is parked once BullMQ may not know it any more', async () => {
    const { open, keys } = await bullMqSite(kind);
    const backup = new MemoryBackupStore();
    const record = {
      ...{ version: 1, queue: 'orders', name: 'job', payload: '1', transport: 'bullmq' },
      ...{ fate: 'unknown' as const, enqueuedAt: Date.now() - 23.5 * 3_600_000 },
    };
    const young = { ...record, lastAttemptAt: Date.now() - 22 * 3_600_000 };
    await backup.append('orders', [
      { ...record, id: 'old', delivery: `${'a'.repeat(27)}-0` },
      { ...young, id: 'young', delivery: `${'a'.repeat(27)}-1` },
    ]);
    const { queue } = open({ backup });
    const parked: unknown[] = [];
    queue.on('parked', ({ id, reason }) => parked.push([id, reason]));
    await expect.poll(() => queue.health().totals).toMatchObject({ inherited: 2, parked: 1, delivered: 1 });
    expect(parked).toEqual([['old', 'recognition-expired']]);
    expect(await keys('bull:orders:old')).toEqual([]);
    expect(await keys('bull:orders:young')).toEqual(['bull:orders:young']);
  });
});
