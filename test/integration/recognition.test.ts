import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import {
  type Argument,
  type Delivery,
  type DeliveryOutcome,
  type JobRecord,
  type RedisConnection,
  StreamsTransport,
  systemClock,
} from '../../src/index.js';
import { sortFailure } from '../../src/policy/outage.js';
import { DeliveryIds, parseDeliveryId } from '../../src/recognition/delivery-id.js';
import { EpochNotes } from '../../src/recognition/epoch-notes.js';
import { openEpoch } from '../../src/recognition/epochs.js';
import { queueKeys } from '../../src/recognition/queue-keys.js';
import { ReplyMismatchError } from '../../src/recognition/recognise.js';
import { IoredisConnection } from '../../src/redis/ioredis.js';
import { RedisServer } from '../support/redis-server.js';
import { readStream } from '../support/stream.js';
import { waitFor } from '../support/wait-for.js';
import { jobRecord } from '../unit/support/job-record.js';

const QUEUE = 'q';
const STREAM = 'rsq:{q}:jobs';
const WEEK_S = 7 * 24 * 3600;
const keys = queueKeys(QUEUE);
const transport = new StreamsTransport();

let server: RedisServer;
let connection: RedisConnection;

beforeAll(async () => {
  server = await RedisServer.start({ appendOnly: 'no' });
  const client = new Redis({ port: server.port });
  connection = new IoredisConnection(client);
  return () => client.disconnect();
});

afterAll(() => server.stop());

beforeEach(async () => {
  await server.command('FLUSHALL');
  await server.command('SCRIPT', 'FLUSH');
});

interface Context {
  readonly through?: RedisConnection;
  readonly callerMs?: number;
  readonly witness?: string;
}

/** Whether Redis counts as having noted every epoch, so that the usual script may be used; else it is the general one. */
let isNoted = false;

function deliver(jobs: readonly JobRecord[], context: Context = {}): Promise<Delivery> {
  const { through = connection, callerMs = 60_000, witness } = context;
  const notes = new EpochNotes(systemClock);
  if (isNoted) notes.noted(jobs.map((job) => parseDeliveryId(job.delivery).epoch));
  return transport.deliver(through, jobs, { queue: QUEUE, now: 0, callerMs, witness, notes });
}

/** Each job's outcome in a word; a refusal as its kind. */
async function outcomes(jobs: readonly JobRecord[], context?: Context): Promise<string[]> {
  return (await deliver(jobs, context)).outcomes.map(inAWord);
}

function inAWord(outcome: DeliveryOutcome): string {
  return typeof outcome === 'string' ? outcome : sortFailure(outcome.rejected, false).kind;
}

const newIds = () => new DeliveryIds({ now: Date.now } as never, () => {});
const ids = newIds();

/** New jobs of one epoch, without a caller's id. */
const makeJobs = (count: number, from = ids): JobRecord[] =>
  Array.from({ length: count }, (_, n) =>
    jobRecord({ delivery: from.next(), payload: JSON.stringify({ n }), enqueuedAt: 1_700_000_000_000 + n }),
  );

/** A new delivery of a caller's id. */
const makeCallers = (id: string, fields: Partial<JobRecord> = {}): JobRecord =>
  jobRecord({ delivery: ids.next(), id, ...fields });

const idsInStream = async () => (await readStream(server, STREAM)).map((entry) => entry.fields.id);
const length = async () => Number(await server.command('XLEN', STREAM));

function bitOf({ delivery }: JobRecord): Promise<unknown> {
  const [epoch, seq] = delivery.split('-') as [string, string];
  return server.command('GETBIT', keys.seen(epoch), seq);
}

