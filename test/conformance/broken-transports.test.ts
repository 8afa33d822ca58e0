import { afterAll, beforeAll, expect, it } from 'vitest';
import { ListTransport, listKey } from '../../examples/own-transport/list-transport.js';
import { describeTransport } from '../../src/conformance/index.js';
import {
  type Delivery,
  type DeliveryContext,
  type DeliveryOutcome,
  type JobRecord,
  queueKeys,
  type RedisConnection,
  recognise,
  recognitionScripts,
  StreamsTransport,
  streamKey,
} from '../../src/index.js';
import { type Benches, benches } from './support/bench.js';
import { failingTests } from './support/failing-tests.js';
import { listed, streamed } from './support/read-jobs.js';

let setting: Benches;
beforeAll(async () => {
  setting = await benches();
});
afterAll(() => setting.server.stop());

type Deliver = (
  connection: RedisConnection,
  jobs: readonly JobRecord[],
  context: DeliveryContext,
) => Promise<Delivery>;

/** A transport of streams that does something else than it should: `deliver` is given what would be right. */
function broken(deliver: (right: Deliver) => Deliver, fields: Partial<StreamsTransport> = {}) {
  return () => {
    const transport = new StreamsTransport();
    const right = transport.deliver.bind(transport);
    return Object.assign(transport, { deliver: deliver(right), ...fields });
  };
}

const told = (outcomes: readonly DeliveryOutcome[], from: DeliveryOutcome, to: DeliveryOutcome) =>
  outcomes.map((outcome) => (outcome === from ? to : outcome));

const inItself: (right: Deliver) => Deliver = (right) => right;
const { capabilities } = new StreamsTransport();

/** XADD by itself, which recognises nothing. */
const add = (connection: RedisConnection, queue: string, { id, name, payload }: JobRecord) =>
  connection.send(
    ['XADD', streamKey(queue), '*', 'id', id, 'name', name, 'payload', payload],
    streamKey(queue),
  );

interface Broken {
  readonly make: () => StreamsTransport;
  readonly taken?: readonly unknown[];
  readonly fails: RegExp;
}

