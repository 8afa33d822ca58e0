import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { DeliveryOutcome, JobRecord, RedisConnection } from '../../../src/index.js';
import { systemClock } from '../../../src/index.js';
import { sortFailure } from '../../../src/policy/outage.js';
import { DeliveryIds, parseDeliveryId } from '../../../src/recognition/delivery-id.js';
import { EpochNotes } from '../../../src/recognition/epoch-notes.js';
import { queueKeys } from '../../../src/recognition/queue-keys.js';
import { IoredisConnection } from '../../../src/redis/ioredis.js';
import { RqTransport } from '../../../src/transport/rq.js';
import { RedisServer } from '../../support/redis-server.js';
import { waitFor } from '../../support/wait-for.js';
import { jobRecord } from '../../unit/support/job-record.js';

const QUEUE = 'q';
const NOW = 1_700_000_000_000;
const keys = queueKeys(QUEUE);
const transport = new RqTransport({ serializer: 'json' });
const ids = new DeliveryIds({ now: Date.now } as never, () => {});

let server: RedisServer;
/** Of a user whose rights the tests take and give back. */
let connection: RedisConnection;

beforeAll(async () => {
  server = await RedisServer.start({ appendOnly: 'no' });
  await server.command('ACL', 'SETUSER', 'app', 'on', '>secret', '~*', '&*', '+@all');
  const client = new Redis({ port: server.port, username: 'app', password: 'secret' });
  connection = new IoredisConnection(client);
  return () => client.disconnect();
});
afterAll(() => server.stop());
beforeEach(async () => {
  await server.command('CONFIG', 'SET', 'maxmemory', '0');
  await server.command('ACL', 'SETUSER', 'app', '+@all');
  await server.command('FLUSHALL');
});

const deny = (...commands: string[]) =>
  server.command('ACL', 'SETUSER', 'app', ...commands.map((command) => `-${command}`));
const allow = () => server.command('ACL', 'SETUSER', 'app', '+@all');

/** Each job's outcome in a word; a refusal as its kind. `isNoted`: by the usual script, where the jobs let it. */
async function outcomes(jobs: readonly JobRecord[], isNoted = false): Promise<string[]> {
  const notes = new EpochNotes(systemClock);
  if (isNoted) notes.noted(jobs.map(({ delivery }) => parseDeliveryId(delivery).epoch));
  const context = { queue: QUEUE, now: NOW, callerMs: 60_000, witness: undefined, notes };
  return (await transport.deliver(connection, jobs, context)).outcomes.map(inAWord);
}

function inAWord(outcome: DeliveryOutcome): string {
  return typeof outcome === 'string' ? outcome : sortFailure(outcome.rejected, false).kind;
}

const make = (fields: Partial<JobRecord> = {}): JobRecord =>
  jobRecord({ delivery: ids.next(), name: 'jobs.note', payload: '[1]', enqueuedAt: NOW, ...fields });

/** One of each kind: each needs other commands. */
const batch = () => ({
  plain: make(),
  mine: make({ id: `mine-${ids.next()}` }),
  short: make({ transportOptions: { ttlSeconds: 60 } }),
  front: make({ transportOptions: { atFront: true } }),
  later: make({ runAt: NOW + 60_000 }),
});

const waiting = () => server.command('LRANGE', 'rq:queue:q', '0', '-1') as Promise<string[]>;
const scheduled = () => server.command('ZRANGE', 'rq:scheduled:q', '0', '-1') as Promise<string[]>;
const hashes = async () =>
  ((await server.command('KEYS', 'rq:job:*')) as string[]).map((key) => key.slice('rq:job:'.length));

async function bitOf({ delivery }: JobRecord): Promise<unknown> {
  const { epoch, seq } = parseDeliveryId(delivery);
  return server.command('GETBIT', keys.seen(epoch), String(seq));
}

/** Exactly `jobs` stand in RQ's keys, each once and whole. */
async function expectInLine(jobs: readonly JobRecord[]): Promise<void> {
  const expected = jobs.map(({ id }) => id).sort();
  expect([...(await waiting()), ...(await scheduled())].sort()).toEqual(expected);
  expect((await hashes()).sort()).toEqual(expected);
}