describe.each([
  { script: 'the general script', noted: false },
  { script: 'the usual script where it can be used', noted: true },
])('$script', ({ noted }) => {
  beforeEach(() => {
    isNoted = noted;
  });
  afterEach(() => {
    isNoted = false;
  });

  describe('the same delivery again', () => {
    it('is recognised, whole batch or part of another', async () => {
      const jobs = makeJobs(5);
      expect(await outcomes(jobs)).toEqual(Array(5).fill('delivered'));
      expect(await outcomes(jobs)).toEqual(Array(5).fill('recognised'));
      const more = makeJobs(2);
      const mixed = [more[0], jobs[3], more[1], jobs[0]] as JobRecord[];
      expect(await outcomes(mixed)).toEqual(['delivered', 'recognised', 'delivered', 'recognised']);
      expect(await idsInStream()).toEqual([...jobs, ...more].map((job) => job.id));
    });

    it('is recognised when it stands in one batch twice', async () => {
      const [job] = makeJobs(1) as [JobRecord];
      expect(await outcomes([job, job])).toEqual(['delivered', 'recognised']);
      expect(await length()).toBe(1);
    });

    it('is recognised after its job has been run and deleted', async () => {
      const jobs = makeJobs(3);
      await deliver(jobs);
      await server.command('DEL', STREAM);
      expect(await outcomes(jobs)).toEqual(Array(3).fill('recognised'));
      expect(await length()).toBe(0);
    });

    it('is told apart by epoch, in one batch of many', async () => {
      const epochs = Array.from({ length: 20 }, newIds);
      const jobs = Array.from({ length: 60 }, (_, n) => makeJobs(1, epochs[n % 20])[0] as JobRecord);
      const shuffled = jobs.map((_, n) => jobs[(n * 7) % 60] as JobRecord);
      expect(await outcomes(jobs.slice(0, 30))).toEqual(Array(30).fill('delivered'));
      const expected = shuffled.map((job) => (jobs.indexOf(job) < 30 ? 'recognised' : 'delivered'));
      expect(await outcomes(shuffled)).toEqual(expected);
      expect(await length()).toBe(60);
      expect(await server.command('ZCARD', keys.epochs)).toBe(noted ? 0 : 20);
    });

    it('is recognised after the server has forgotten the script', async () => {
      const jobs = makeJobs(3);
      await deliver(jobs);
      await server.command('SCRIPT', 'FLUSH');
      expect(await outcomes(jobs)).toEqual(Array(3).fill('recognised'));
    });

    it('is recognised by another process, and by batches under way at once', async () => {
      const other = new Redis({ port: server.port });
      onTestFinished(() => other.disconnect());
      const through = new IoredisConnection(other);
      const jobs = makeJobs(100);
      const sent = await Promise.all(
        Array.from({ length: 20 }, (_, n) => outcomes(jobs, n % 2 ? { through } : {})),
      );
      expect(sent.flat().filter((outcome) => outcome === 'delivered')).toHaveLength(100);
      expect(await length()).toBe(100);
    });
  });

  it('lays down every delivery once, in 1,000 random batches with random resends', async () => {
    let seed = 20_260_101;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
      return seed % below;
    };
    const epochs = [newIds(), newIds(), newIds()];
    const all: JobRecord[] = [];
    const told = new Map<string, string[]>();
    for (let batch = 0; batch < 1000; batch++) {
      const jobs: JobRecord[] = [];
      for (let n = random(12) + 1; n > 0; n--) {
        const old = random(2) === 0 ? all[random(Math.max(1, all.length))] : undefined;
        const delivery = (epochs[random(3)] as DeliveryIds).next();
        const made = jobRecord({
          delivery,
          ...(random(3) === 0 && { id: `mine-${delivery}` }),
          ...(random(4) === 0 && { headers: { n: String(n) } }),
          enqueuedAt: 1_700_000_000_000 + random(3),
          payload: String(batch),
        });
        const job = old ?? made;
        if (!old) all.push(job);
        jobs.push(job);
      }
      const answers = await outcomes(jobs);
      answers.forEach((answer, n) => {
        const { id } = jobs[n] as JobRecord;
        told.set(id, [...(told.get(id) ?? []), answer]);
      });
    }
    const inStream = await idsInStream();
    expect(inStream).toHaveLength(all.length);
    expect(new Set(inStream)).toEqual(new Set(all.map((job) => job.id)));
    for (const answers of told.values()) {
      expect(answers[0]).toBe('delivered');
      expect(answers.slice(1).every((answer) => answer === 'recognised')).toBe(true);
    }
  });

  describe("a caller's id", () => {
    it('is recognised in the same delivery and a duplicate in another', async () => {
      const mine = makeCallers('mine');
      expect(await outcomes([mine])).toEqual(['delivered']);
      expect(await outcomes([mine])).toEqual(['recognised']);
      expect(await outcomes([makeCallers('mine', { payload: '"second"' })])).toEqual(['duplicate']);
      expect((await readStream(server, STREAM)).map(({ fields }) => [fields.id, fields.payload])).toEqual([
        ['mine', 'null'],
      ]);
    });

    it('is one job also within a batch', async () => {
      const twice = [makeCallers('mine'), makeCallers('mine')];
      expect(await outcomes(twice)).toEqual(['delivered', 'duplicate']);
      expect(await outcomes(twice)).toEqual(['recognised', 'duplicate']);
      expect(await idsInStream()).toEqual(['mine']);
    });

    it('stays a duplicate after its job has been run and deleted, until the window ends', async () => {
      await deliver([makeCallers('mine')], { callerMs: 300 });
      await server.command('DEL', STREAM);
      expect(await outcomes([makeCallers('mine')])).toEqual(['duplicate']);
      await waitFor(async () => (await server.command('EXISTS', keys.marker('mine'))) === 0, {
        what: 'the marker to expire',
      });
      expect(await outcomes([makeCallers('mine')])).toEqual(['delivered']);
    });

    it('is marked for exactly the window, by the delivery that laid it down', async () => {
      const mine = makeCallers('mine');
      await deliver([mine], { callerMs: 50_000 });
      expect(await server.command('GET', keys.marker('mine'))).toBe(mine.delivery);
      const leftMs = Number(await server.command('PTTL', keys.marker('mine')));
      expect(leftMs).toBeGreaterThan(45_000);
      expect(leftMs).toBeLessThanOrEqual(50_000);
    });

    it('with its own marker but no bit is laid down: the marker may be left from a refused write', async () => {
      const mine = makeCallers('mine');
      await server.command('SET', keys.marker('mine'), mine.delivery);
      expect(await outcomes([mine])).toEqual(['delivered']);
    });

    it('with an empty marker, left from taking one back, is nobody’s', async () => {
      await server.command('SET', keys.marker('mine'), '');
      expect(await outcomes([makeCallers('mine'), makeCallers('mine')])).toEqual(['delivered', 'duplicate']);
    });

    it("with another's marker and its own bit was laid down by it", async () => {
      const mine = makeCallers('mine');
      await deliver([mine], { callerMs: 10 });
      await server.command('SET', keys.marker('mine'), 'another-0');
      expect(await outcomes([mine])).toEqual(['recognised']);
    });

    it('may be anything, also among jobs that have none', async () => {
      const odd = ['{x}:y', 'é 😀', '*', '0', 'jobs', '~'.repeat(256)];
      const jobs = [...makeJobs(2), ...odd.map((id) => makeCallers(id)), ...makeJobs(1)];
      expect(await outcomes(jobs)).toEqual(Array(9).fill('delivered'));
      expect(await outcomes(jobs)).toEqual(Array(9).fill('recognised'));
      expect(await idsInStream()).toEqual(jobs.map((job) => job.id));
    });
  });

  describe('a right that is missing', () => {
    let limited: RedisConnection;
    beforeEach(async () => {
      await server.command('ACL', 'SETUSER', 'app', 'reset', 'on', '>secret', '~*', '&*', '+@all');
      const client = new Redis({ port: server.port, username: 'app', password: 'secret' });
      limited = new IoredisConnection(client);
      return () => client.disconnect();
    });
    const allow = (command: string) => server.command('ACL', 'SETUSER', 'app', `+${command}`);
    const deny = (command: string) => server.command('ACL', 'SETUSER', 'app', `-${command}`);

    const batch = () => [...makeJobs(2), makeCallers('mine'), makeCallers('yours', { headers: { k: 'v' } })];

    it.each(['xadd', 'bitfield', 'set', 'get', ...(noted ? [] : ['zadd'])])(
      '%s: refuses, leaves nothing, and lays down once when it is back',
      async (command) => {
        const jobs = batch();
        await deny(command);
        const isMarkersOnly = command === 'set' || command === 'get';
        const first = await outcomes(jobs, { through: limited });
        expect(first).toEqual(
          jobs.map((job) => (isMarkersOnly && job.id === job.delivery ? 'delivered' : 'noperm')),
        );
        for (const [n, job] of jobs.entries())
          expect(await bitOf(job)).toBe(first[n] === 'delivered' ? 1 : 0);
        await allow(command);
        for (const id of ['mine', 'yours']) {
          await waitFor(async () => (await server.command('EXISTS', keys.marker(id))) === 0, {
            what: 'no marker',
            timeoutMs: 1000,
          });
        }
        expect(await outcomes(jobs, { through: limited })).toEqual(
          first.map((outcome) => (outcome === 'delivered' ? 'recognised' : 'delivered')),
        );
        expect((await idsInStream()).sort()).toEqual(jobs.map((job) => job.id).sort());
      },
    );

    it('one after another, and back: nothing lost, nothing doubled', async () => {
      const jobs = batch();
      for (const command of ['xadd', 'bitfield', 'xadd']) {
        await deny(command);
        expect(await outcomes(jobs, { through: limited })).toEqual(Array(4).fill('noperm'));
        await allow(command);
      }
      expect(await length()).toBe(0);
      expect(await outcomes(jobs, { through: limited })).toEqual(Array(4).fill('delivered'));
      await deny('xadd');
      expect(await outcomes(jobs, { through: limited })).toEqual(Array(4).fill('recognised'));
      await deny('bitfield');
      await allow('xadd');
      expect(
        (await outcomes(jobs, { through: limited })).filter((outcome) => outcome === 'delivered'),
      ).toEqual([]);
      await allow('bitfield');
      expect(await outcomes(jobs, { through: limited })).toEqual(Array(4).fill('recognised'));
      expect(await length()).toBe(4);
    });

    it('does not make a duplicate of the same id in the same batch: there is no job yet', async () => {
      await deny('xadd');
      const twice = [makeCallers('mine'), makeCallers('mine')];
      expect(await outcomes(twice, { through: limited })).toEqual(['noperm', 'noperm']);
    });

    it('does not make a duplicate of a retry that comes at once', async () => {
      await deny('xadd');
      // Sent together, so that the second is executed within a millisecond of the first.
      const attempts = Array.from({ length: 50 }, () =>
        outcomes([makeCallers('mine')], { through: limited }),
      );
      expect(new Set((await Promise.all(attempts)).flat())).toEqual(new Set(['noperm']));
    });

    it('a witness that cannot be read does not stop a delivery', async () => {
      const [job] = makeJobs(1) as [JobRecord];
      const [old] = makeJobs(1, newIds()) as [JobRecord];
      await server.command('RPUSH', keys.seen(parseDeliveryId(old.delivery).epoch), 'no bitmap');
      expect(await deliver([job], { through: limited, witness: old.delivery })).toEqual({
        outcomes: ['delivered'],
        witness: undefined,
      });
    });
  });

  describe('a key of a wrong type', () => {
    const wrong = (key: string) => server.command('RPUSH', key, 'x');
    const dbsize = () => server.command('DBSIZE');

    it('for the stream refuses, and leaves neither bit nor marker', async () => {
      const jobs = [...makeJobs(1), makeCallers('mine')];
      await wrong(STREAM);
      expect(await outcomes(jobs)).toEqual(['wrongtype', 'wrongtype']);
      expect(await Promise.all(jobs.map(bitOf))).toEqual([0, 0]);
      await server.command('DEL', STREAM);
      expect(await outcomes(jobs)).toEqual(['delivered', 'delivered']);
    });

    it('for the stream refuses each job of the largest batch that a replay sends', async () => {
      const jobs = makeJobs(10_000);
      await wrong(STREAM);
      expect(new Set(await outcomes(jobs))).toEqual(new Set(['wrongtype']));
      await server.command('DEL', STREAM);
      expect(new Set(await outcomes(jobs))).toEqual(new Set(['delivered']));
      expect(await length()).toBe(10_000);
    });

    it('for the stream refuses a job that is alone, as often as it comes', async () => {
      await server.command('SET', STREAM, 'mine');
      const job = makeJobs(1);
      expect(await outcomes(job)).toEqual(['wrongtype']);
      expect(await outcomes(job)).toEqual(['wrongtype']);
      await server.command('DEL', STREAM);
      expect(await outcomes(job)).toEqual(['delivered']);
      expect(await outcomes(job)).toEqual(['recognised']);
    });

    it('for the epochs refuses without writing anything', async () => {
      await wrong(keys.epochs);
      isNoted = false;
      expect(await outcomes([...makeJobs(1), makeCallers('mine')])).toEqual(['wrongtype', 'wrongtype']);
      expect(await dbsize()).toBe(1);
    });

    it('for one bitmap refuses its jobs alone', async () => {
      const [bad] = makeJobs(1, newIds()) as [JobRecord];
      const callers = { ...bad, id: 'mine', delivery: bad.delivery.replace(/-0$/, '-1') };
      await wrong(keys.seen(bad.delivery.split('-')[0] as string));
      expect(await outcomes([...makeJobs(1), bad, callers, ...makeJobs(1)])).toEqual([
        'delivered',
        'wrongtype',
        'wrongtype',
        'delivered',
      ]);
      expect(await length()).toBe(2);
      expect(await server.command('EXISTS', keys.marker('mine'))).toBe(0);
    });

    it('for one marker refuses its job alone', async () => {
      const mine = makeCallers('mine');
      await wrong(keys.marker('mine'));
      expect(await outcomes([makeCallers('other'), mine, ...makeJobs(1)])).toEqual([
        'delivered',
        'wrongtype',
        'delivered',
      ]);
      expect(await bitOf(mine)).toBe(0);
      await server.command('DEL', keys.marker('mine'));
      expect(await outcomes([mine])).toEqual(['delivered']);
    });
  });

  describe('the witness', () => {
    const [earlier, later] = makeJobs(2) as [JobRecord, JobRecord];

    it('is not asked for where none is named', async () => {
      expect((await deliver([earlier])).witness).toBeUndefined();
    });

    it('is kept while the server has it, and lost with what it wrote', async () => {
      await deliver([earlier]);
      expect((await deliver([later], { witness: earlier.delivery })).witness).toBe('kept');
      await server.command('FLUSHALL');
      const delivery = await deliver([later], { witness: earlier.delivery });
      expect(delivery).toEqual({ outcomes: ['delivered'], witness: 'lost' });
    });

    it('is read before anything is written, which would hide the hole', async () => {
      expect((await deliver([earlier], { witness: earlier.delivery })).witness).toBe('lost');
      expect((await deliver([earlier], { witness: earlier.delivery })).witness).toBe('kept');
    });

    it('may be of another epoch than the jobs', async () => {
      const [old] = makeJobs(1, newIds()) as [JobRecord];
      await deliver([old]);
      expect(await deliver(makeJobs(3), { witness: old.delivery })).toEqual({
        outcomes: Array(3).fill('delivered'),
        witness: 'kept',
      });
    });
  });
});