const brokenTransports: Record<string, Broken> = {
  'recognises nothing': {
    make: broken(() => async (connection, jobs, { queue }) => {
      for (const job of jobs) await add(connection, queue, job);
      return { outcomes: jobs.map(() => 'delivered'), witness: undefined };
    }),
    fails: /a delivery again.* changes nothing/,
  },
  'recognises what is still in the queue': {
    make: broken(() => async (connection, jobs, { queue }) => {
      const outcomes: DeliveryOutcome[] = [];
      for (const job of jobs) {
        const entries = await streamed(setting.server, queue);
        const isThere = entries.some(({ id }) => id === job.id);
        if (!isThere) await add(connection, queue, job);
        outcomes.push(isThere ? 'recognised' : 'delivered');
      }
      return { outcomes, witness: undefined };
    }),
    fails: /a delivery again.* after its job has been run and forgotten/,
  },
  'knows only what it has sent itself': {
    make: broken((right) => {
      const sent = new Set<string>();
      return async (connection, jobs, context) => {
        const fresh = jobs.map((job) =>
          sent.has(job.delivery) ? job : { ...job, delivery: freshDelivery() },
        );
        for (const { delivery } of jobs) sent.add(delivery);
        return right(connection, fresh, { ...context, witness: undefined });
      };
    }),
    fails: /a delivery again.* when it comes from another process/,
  },
  'lays a batch down from behind': {
    make: broken((right) => async (connection, jobs, context) => {
      const { outcomes, witness } = await right(connection, jobs.toReversed(), context);
      return { outcomes: outcomes.toReversed(), witness };
    }),
    fails: /a batch is laid down in its order/,
  },
  'forgets the end of a large batch': {
    make: broken((right) => async (connection, jobs, context) => {
      const { outcomes, witness } = await right(connection, jobs.slice(0, 200), context);
      return { outcomes: jobs.map((_, n) => outcomes[n] ?? 'delivered'), witness };
    }),
    fails: /of 256 jobs/,
  },
  'garbles some text': {
    make: broken(
      (right) => (connection, jobs, context) =>
        right(
          connection,
          jobs.map((job) => ({ ...job, payload: Buffer.from(job.payload, 'latin1').toString() })),
          context,
        ),
    ),
    fails: /carries text of every kind/,
  },
  'has one queue for all': {
    make: broken(
      (right) => (connection, jobs, context) => right(connection, jobs, { ...context, queue: 'conformance' }),
    ),
    fails: /does not mix/,
  },
  "takes a caller's id for no more than a name": {
    make: broken((right) => async (connection, jobs, context) => {
      // Each job by itself, with a new marker for each delivery.
      const outcomes: DeliveryOutcome[] = [];
      for (const job of jobs) {
        await connection.send(['DEL', queueKeys(context.queue).marker(job.id)], '');
        outcomes.push(...(await right(connection, [job], context)).outcomes);
      }
      return { outcomes, witness: undefined };
    }),
    fails: /a caller's id has one job/,
  },
  'says duplicate of what it recognises': {
    make: broken((right) => async (...args) => {
      const { outcomes, witness } = await right(...args);
      return { outcomes: told(outcomes, 'recognised', 'duplicate'), witness };
    }),
    fails: /is recognised, and no duplicate/,
  },
  'says delivered of everything': {
    make: broken((right) => async (...args) => {
      const { outcomes, witness } = await right(...args);
      return { outcomes: told(told(outcomes, 'recognised', 'delivered'), 'duplicate', 'delivered'), witness };
    }),
    fails: /a delivery again/,
  },
  'fails whole batches for one job': {
    make: broken((right) => async (...args) => {
      const { outcomes, witness } = await right(...args);
      for (const outcome of outcomes) if (typeof outcome === 'object') throw outcome.rejected;
      return { outcomes, witness };
    }),
    fails: /a refusal of one job/,
  },
  'keeps the bit of a job that was refused': {
    make: broken((right) => {
      const refused = new Set<string>();
      return async (connection, jobs, context) => {
        const { outcomes, witness } = await right(
          connection,
          jobs.filter(({ delivery }) => !refused.has(delivery)),
          context,
        );
        const answers = [...outcomes];
        const all = jobs.map(({ delivery }) =>
          refused.has(delivery) ? 'recognised' : (answers.shift() as DeliveryOutcome),
        );
        for (const [n, { delivery }] of jobs.entries()) {
          if (typeof all[n] === 'object') refused.add(delivery);
        }
        return { outcomes: all, witness };
      };
    }),
    fails: /a refusal of one job/,
  },
  'says delivered when Redis takes no writes': {
    make: broken((right) => async (connection, jobs, context) => {
      const { outcomes, witness } = await right(connection, jobs, context);
      return {
        outcomes: outcomes.map((outcome) => (typeof outcome === 'object' ? 'delivered' : outcome)),
        witness,
      };
    }),
    fails: /a refusal of every write/,
  },
  'takes options that it cannot lay jobs down with': {
    make: broken(
      (right) => (connection, jobs, context) => {
        if (jobs.some(({ transportOptions }) => transportOptions !== undefined))
          throw new Error('no such option');
        return right(connection, jobs, context);
      },
      { check() {} },
    ),
    taken: [{ shard: 1 }],
    fails: /what a caller asks for is laid down with the job: options/,
  },
  'takes any options': {
    make: broken(inItself, { check() {} }),
    fails: /what a caller asks for is taken, or refused/,
  },
  'loses headers that it says it carries': {
    make: broken(
      (right) => (connection, jobs, context) =>
        right(
          connection,
          jobs.map(({ headers: _, ...job }) => job),
          context,
        ),
    ),
    fails: /: headers/,
  },
  'runs at once what it says it runs later': {
    make: broken(inItself, { capabilities: { ...capabilities, runAt: true } }),
    fails: /: when to run it/,
  },
  'answers nothing about the witness': {
    make: broken((right) => async (...args) => ({ ...(await right(...args)), witness: undefined })),
    fails: /the witness/,
  },
  'looks at the witness after it has written': {
    make: broken((right) => async (connection, jobs, context) => {
      const delivery = await right(connection, jobs, { ...context, witness: undefined });
      if (context.witness === undefined) return delivery;
      const isThere =
        context.witness === jobs[0]?.delivery || (await right(connection, [], context)).witness === 'kept';
      return { ...delivery, witness: isThere ? 'kept' : 'lost' };
    }),
    fails: /the witness/,
  },
  'has an answer about a witness that it says it does not read': {
    make: broken(
      (right) =>
        async (...args) => ({ ...(await right(...args)), witness: 'kept' }),
      {
        capabilities: { ...capabilities, witness: false },
      },
    ),
    fails: /the witness/,
  },
};

