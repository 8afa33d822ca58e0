import { afterAll, beforeAll, it } from 'vitest';
import { ListTransport, listKey } from '../../examples/own-transport/list-transport.js';
import { describeTransport } from '../../src/conformance/index.js';
import {
  type DeliveryContext,
  type JobRecord,
  queueKeys,
  type RedisConnection,
  recognise,
  recognitionScripts,
} from '../../src/index.js';
import { type Benches, benches } from './support/bench.js';
import { failingTests } from './support/failing-tests.js';
import { expectNoticed, type Noticed } from './support/noticed.js';
import { listed } from './support/read-jobs.js';

let setting: Benches;
beforeAll(async () => {
  setting = await benches();
});
afterAll(() => setting.server.stop());

/** Lists, with a `lay` and a way of its own to tell jobs apart. `more`: other keys that they have. */
function list(
  lay: string,
  change: (jobs: readonly JobRecord[]) => readonly JobRecord[] = (jobs) => jobs,
  more: readonly string[] = [],
) {
  const scripts = recognitionScripts(lay, 1, 1);
  return () =>
    Object.assign(new ListTransport(), {
      deliver: (connection: RedisConnection, jobs: readonly JobRecord[], context: DeliveryContext) =>
        recognise(
          connection,
          queueKeys(context.queue),
          {
            key: listKey(context.queue),
            sharedKeys: more.map((name) => `${listKey(context.queue)}:${name}`),
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

interface BrokenList extends Noticed {
  readonly make: () => ListTransport;
}

const brokenLists: Record<string, BrokenList> = {
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
  'lays a lone job down before all others': {
    make: list(
      "local function lay(at) return redis.pcall(ARGV[at + 1] and 'RPUSH' or 'LPUSH', KEYS[1], ARGV[at]) end",
    ),
    fails: /the order of batches/,
  },
};

const failuresOfList = (make: () => ListTransport) =>
  failingTests((runner) =>
    describeTransport(
      {
        open: () => setting.open(make, listed, listKey),
        options: { taken: [], refused: [{}, 'fast', null] },
      },
      runner,
    ),
  );

it.each(Object.entries(brokenLists))('notices a list that %s', async (_, { make, ...how }) => {
  expectNoticed(await failuresOfList(make), how);
});
