import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  type Argument,
  type DeliveryOutcome,
  JOB_RECORD_VERSION,
  type JobRecord,
  type RedisConnection,
  StreamsTransport,
  streamKey,
  systemClock,
} from '../../src/index.js';
import { writeCanary } from '../../src/policy/canary.js';
import { sortFailure } from '../../src/policy/outage.js';
import { EpochNotes } from '../../src/recognition/epoch-notes.js';
import { openEpoch } from '../../src/recognition/epochs.js';
import { queueKeys } from '../../src/recognition/queue-keys.js';
import { SimulatedRedis } from '../simulation/simulated-redis.js';
import { RedisServer } from '../support/redis-server.js';
import { RespConnection } from '../support/resp-connection.js';
import { readStream } from '../support/stream.js';

const runs = Number(process.env.DIFFERENTIAL_RUNS ?? 300);

const epochs = ['a', 'b', 'c'].map((letter) => letter.repeat(27));
const WINDOW_MS = 7 * 24 * 3_600_000;

interface JobPlan {
  readonly epoch: number;
  readonly seq: number;
  readonly callersId?: string | undefined;
  readonly hasHeaders: boolean;
}

type Step =
  | {
      readonly do: 'deliver';
      readonly jobs: readonly JobPlan[];
      readonly witness: Witness | undefined;
      readonly isNoted: boolean;
    }
  | { readonly do: 'canary'; readonly witnesses: readonly Witness[] }
  | { readonly do: 'open epoch'; readonly epoch: number }
  | { readonly do: 'spoil'; readonly key: 'stream' | 'epochs' | 'bitmap' | 'marker' }
  | { readonly do: 'deny'; readonly commands: readonly string[] }
  | { readonly do: 'refuse writes'; readonly as: 'READONLY' | 'OOM' | 'NOREPLICAS' | undefined }
  | { readonly do: 'forget scripts' };

interface Witness {
  readonly epoch: number;
  readonly seq: number;
}

const seq = fc.oneof({ weight: 3, arbitrary: fc.nat({ max: 5 }) }, fc.nat({ max: 70 }));
const epoch = fc.nat({ max: epochs.length - 1 });
const callersId = fc.option(fc.constantFrom('order-1', 'order-2', 'Bestellung Nº 3'), {
  nil: undefined,
  freq: 2,
});
const job: fc.Arbitrary<JobPlan> = fc.record({
  epoch,
  seq,
  callersId,
  hasHeaders: fc.boolean(),
});
/** What a queue usually sends: jobs whose numbers follow each other. */
const run = fc
  .record({ epoch, from: seq, count: fc.integer({ min: 1, max: 70 }) })
  .map(({ epoch, from, count }) =>
    Array.from({ length: count }, (_, i): JobPlan => ({ epoch, seq: from + i, hasHeaders: false })),
  );
const witness = fc.record({ epoch, seq });

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('deliver' as const),
      jobs: fc.oneof(fc.array(job, { minLength: 1, maxLength: 8 }), run),
      witness: fc.option(witness, { nil: undefined }),
      isNoted: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('canary' as const),
      witnesses: fc.array(witness, { maxLength: 5 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('open epoch' as const), epoch }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('spoil' as const),
      key: fc.constantFrom('stream' as const, 'epochs' as const, 'bitmap' as const, 'marker' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('deny' as const),
      commands: fc.subarray(['XADD', 'BITFIELD', 'SET', 'GET', 'ZADD', 'TIME'], { maxLength: 2 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('refuse writes' as const),
      as: fc.constantFrom(undefined, 'READONLY' as const, 'OOM' as const, 'NOREPLICAS' as const),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'forget scripts' as const }) },
);

/** Redis, of one kind or the other. */
interface Side {
  readonly connection: RedisConnection;
  deny(commands: readonly string[]): Promise<void>;
  refuseWrites(as: 'READONLY' | 'OOM' | 'NOREPLICAS' | undefined): Promise<void>;
  forgetScripts(): Promise<void>;
  /** Each entry's fields, in order. */
  stream(key: string): Promise<Readonly<Record<string, string>>[]>;
}

let server: RedisServer;
let resp: RespConnection;

beforeAll(async () => {
  server = await RedisServer.start({ appendOnly: 'no' });
  resp = new RespConnection({ port: server.port });
});

afterAll(async () => {
  resp?.close();
  await server?.stop();
});

test('the simulated Redis does what a real one does with the same scripts', async () => {
  let count = 0;
  const property = fc.asyncProperty(
    fc.array(step, { minLength: 1, maxLength: 12, size: 'max' }),
    async (steps) => {
      const queue = `q${++count}`;
      const real = realSide();
      try {
        expect(await told(simulatedSide(), queue, steps)).toEqual(await told(real, queue, steps));
      } finally {
        await real.deny([]);
        await real.refuseWrites(undefined);
      }
    },
  );
  await fc.assert(property, { numRuns: runs });
});