describe('epochs', () => {
  const now = async () => Number(((await server.command('TIME')) as string[])[0]);
  const used = (epoch: string, at: number) => server.command('ZADD', keys.epochs, String(at), epoch);
  const isThere = async (epoch: string) => (await server.command('EXISTS', keys.seen(epoch))) === 1;
  const open = (epoch: string, through = connection) => openEpoch(through, keys, epoch, WEEK_S * 1000);
  const epochOf = (job: JobRecord) => job.delivery.split('-')[0] as string;

  it('are noted by every delivery, at the server’s time, and their bitmaps never expire', async () => {
    const [job] = makeJobs(1) as [JobRecord];
    await deliver([job]);
    await used(epochOf(job), 5);
    await deliver([job]);
    expect(Number(await server.command('ZSCORE', keys.epochs, epochOf(job)))).toBeGreaterThan(
      (await now()) - 5,
    );
    expect(await server.command('PTTL', keys.seen(epochOf(job)))).toBe(-1);
    expect(await server.command('PTTL', keys.epochs)).toBe(-1);
  });

  it('are opened before their first job, and again without losing a bit', async () => {
    const [job] = makeJobs(1) as [JobRecord];
    await open(epochOf(job));
    expect(await isThere(epochOf(job))).toBe(true);
    expect(await outcomes([job])).toEqual(['delivered']);
    await open(epochOf(job));
    expect(await outcomes([job])).toEqual(['recognised']);
  });

  it('are swept when nobody has used them for the window, and not a second earlier', async () => {
    const old = makeJobs(1, newIds())[0] as JobRecord;
    const recent = makeJobs(1, newIds())[0] as JobRecord;
    await deliver([old, recent]);
    await used(epochOf(old), (await now()) - WEEK_S - 5);
    await used(epochOf(recent), (await now()) - WEEK_S + 60);
    await open('new');
    expect(await isThere(epochOf(old))).toBe(false);
    expect(await isThere(epochOf(recent))).toBe(true);
    expect(await server.command('ZRANGE', keys.epochs, '0', '-1')).toEqual([epochOf(recent), 'new']);
    expect(await outcomes([recent])).toEqual(['recognised']);
  });

  it('are swept a few at a time, the oldest first', async () => {
    for (let n = 0; n < 20; n++) await used(`old-${String(n).padStart(2, '0')}`, 1000 + n);
    await open('new');
    expect(await server.command('ZRANGE', keys.epochs, '0', '-1')).toEqual([
      'old-16',
      'old-17',
      'old-18',
      'old-19',
      'new',
    ]);
    await open('new');
    expect(await server.command('ZRANGE', keys.epochs, '0', '-1')).toEqual(['new']);
  });

  it('are not swept when one is used between the look and the broom', async () => {
    const [job] = makeJobs(1, newIds()) as [JobRecord];
    await deliver([job]);
    await used(epochOf(job), 1000);
    let scripts = 0;
    const through = decorate(async (send, args) => {
      if (String(args[0]) === 'EVALSHA') scripts += 1;
      if (scripts === 2) await used(epochOf(job), await now());
      return send(args);
    });
    await open('new', through);
    expect(scripts).toBe(2);
    expect(await outcomes([job])).toEqual(['recognised']);
  });
});

