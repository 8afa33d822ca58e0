import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeTransport } from '../../src/conformance/index.js';
import {
  type Delivery,
  type DeliveryContext,
  type DeliveryOutcome,
  type JobRecord,
  queueKeys,
  type RedisConnection,
  StreamsTransport,
  streamKey,
  type Transport,
} from '../../src/index.js';
import { type Benches, benches } from './support/bench.js';
import { failingTests } from './support/failing-tests.js';
import { alone, expectNoticed, type Noticed } from './support/noticed.js';
import { streamed } from './support/read-jobs.js';

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
function broken(
  deliver: (right: Deliver) => Deliver,
  fields: Partial<StreamsTransport> & Pick<Transport, 'checkClient'> = {},
) {
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

const hasPrefix = (client: object) => Boolean((client as Partial<Redis>).options?.keyPrefix);

interface Broken extends Noticed {
  readonly make: () => StreamsTransport;
  readonly taken?: readonly unknown[];
}

/** Lays the jobs of a batch down in another order: by rank, those of one rank as they are. */
const ranked =
  (rank: (job: JobRecord, n: number) => number) =>
  (right: Deliver): Deliver =>
  async (connection, jobs, context) => {
    const ranks = new Map(jobs.map((job, n) => [job, rank(job, n)]));
    const sorted = jobs.toSorted((one, other) => (ranks.get(one) ?? 0) - (ranks.get(other) ?? 0));
    const { outcomes, witness } = await right(connection, sorted, context);
    return { outcomes: jobs.map((job) => outcomes[sorted.indexOf(job)] as DeliveryOutcome), witness };
  };

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
  "lays jobs of a caller's id down behind the others of their batch": {
    make: broken(ranked(({ id, delivery }) => (id === delivery ? 0 : 1))),
    ...alone(/the order of/),
  },
  'lays jobs that are replayed down before the others of their batch': {
    make: broken(ranked(({ fate }) => (fate === 'unknown' ? 0 : 1))),
    fails: /the order of a batch/,
  },
  'spreads the jobs of one orderingKey over two partitions': {
    make: broken(
      ranked(({ orderingKey }, n) => (orderingKey === undefined ? 0 : Math.floor(n / 3) % 2)),
      {
        capabilities: { ...capabilities, orderingKey: true },
      },
    ),
    ...alone(/the order of the jobs of one orderingKey/),
  },
  'lays jobs down without its script when that is refused': {
    make: broken(
      (right) => (connection, jobs, context) =>
        right(connection, jobs, context).catch(async () => {
          for (const job of jobs) await add(connection, context.queue, job);
          return { outcomes: jobs.map(() => 'delivered'), witness: undefined };
        }),
    ),
    ...alone(/a batch interrupted.* by a command that is denied/),
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
  'refuses every client that has options': {
    make: broken(inItself, {
      checkClient(client) {
        if ('options' in client) throw new TypeError('Give "redis" a client without options.');
      },
    }),
    ...alone(/a client that works/),
  },
  'refuses no client': {
    make: broken(inItself, { checkClient() {} }),
    ...alone(/a client that cannot work is refused/),
  },
  'refuses a client by an error of another kind': {
    make: broken(inItself, {
      checkClient(client) {
        if (hasPrefix(client)) throw new Error('Give "redis" a client without a keyPrefix.');
      },
    }),
    ...alone(/a client that cannot work is refused/),
  },
  'refuses a client when it is too late': {
    make: broken(inItself, {
      async checkClient(client) {
        if (hasPrefix(client)) throw new TypeError('Give "redis" a client without a keyPrefix.');
      },
    }),
    fails: /a client that cannot work is refused/,
  },
  'trips over a client that it does not know': {
    make: broken(inItself, {
      checkClient(client) {
        const { keyPrefix } = (client as Redis).options;
        if (keyPrefix) throw new TypeError('Give "redis" a client without a keyPrefix.');
      },
    }),
    ...alone(/a client of any other shape/),
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

let fresh = 0;
const freshDelivery = () => `${'0'.repeat(27)}-${fresh++}`;

const failuresOf = (make: () => StreamsTransport, taken: readonly unknown[] = []) =>
  failingTests((runner) =>
    describeTransport(
      {
        open: () => setting.open(make, streamed, streamKey),
        options: { taken, refused: [{}, 'fast', null] },
        refusedClients: [new Redis({ keyPrefix: 'app:', lazyConnect: true })],
      },
      runner,
    ),
  );

it.each(Object.entries(brokenTransports))(
  'notices a transport that %s',
  async (_, { make, taken, ...how }) => {
    expectNoticed(await failuresOf(make, taken), how);
  },
);

it('notices nothing about one that is right', async () => {
  expect(await failuresOf(broken(inItself))).toEqual([]);
});