/** Everything that a side answered to `steps`, and what it holds at the end. */
async function told(side: Side, queue: string, steps: readonly Step[]): Promise<unknown[]> {
  const keys = queueKeys(queue);
  const answers: unknown[] = [];
  const transport = new StreamsTransport();
  for (const step of steps) {
    switch (step.do) {
      case 'deliver': {
        const notes = new EpochNotes(systemClock);
        if (step.isNoted) notes.noted(epochs);
        const context = { queue, now: 0, callerMs: 60_000, witness: idOf(step.witness), notes };
        const delivery = transport.deliver(
          side.connection,
          step.jobs.map((plan) => record(queue, plan)),
          context,
        );
        answers.push(
          await delivery.then((it) => ({ ...it, outcomes: it.outcomes.map(sorted) }), sorted),
          epochs.map((name) => notes.isFresh(name)),
        );
        break;
      }
      case 'canary': {
        const asked = step.witnesses.map((some) => idOf(some) as string);
        answers.push(await writeCanary(side.connection, keys, asked).catch(sorted));
        break;
      }
      case 'open epoch':
        answers.push(
          await openEpoch(side.connection, keys, epochs[step.epoch] as string, WINDOW_MS).catch(sorted),
        );
        break;
      case 'spoil':
        await spoil(side, queue, step.key);
        break;
      case 'deny':
        await side.deny(step.commands);
        break;
      case 'refuse writes':
        await side.refuseWrites(step.as);
        break;
      case 'forget scripts':
        await side.forgetScripts();
        break;
    }
  }
  await side.deny([]);
  await side.refuseWrites(undefined);
  answers.push(await side.stream(streamKey(queue)).catch(sorted));
  return answers;
}

/** Puts a value of another type where there is none yet. */
async function spoil(
  side: Side,
  queue: string,
  what: 'stream' | 'epochs' | 'bitmap' | 'marker',
): Promise<void> {
  const keys = queueKeys(queue);
  const send = (...args: string[]) => side.connection.send(args, args[1] as string).catch(() => undefined);
  if (what === 'stream') await send('SET', streamKey(queue), 'x', 'NX');
  else if (what === 'epochs') await send('SET', keys.epochs, 'x', 'NX');
  else if (what === 'bitmap') await send('ZADD', keys.seen(epochs[0] as string), '1', 'x');
  else {
    // One that was taken back goes by itself, but not at the same instant on both sides.
    await send('UNLINK', keys.marker('order-1'));
    await send('ZADD', keys.marker('order-1'), '1', 'x');
  }
}

function realSide(): Side {
  return {
    connection: connectionTo((args) => resp.send(...args.map(String))),
    async deny(commands) {
      await resp.send(
        'ACL',
        'SETUSER',
        'default',
        '+@all',
        ...commands.map((name) => `-${name.toLowerCase()}`),
      );
    },
    async refuseWrites(as) {
      if (as === 'READONLY') await resp.send('REPLICAOF', server.host, '1');
      else await resp.send('REPLICAOF', 'NO', 'ONE');
      await resp.send('CONFIG', 'SET', 'maxmemory', as === 'OOM' ? '1' : '0');
      await resp.send('CONFIG', 'SET', 'min-replicas-to-write', as === 'NOREPLICAS' ? '1' : '0');
    },
    async forgetScripts() {
      await resp.send('SCRIPT', 'FLUSH');
    },
    async stream(key) {
      return (await readStream(server, key)).map(({ fields }) => fields);
    },
  };
}

function simulatedSide(): Side {
  const redis = new SimulatedRedis(Date.now);
  const texts = {
    READONLY: "READONLY You can't write against a read only replica.",
    OOM: "OOM command not allowed when used memory > 'maxmemory'.",
    NOREPLICAS: 'NOREPLICAS Not enough good replicas to write.',
  };
  return {
    connection: connectionTo(async (args) => redis.execute(args)),
    async deny(commands) {
      redis.refusal = { ...redis.refusal, denied: commands };
    },
    async refuseWrites(as) {
      redis.refusal = { ...redis.refusal, writes: as && texts[as] };
    },
    async forgetScripts() {
      redis.forgetScripts();
    },
    async stream(key) {
      return redis.stream(key).map(({ fields }) => {
        const named: Record<string, string> = {};
        for (let i = 0; i < fields.length; i += 2) {
          named[fields[i] as string] = Buffer.from(fields[i + 1] as string, 'latin1').toString();
        }
        return named;
      });
    },
  };
}

function connectionTo(send: (args: readonly Argument[]) => Promise<unknown>): RedisConnection {
  return {
    client: undefined,
    isReady: true,
    send: async (args) => send(args),
    listen: () => () => {},
    destroy: () => {},
  };
}

function record(queue: string, { epoch, seq, callersId, hasHeaders }: JobPlan): JobRecord {
  const delivery = `${epochs[epoch]}-${seq}`;
  return {
    version: JOB_RECORD_VERSION,
    queue,
    id: callersId ?? delivery,
    delivery,
    name: 'job',
    payload: JSON.stringify({ seq, text: 'ß' }),
    fate: 'not-delivered',
    enqueuedAt: 1_700_000_000_000,
    transport: 'streams',
    ...(hasHeaders && { headers: { traceparent: '00-é' } }),
  };
}

function idOf(witness: Witness | undefined): string | undefined {
  return witness && `${epochs[witness.epoch]}-${witness.seq}`;
}

/** An error by its kind: texts differ between versions of Redis. */
function sorted(outcome: DeliveryOutcome | Error): unknown {
  if (typeof outcome === 'string') return outcome;
  return sortFailure('rejected' in outcome ? outcome.rejected : outcome, false).kind;
}