/** The connection with something between it and its caller. */
function decorate(
  between: (
    send: (args: readonly Argument[]) => Promise<unknown>,
    args: readonly Argument[],
  ) => Promise<unknown>,
): RedisConnection {
  return {
    client: connection.client,
    isReady: true,
    send: (args, key) => between((changed) => connection.send(changed, key), args),
    listen: () => () => {},
    destroy() {},
  };
}

describe('a reply that is not ours', () => {
  it('of the batch before leaves the fate unknown', async () => {
    let last: unknown;
    const through = decorate(async (send, args) => {
      const present = await send(args);
      const previous = last;
      last = present;
      return previous ?? present;
    });
    const [first, second] = [makeJobs(2), makeJobs(2)];
    expect(await outcomes(first, { through })).toEqual(['delivered', 'delivered']);
    const failure = await deliver(second, { through }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ReplyMismatchError);
    expect(sortFailure(failure, false)).toMatchObject({ kind: 'protocol', fate: 'unknown' });
    // It had been laid down, and is recognised.
    expect(await outcomes(second)).toEqual(['recognised', 'recognised']);
    expect(await length()).toBe(4);
  });

  it.each([
    ['a number', 1],
    ['OK', 'OK'],
    ['null', null],
    ['an empty list', []],
  ])('is noticed: %s', async (_, reply) => {
    const through = decorate(async () => reply);
    await expect(deliver(makeJobs(1), { through })).rejects.toBeInstanceOf(ReplyMismatchError);
  });

  it('of our batch with an answer too few is noticed', async () => {
    const through = decorate(async (send, args) => {
      const [echo, witness, letters] = (await send(args)) as [string, string, string];
      return [echo, witness, letters.slice(1)];
    });
    await expect(deliver(makeJobs(2), { through })).rejects.toBeInstanceOf(ReplyMismatchError);
  });
});