async function untilMarkersAreGone(jobs: readonly JobRecord[]): Promise<void> {
  for (const { id } of jobs) {
    const isGone = async () => (await server.command('GET', keys.marker(id))) === null;
    await waitFor(isGone, { what: 'the marker that was taken back to be gone', timeoutMs: 1000 });
  }
}

describe.each([
  { script: 'the general script', isNoted: false },
  { script: 'the usual script where it can be used', isNoted: true },
])('$script', ({ isNoted }) => {
  it('recognises each delivery, also when its job was run and is gone', async () => {
    const jobs = Object.values(batch());
    expect(await outcomes(jobs, isNoted)).toEqual(Array(5).fill('delivered'));
    await expectInLine(jobs);
    expect(await outcomes([...jobs].reverse(), isNoted)).toEqual(Array(5).fill('recognised'));
    await server.command('DEL', 'rq:queue:q', 'rq:scheduled:q', ...jobs.map(({ id }) => `rq:job:${id}`));
    expect(await outcomes(jobs, isNoted)).toEqual(Array(5).fill('recognised'));
    await expectInLine([]);
  });

  it('lays a job that stands in a batch twice down once', async () => {
    const { plain, mine } = batch();
    const again = make({ id: mine.id });
    expect(await outcomes([plain, mine, plain, again], isNoted)).toEqual([
      ...['delivered', 'delivered', 'recognised', 'duplicate'],
    ]);
    await expectInLine([plain, mine]);
  });

  it('keeps the order of a large batch', async () => {
    const jobs = Array.from({ length: 256 }, () => make());
    expect(await outcomes(jobs, isNoted)).toEqual(Array(256).fill('delivered'));
    expect(await waiting()).toEqual(jobs.map(({ id }) => id));
  });

  it.each([
    { command: 'hget', refused: ['plain', 'mine', 'short', 'front', 'later'] },
    { command: 'unlink', refused: ['plain', 'mine', 'short', 'front', 'later'] },
    { command: 'sadd', refused: ['plain', 'mine', 'short', 'front', 'later'] },
    { command: 'hset', refused: ['plain', 'mine', 'short', 'front', 'later'] },
    { command: 'bitfield', refused: ['plain', 'mine', 'short', 'front', 'later'] },
    { command: 'pexpire', refused: ['short'] },
    { command: 'rpush', refused: ['plain', 'mine', 'short'] },
    { command: 'lpush', refused: ['front'] },
    { command: 'zadd', refused: isNoted ? ['later'] : ['plain', 'mine', 'short', 'front', 'later'] },
    { command: 'get', refused: ['mine'] },
    { command: 'set', refused: ['mine'] },
    { command: 'zrem', refused: ['mine'] },
    { command: 'lrem', refused: ['mine'] },
  ])(
    'without the right to $command refuses, leaves nothing, and lays down once when it is back',
    async ({ command, refused }) => {
      const kinds = batch();
      const jobs = Object.values(kinds);
      await deny(command);
      const isRefused = (kind: string) => refused.includes(kind);
      // Alone and together: a job alone has a way of its own through the usual script.
      for (const [kind, job] of Object.entries(kinds)) {
        if (isRefused(kind)) expect(await outcomes([job], isNoted), kind).toEqual(['noperm']);
      }
      await expectInLine([]);
      // Nobody may meet the marker that a refusal has left for a moment.
      await allow();
      await untilMarkersAreGone(jobs);
      await deny(command);
      expect(await outcomes(jobs, isNoted)).toEqual(
        Object.keys(kinds).map((kind) => (isRefused(kind) ? 'noperm' : 'delivered')),
      );
      for (const [kind, job] of Object.entries(kinds)) {
        expect(await bitOf(job), kind).toBe(isRefused(kind) ? 0 : 1);
      }
      await expectInLine(jobs.filter((_, i) => !isRefused(Object.keys(kinds)[i] as string)));
      await allow();
      await untilMarkersAreGone(isRefused('mine') ? [kinds.mine] : []);
      expect(await outcomes(jobs, isNoted)).toEqual(
        Object.keys(kinds).map((kind) => (isRefused(kind) ? 'delivered' : 'recognised')),
      );
      await expectInLine(jobs);
    },
  );

  it.each([
    { key: 'the list', name: () => 'rq:queue:q', refused: ['plain', 'mine', 'short', 'front'] },
    { key: 'the schedule', name: () => 'rq:scheduled:q', refused: ['mine', 'later'] },
    {
      key: 'the set of queues',
      name: () => 'rq:queues',
      refused: ['plain', 'mine', 'short', 'front', 'later'],
    },
    { key: 'one hash', name: ({ mine }: ReturnType<typeof batch>) => `rq:job:${mine.id}`, refused: ['mine'] },
  ])(
    'with somebody’s string in place of $key refuses, touches it not, and leaves nothing',
    async ({ name, refused }) => {
      const kinds = batch();
      const jobs = Object.values(kinds);
      const key = name(kinds);
      await server.command('SET', key, 'somebody’s');
      const told = Object.keys(kinds).map((kind) => (refused.includes(kind) ? 'wrongtype' : 'delivered'));
      expect(await outcomes(jobs, isNoted)).toEqual(told);
      expect(await server.command('GET', key)).toBe('somebody’s');
      await server.command('DEL', key);
      await untilMarkersAreGone(refused.includes('mine') ? [kinds.mine] : []);
      await expectInLine(jobs.filter((_, i) => told[i] === 'delivered'));
      expect(await outcomes(jobs, isNoted)).toEqual(
        told.map((outcome) => (outcome === 'delivered' ? 'recognised' : 'delivered')),
      );
      await expectInLine(jobs);
    },
  );

  it('without memory refuses all, leaves nothing, and lays down once when there is some', async () => {
    const jobs = Object.values(batch());
    await server.command('CONFIG', 'SET', 'maxmemory', '1');
    expect(await outcomes(jobs, isNoted)).toEqual(Array(5).fill('oom'));
    expect(await server.command('KEYS', 'rq:*')).toEqual([]);
    await server.command('CONFIG', 'SET', 'maxmemory', '0');
    expect(await outcomes(jobs, isNoted)).toEqual(Array(5).fill('delivered'));
    await expectInLine(jobs);
  });

  it('finishes a batch in whose middle the memory ends', async () => {
    const jobs = Array.from({ length: 200 }, () => make({ payload: `["${'x'.repeat(20_000)}"]` }));
    const used = /used_memory:(\d+)/.exec(String(await server.command('INFO', 'memory')))?.[1];
    await server.command('CONFIG', 'SET', 'maxmemory', String(Number(used) + 6_000_000));
    const told = await outcomes(jobs, isNoted);
    await server.command('CONFIG', 'SET', 'maxmemory', '0');
    await expectInLine(jobs.filter((_, i) => told[i] === 'delivered'));
    expect(new Set(await outcomes(jobs, isNoted))).toEqual(
      new Set(told.map((outcome) => (outcome === 'delivered' ? 'recognised' : 'delivered'))),
    );
    await expectInLine(jobs);
  });

  it('loses and doubles nothing, whichever rights come and go', async () => {
    let seed = 20_261_128;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
      return (seed >> 8) % below;
    };
    const commands = [
      'hget',
      'unlink',
      'sadd',
      'hset',
      'pexpire',
      'rpush',
      'lpush',
      'zadd',
      'get',
      'set',
      'bitfield',
      'zrem',
      'lrem',
    ];
    const jobs = Array.from({ length: 8 }, () => Object.values(batch())).flat();
    const laidDown = new Set<JobRecord>();
    let refusals = 0;
    for (let round = 0; round < 150; round++) {
      await allow();
      await deny(...commands.filter(() => random(8) === 0));
      const some = jobs.filter(() => random(8) === 0);
      if (some.length === 0) continue;
      const told = await outcomes(some, isNoted);
      some.forEach((job, i) => {
        if (told[i] === 'delivered') expect(laidDown.size).toBeLessThan(laidDown.add(job).size);
        else if (told[i] === 'recognised') expect(laidDown).toContain(job);
        else refusals += 1;
      });
      await expectInLine([...laidDown]);
    }
    expect(refusals).toBeGreaterThan(100);
    await allow();
    await untilMarkersAreGone(jobs.filter((job) => !laidDown.has(job)));
    await outcomes(jobs, isNoted);
    await expectInLine(jobs);
  });
});