/** Lists, with a `lay` and a way of its own to tell jobs apart. */
function list(lay: string, change: (jobs: readonly JobRecord[]) => readonly JobRecord[] = (jobs) => jobs) {
  const scripts = recognitionScripts(lay, 1, 1);
  return () =>
    Object.assign(new ListTransport(), {
      deliver: (connection: RedisConnection, jobs: readonly JobRecord[], context: DeliveryContext) =>
        recognise(
          connection,
          queueKeys(context.queue),
          {
            key: listKey(context.queue),
            scripts,
            isFull: () => false,
            write: (args, { id, name, payload }) =>
              void args.push(JSON.stringify({ id, name, payload: JSON.parse(payload) })),
          },
          change(jobs),
          context,
        ),
    });
}

const rightLay = "local function lay(at) return redis.pcall('RPUSH', KEYS[1], ARGV[at]) end";

const brokenLists: Record<string, { readonly make: () => ListTransport; readonly fails: RegExp }> = {
  'raises in its script after the bit is set': {
    make: list("local function lay(at) return redis.call('RPUSH', KEYS[1], ARGV[at]) end"),
    fails: /a refusal of the transport's own write/,
  },
  'hides that its own write was refused': {
    make: list("local function lay(at) redis.pcall('RPUSH', KEYS[1], ARGV[at]) end"),
    fails: /a refusal of the transport's own write/,
  },
  'takes all jobs of a batch for ones of its first epoch': {
    make: list(rightLay, (jobs) => {
      const epoch = jobs[0]?.delivery.split('-')[0];
      return jobs.map((job) => ({ ...job, delivery: `${epoch}-${job.delivery.split('-')[1]}` }));
    }),
    fails: /a batch of jobs of several processes/,
  },
  "loses the job's name": {
    make: list(rightLay, (jobs) => jobs.map((job) => ({ ...job, name: 'job-' }))),
    fails: /a batch is laid down in its order/,
  },
};

it.each(Object.entries(brokenLists))('notices a list that %s', async (_, { make, fails }) => {
  const failed = await failingTests((runner) =>
    describeTransport(
      {
        open: () => setting.open(make, listed, listKey),
        options: { taken: [], refused: [{}, 'fast', null] },
      },
      runner,
    ),
  );
  expect(failed.filter((name) => fails.test(name))).not.toEqual([]);
});

let fresh = 0;
const freshDelivery = () => `${'0'.repeat(27)}-${fresh++}`;

const failuresOf = (make: () => StreamsTransport, taken: readonly unknown[] = []) =>
  failingTests((runner) =>
    describeTransport(
      {
        open: () => setting.open(make, streamed, streamKey),
        options: { taken, refused: [{}, 'fast', null] },
      },
      runner,
    ),
  );

it.each(Object.entries(brokenTransports))(
  'notices a transport that %s',
  async (_, { make, taken, fails }) => {
    expect((await failuresOf(make, taken)).filter((name) => fails.test(name))).not.toEqual([]);
  },
);

it('notices nothing about one that is right', async () => {
  expect(await failuresOf(broken(inItself))).toEqual([]);
});