describe('what is laid down', () => {
  const payloads = [
    'null',
    '"#"',
    '"#{}[]:*?\\\\"',
    '"日本語 😀 \u2028\u00a0é"',
    JSON.stringify('\u0000\u0001\r\n\u007f\u0080\u00ff'),
    JSON.stringify('\ud800'),
    JSON.stringify({ ключ: ['"', "'", '\\', '</script>', '%s', '$1'] }),
    '"-READONLY You can\'t"',
    '1e400',
    JSON.stringify('x'.repeat(1024 * 1024 - 2)),
  ];

  it('reads back byte for byte, each in its own field', async () => {
    const jobs = payloads.map((payload, n) => {
      const job = jobRecord({ delivery: ids.next(), payload, name: `job ${payload.slice(0, 20)}` });
      return n % 2 === 0 ? job : { ...job, id: `mine ${n} 😀` };
    });
    expect(await outcomes(jobs)).toEqual(jobs.map(() => 'delivered'));
    const read = (await readStream(server, STREAM)).map((entry) => entry.fields);
    expect(read).toEqual(
      jobs.map(({ id, name, payload, enqueuedAt }) => ({
        id,
        name,
        payload,
        enqueuedAt: String(enqueuedAt),
      })),
    );
  });

  it('has headers as JSON where there are any, beside jobs without', async () => {
    const headers = { traceparent: '00-é-"', empty: '', '😀': '\n' };
    const plain = makeJobs(1);
    const withHeaders = jobRecord({ delivery: ids.next(), headers });
    const callers = makeCallers('mine', { headers: { n: '1' } });
    await deliver([...plain, withHeaders, callers, ...makeJobs(1)]);
    const read = (await readStream(server, STREAM)).map((entry) => entry.fields.headers);
    expect(read).toEqual([undefined, JSON.stringify(headers), '{"n":"1"}', undefined]);
    expect(JSON.parse(read[1] as string)).toEqual(headers);
  });

  it('has the time at which each job of its batch was enqueued', async () => {
    const times = [1_700_000_000_000, 1_700_000_000_000, 1_700_000_000_001, 5];
    await deliver(times.map((enqueuedAt) => jobRecord({ delivery: ids.next(), enqueuedAt })));
    const read = (await readStream(server, STREAM)).map((entry) => Number(entry.fields.enqueuedAt));
    expect(read).toEqual(times);
  });

  it('keeps the order of its batch', async () => {
    const jobs = [...makeJobs(100), makeCallers('mine'), ...makeJobs(100, newIds()), makeCallers('yours')];
    await deliver(jobs);
    expect(await idsInStream()).toEqual(jobs.map((job) => job.id));
  });

  it('is all beside each other: every key is in the queue’s hash slot', async () => {
    await deliver([...makeJobs(1), makeCallers('{other}')]);
    await openEpoch(connection, keys, 'new', 1000);
    const written = (await server.command('KEYS', '*')) as string[];
    expect(written.every((key) => key.startsWith('rsq:{q}:'))).toBe(true);
    expect(written.length).toBeGreaterThan(3);
  });
});