describe('an id that RQ has already, and no marker of ours', () => {
  const existing = async (id: string, status: string) => {
    await server.command(
      'HSET',
      `rq:job:${id}`,
      'data',
      'theirs',
      'status',
      status,
      'result_ttl',
      '7',
      'note',
      'old',
    );
  };

  it.each(['queued', 'started', 'scheduled', 'deferred', 'created', 'rate_limited', 'of an RQ to come'])(
    'is a duplicate while its job is %s',
    async (status) => {
      const job = make({ id: 'theirs' });
      await existing('theirs', status);
      expect(await outcomes([job])).toEqual(['duplicate']);
      expect(await server.command('HGET', 'rq:job:theirs', 'data')).toBe('theirs');
      expect(await waiting()).toEqual([]);
      expect(await bitOf(job)).toBe(0);
      await untilMarkersAreGone([job]);
    },
  );

  it.each(['finished', 'failed', 'stopped', 'canceled'])(
    'is laid down when its job is %s: the hash is replaced whole, and the id leaves its registry',
    async (status) => {
      const registry = `rq:${status === 'stopped' ? 'failed' : status}:q`;
      const job = make({ id: 'theirs' });
      await existing('theirs', status);
      await server.command('ZADD', registry, '9999999999', 'theirs', '9999999999', 'another');
      expect(await outcomes([job])).toEqual(['delivered']);
      expect(await server.command('HKEYS', 'rq:job:theirs')).toEqual([
        ...['data', 'created_at', 'description', 'origin', 'timeout', 'status', 'enqueued_at'],
      ]);
      expect(await waiting()).toEqual(['theirs']);
      expect(await server.command('ZRANGE', registry, '0', '-1')).toEqual(['another']);
      // By now it waits.
      expect(await outcomes([make({ id: 'theirs' })])).toEqual(['duplicate']);
      expect(await outcomes([job])).toEqual(['recognised']);
    },
  );

  const BEFORE = '2026-11-28T10:00:00.000000Z';
  const AFTER = '2026-11-28T10:00:00.000001Z';

  it.each([
    { what: 'runs', times: ['started_at', AFTER], told: 'duplicate' },
    {
      what: 'runs, with fields that RQ wrote empty',
      times: ['started_at', AFTER, 'ended_at', ''],
      told: 'duplicate',
    },
    { what: 'runs again', times: ['started_at', AFTER, 'ended_at', BEFORE], told: 'duplicate' },
    {
      what: 'ran and waits to be tried again',
      times: ['started_at', BEFORE, 'ended_at', AFTER],
      told: 'delivered',
    },
    { what: 'was put in line again', times: ['started_at', '', 'ended_at', ''], told: 'delivered' },
  ])('whose job is canceled while it $what: $told', async ({ times, told }) => {
    await existing('theirs', 'canceled');
    await server.command('HSET', 'rq:job:theirs', 'worker_name', 'w', ...times);
    expect(await outcomes([make({ id: 'theirs' })])).toEqual([told]);
    expect((await server.command('HGET', 'rq:job:theirs', 'data')) === 'theirs').toBe(told === 'duplicate');
    expect(await waiting()).toEqual(told === 'duplicate' ? [] : ['theirs']);
  });

  it('is laid down when its job failed because its worker fell silent, dead or paused', async () => {
    await existing('theirs', 'failed');
    await server.command('HSET', 'rq:job:theirs', 'worker_name', 'w', 'started_at', AFTER);
    expect(await outcomes([make({ id: 'theirs' })])).toEqual(['delivered']);
    expect(await waiting()).toEqual(['theirs']);
  });

  it.each(['hget', 'sadd', 'unlink', 'zrem', 'lrem'])(
    'keeps its ended job where the new one is refused for %s',
    async (command) => {
      await existing('theirs', 'failed');
      await deny(command);
      expect(await outcomes([make({ id: 'theirs' })])).toEqual(['noperm']);
      expect(await server.command('HGET', 'rq:job:theirs', 'data')).toBe('theirs');
      expect(await waiting()).toEqual([]);
    },
  );

  it('is laid down where that registry may not be written', async () => {
    await existing('theirs', 'failed');
    await server.command('SET', 'rq:failed:q', 'somebody’s');
    expect(await outcomes([make({ id: 'theirs' })])).toEqual(['delivered']);
    expect(await waiting()).toEqual(['theirs']);
  });

  it('stays a duplicate of ours when the hash is gone, until the window ends', async () => {
    const mine = make({ id: 'mine' });
    await outcomes([mine]);
    await server.command('DEL', 'rq:queue:q', 'rq:job:mine');
    expect(await outcomes([make({ id: 'mine' })])).toEqual(['duplicate']);
    await server.command('DEL', keys.marker('mine'));
    expect(await outcomes([make({ id: 'mine' })])).toEqual(['delivered']);
  });
});

