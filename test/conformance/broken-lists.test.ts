import { afterAll, beforeAll, expect, it } from 'vitest';
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
import { alone, expectNoticed, type Noticed } from './support/noticed.js';
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
  const scripts = recognitionScripts(lay, 2, 2);
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
              void args.push(JSON.stringify({ id, name, payload: JSON.parse(payload) }), id),
          },
          change(jobs),
          context,
        ),
    });
}

const rightLay = "local function lay(at) return redis.pcall('RPUSH', KEYS[1], ARGV[at]) end";

/** Lists whose jobs stand in a hash and an index as well. `wrong`: what it does in place of what is right. */
function indexed(wrong: Partial<Record<'known' | 'begin' | 'data' | 'index' | 'end', string>>) {
  const steps = {
    known: '',
    begin: '',
    // What to do when the list, and when the index refuses the job.
    data: "redis.pcall('HDEL', data, id)",
    index: "redis.pcall('HDEL', data, id) redis.pcall('RPOP', KEYS[1])",
    end: '',
    ...wrong,
  };
  return list(
    `
local function isError(answer) return type(answer) == 'table' and answer.err end
local function lay(at)
  local id, data, index, lock = ARGV[at + 1], KEYS[#KEYS - 2], KEYS[#KEYS - 1], KEYS[#KEYS]
  ${steps.known}
  ${steps.begin}
  local answer = redis.pcall('HSET', data, id, ARGV[at])
  if isError(answer) then return answer end
  answer = redis.pcall('RPUSH', KEYS[1], ARGV[at])
  if isError(answer) then
    ${steps.data}
    return answer
  end
  answer = redis.pcall('ZADD', index, 0, id)
  if isError(answer) then
    ${steps.index}
    return answer
  end
  ${steps.end}
end`,
    undefined,
    ['data', 'index', 'lock'],
  );
}

interface BrokenList extends Noticed {
  readonly make: () => ListTransport;
}

const whole = /a batch interrupted.* is whole or nowhere/;

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
      "local function lay(at) return redis.pcall(ARGV[at + 2] and 'RPUSH' or 'LPUSH', KEYS[1], ARGV[at]) end",
    ),
    fails: /the order of batches/,
  },
  'leaves what it has written of a job that is refused then': {
    make: indexed({ data: '' }),
    ...alone(whole),
  },
  'says that a job is refused which is there': {
    make: indexed({ index: '' }),
    ...alone(whole),
  },
  'takes what is left of a job for a job': {
    make: indexed({
      known: `if redis.pcall('HEXISTS', data, id) == 1 then return { err = 'RSQ_IS_THERE' } end`,
      index: "redis.pcall('RPOP', KEYS[1])",
    }),
    ...alone(whole),
  },
  'takes other jobs back with one that is refused': {
    make: indexed({ index: "redis.pcall('DEL', data, KEYS[1])" }),
    ...alone(whole),
  },
  'leaves a key where it was interrupted': {
    make: indexed({ begin: "redis.pcall('SET', lock, 'locked')", end: "redis.pcall('DEL', lock)" }),
    ...alone(whole),
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

it('notices nothing about a list with several writes that are taken back', async () => {
  expect(await failuresOfList(indexed({}))).toEqual([]);
});

it('notices nothing about one that leaves something of a job, and says that its fate is unknown', async () => {
  const makeInDoubt = () => {
    const transport = indexed({ data: '' })();
    const deliver = transport.deliver.bind(transport);
    return Object.assign(transport, {
      async deliver(...args: Parameters<typeof deliver>) {
        const { outcomes, witness } = await deliver(...args);
        const doubt = { rejected: new Error('Something of the job may be there.') };
        return { outcomes: outcomes.map((told) => (typeof told === 'object' ? doubt : told)), witness };
      },
    });
  };
  expect(await failuresOfList(makeInDoubt)).toEqual([]);
});
