import { RedisServer } from '../../test/support/redis-server.js';
import { queueBeforeBullMq } from '../contestants/before-bullmq.js';
import { bullmq, bullmqDeduplicated } from '../contestants/bullmq.js';
import type { Contestant } from '../contestants/contestant.js';
import { pythonRq } from '../contestants/python-rq.js';
import { queueOverIoredis } from '../contestants/resilient-queue.js';
import { queueForRq } from '../contestants/rq-transport.js';
import { keepCalling } from '../measure/keep-calling.js';
import { inRounds } from '../measure/rounds.js';
import { tell } from '../progress.js';
import { figure, type PartResult, ratios } from '../report/result.js';
import { type Settings, size } from '../settings.js';

/** In one of the ways. */
interface Producer {
  readonly name: string;
  measure(durationMs: number): Promise<number>;
  close(): Promise<unknown>;
}

interface Way {
  readonly title: string;
  readonly callers: number;
  readonly jobsACall: number;
}

const ways: readonly Way[] = [
  { title: '1 caller', callers: 1, jobsACall: 1 },
  { title: '256 callers', callers: 256, jobsACall: 1 },
  { title: '256 jobs a call', callers: 1, jobsACall: 256 },
];

/** How fast each transport lays jobs down, against the producer that it replaces. */
export async function run(settings: Settings): Promise<PartResult> {
  const durationMs = size(settings, 1000, 60);
  const tables: PartResult['tables'][number][] = [];
  for (const way of ways) {
    await using server = await RedisServer.start({ appendOnly: 'no' });
    const { port } = server;
    const of = async (contestant: Promise<Contestant>) => producer(await contestant, way);
    const python = await pythonRq(port, way.callers * way.jobsACall);
    const bull = await of(bullmq(port));
    const bullDeduplicated = await of(bullmqDeduplicated(port));
    const rivals = new Map<Producer, Producer>([
      [await of(queueForRq(port, 'json')), python],
      [await of(queueForRq(port, 'pickle')), python],
      [await of(queueBeforeBullMq(port)), bull],
      [await of(queueOverIoredis(port)), bull],
      [bullDeduplicated, bull],
    ]);
    const producers = [...rivals.keys(), python, bull];
    for (const some of producers) await some.measure(size(settings, 500, 20));
    const samples = await inRounds(producers, settings.rounds, (some, round) => {
      if (some === python) tell(`transports: ${way.title}, round ${round + 1} of ${settings.rounds}`);
      return some.measure(durationMs);
    });
    for (const some of producers) await some.close();
    const rates = (some: Producer) => samples.get(some) ?? [];
    tables.push({
      title: `${way.title}.`,
      note: 'Medians of the rounds’ ratios (lowest–highest).',
      columns: ['', 'jobs a second', 'times as fast as', ''],
      rows: producers.map((some) => {
        const rival = rivals.get(some);
        return [
          some.name,
          figure('per second', rates(some)),
          rival === undefined ? '' : ratios(rates(some), rates(rival)),
          rival?.name ?? '',
        ];
      }),
    });
  }
  return {
    part: 'transports',
    conditions: [
      'A caller awaits each of its calls before the next. The same payload (about 150 bytes of JSON) everywhere; each producer has its own connection and keys.',
      'Python RQ runs in a process of its own, with the JSON serializer; for 256 callers it is given 256 jobs a call (`enqueue_many`).',
      `Redis on the same machine without persistence; ${settings.rounds} rounds of ${durationMs} ms for each; after each, the jobs in Redis were counted and deleted.`,
    ],
    tables,
    goals: [],
  };
}

function producer(contestant: Contestant, { callers, jobsACall }: Way): Producer {
  const { many } = contestant;
  const isMany = jobsACall > 1 && many !== undefined;
  const { name } = isMany ? many : contestant;
  const call = isMany ? () => many.enqueue(jobsACall) : contestant.enqueue;
  return {
    name,
    async measure(durationMs) {
      const { count, perSecond } = await keepCalling(call, callers, durationMs);
      const [laidDown, given] = [await contestant.laidDown(), isMany ? count * jobsACall : count];
      if (laidDown !== given)
        throw new Error(`${name} laid ${laidDown} jobs down of ${given}: nothing was measured.`);
      await contestant.clear();
      return isMany ? perSecond * jobsACall : perSecond;
    },
    close: () => contestant.close(),
  };
}