describe.each([
  { what: 'without a hash', status: undefined },
  { what: 'of a job that has ended', status: 'finished' },
])('a caller’s id that stands in RQ’s keys $what', ({ status }) => {
  const existing = async (ids: readonly string[]) => {
    if (status === undefined) return;
    for (const id of ids) await server.command('HSET', `rq:job:${id}`, 'data', 'theirs', 'status', status);
  };
  const stale = (count: number) => Array.from({ length: count }, (_, i) => `stale-${i}`);
  const others = Array.from({ length: 2500 }, (_, i) => `other-${i}`);

  it.each([1, 8, 9, 60])('is run once, at its new place: %i of them in a batch', async (count) => {
    const expired = stale(count);
    await existing(expired);
    await server.command('RPUSH', 'rq:queue:q', ...expired, ...others, ...expired);
    await server.command('ZADD', 'rq:scheduled:q', ...expired.flatMap((id) => ['9999999999', id]));
    const jobs = expired.map((id) => make({ id }));
    const told = await outcomes([...jobs, make({ id: 'new' })]);
    expect(told).toEqual(Array(count + 1).fill('delivered'));
    expect(await waiting()).toEqual([...others, ...expired, 'new']);
    expect(await scheduled()).toEqual([]);
  });

  it('is run once when it is to be run later, too', async () => {
    await existing(['stale']);
    await server.command('RPUSH', 'rq:queue:q', 'stale', 'other');
    expect(await outcomes([make({ id: 'stale', runAt: NOW + 60_000 })])).toEqual(['delivered']);
    expect(await waiting()).toEqual(['other']);
    expect(await scheduled()).toEqual(['stale']);
  });

  it.each([
    { command: 'zrem', from: 0 },
    { command: 'lrem', from: 0 },
    { command: 'lrange', from: 8 },
  ])('is refused without the right to $command, which its places outlive', async ({ command, from }) => {
    const expired = stale(12);
    await existing(expired);
    await server.command('RPUSH', 'rq:queue:q', ...expired);
    await deny(command);
    const jobs = expired.map((id) => make({ id }));
    const told = jobs.map((_, i) => (i < from ? 'delivered' : 'noperm'));
    expect(await outcomes(jobs)).toEqual(told);
    const withHash = status === undefined ? expired.slice(0, from) : expired;
    expect((await hashes()).sort()).toEqual([...withHash].sort());
    expect((await waiting()).sort()).toEqual([...expired].sort());
    await allow();
    await untilMarkersAreGone(jobs.slice(from));
    expect(await outcomes(jobs)).toEqual(
      told.map((word) => (word === 'noperm' ? 'delivered' : 'recognised')),
    );
    await expectInLine(jobs);
  });
});
