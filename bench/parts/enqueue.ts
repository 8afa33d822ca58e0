import { RedisServer } from '../../test/support/redis-server.js';
import { bareScript } from '../contestants/bare-script.js';
import { bullmq } from '../contestants/bullmq.js';
import type { Contestant } from '../contestants/contestant.js';
import { rawIoredis } from '../contestants/raw-ioredis.js';
import { rawNodeRedis } from '../contestants/raw-node-redis.js';
import { queueOverIoredis, queueOverNodeRedis } from '../contestants/resilient-queue.js';
import { type Cpu, measureCpu } from '../measure/cpu.js';
import { keepCalling } from '../measure/keep-calling.js';
import { inRounds } from '../measure/rounds.js';
import { tell } from '../progress.js';
import { type Figure, figure, type PartResult, ratios } from '../report/result.js';
import { type Settings, size } from '../settings.js';

const CALLERS = [1, 16, 256] as const;
type Callers = (typeof CALLERS)[number];

interface Sample {
  readonly perSecond: number;
  readonly cpu: Cpu;
}

/** How fast jobs are laid down while Redis is well, by the library and by what a service would use without it. */
export async function run(settings: Settings): Promise<PartResult> {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const { port } = server;
  const raw = await rawIoredis(port, { autoPipelining: false });
  const auto = await rawIoredis(port, { autoPipelining: true });
  const rawNode = await rawNodeRedis(port);
  const ours = await queueOverIoredis(port);
  const oursOverNode = await queueOverNodeRedis(port);
  const bare = await bareScript(port);
  const bull = await bullmq(port);
  const contestants = [raw, auto, rawNode, bare, ours, oursOverNode, bull];

  const durationMs = size(settings, 1000, 60);
  const samples = new Map<Callers, Map<Contestant, Sample[]>>();
  for (const callers of CALLERS) {
    const once = (contestant: Contestant, forMs: number) => measure(server, contestant, callers, forMs);
    for (const contestant of contestants) await once(contestant, size(settings, 500, 20));
    const ofRounds = await inRounds(contestants, settings.rounds, (contestant, round) => {
      if (contestant === raw) tell(`enqueue: ${callers} callers, round ${round + 1} of ${settings.rounds}`);
      return once(contestant, durationMs);
    });
    samples.set(callers, ofRounds);
  }
  for (const contestant of contestants) await contestant.close();

  const of = (contestant: Contestant, callers: Callers) => samples.get(callers)?.get(contestant) ?? [];
  const rates = (contestant: Contestant, callers: Callers) =>
    of(contestant, callers).map((sample) => sample.perSecond);
  const against = (contestant: Contestant, rival: Contestant, callers: Callers): Figure =>
    ratios(rates(contestant, callers), rates(rival, callers));
  const columns = CALLERS.map((callers) => `${callers} caller${callers === 1 ? '' : 's'}`);

  return {
    part: 'enqueue',
    conditions: [
      'A caller awaits each of its calls before the next. The same payload (about 150 bytes of JSON) and fields everywhere; each contestant has its own connection and keys.',
      'Redis on the same machine without persistence (`--save "" --appendonly no`); the queue’s options at their defaults, the loss window included, but for a deadline that no stall of the machine reaches.',
      `${settings.rounds} rounds of ${durationMs} ms for each; after each, the jobs in Redis were counted and deleted.`,
    ],
    tables: [
      {
        title: 'Times as fast as ioredis `xadd`',
        note: 'Medians of the rounds’ ratios (lowest–highest).',
        columns: ['', ...columns],
        rows: contestants.map((contestant) => [
          contestant.name,
          ...CALLERS.map((callers) => against(contestant, raw, callers)),
        ]),
      },
      {
        title: 'Jobs a second',
        columns: ['', ...columns],
        rows: contestants.map((contestant) => [
          contestant.name,
          ...CALLERS.map((callers) => figure('per second', rates(contestant, callers))),
        ]),
      },
      cpuTable(contestants, of, 1),
      cpuTable(contestants, of, 256),
    ],
    goals: [
      { what: '256 callers, against ioredis `xadd`', least: 2, measured: against(ours, raw, 256) },
      { what: '256 callers, against BullMQ `add`', least: 5, measured: against(ours, bull, 256) },
      { what: '1 caller, against ioredis `xadd`', least: 0.85, measured: against(ours, raw, 1) },
    ],
  };
}

async function measure(
  server: RedisServer,
  contestant: Contestant,
  callers: number,
  durationMs: number,
): Promise<Sample> {
  const cpuOf = await measureCpu(server, contestant.command);
  const { count, perSecond } = await keepCalling(contestant.enqueue, callers, durationMs);
  const cpu = await cpuOf(count);
  // What a breaker sent to the backup would be a fast job, too.
  const laidDown = await contestant.laidDown();
  if (laidDown !== count)
    throw new Error(`${contestant.name} laid ${laidDown} jobs down in ${count} calls: nothing was measured.`);
  await contestant.clear();
  return { perSecond, cpu };
}

function cpuTable(
  contestants: readonly Contestant[],
  of: (contestant: Contestant, callers: Callers) => readonly Sample[],
  callers: Callers,
) {
  return {
    title: `Processor time a job, ${callers} caller${callers === 1 ? '' : 's'}`,
    columns: ['', 'this process', 'Redis, all', 'Redis, in the command'],
    rows: contestants.map((contestant) => {
      const cpu = of(contestant, callers).map((sample) => sample.cpu);
      const column = (of: keyof Cpu) =>
        figure(
          'microseconds',
          cpu.map((sample) => sample[of]),
        );
      return [contestant.name, column('client'), column('server'), column('command')];
    }),
  };
}
