import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { RedisServer } from '../../test/support/redis-server.js';
import { queueOverIoredis } from '../contestants/resilient-queue.js';
import { keepCalling } from '../measure/keep-calling.js';

export interface ProfileOrder {
  readonly callers: number;
  readonly durationMs: number;
  readonly file: string;
}

const SAMPLE_EVERY_MICROSECONDS = 100;

/** Writes a profile of the calls alone: `--cpu-prof` would mix in loading and warming up. Resolves with jobs a second. */
export async function run({ callers, durationMs, file }: ProfileOrder): Promise<number> {
  await using server = await RedisServer.start({ appendOnly: 'no' });
  const contestant = await queueOverIoredis(server.port);
  await keepCalling(contestant.enqueue, callers, 1000);
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: SAMPLE_EVERY_MICROSECONDS });
  await session.post('Profiler.start');
  const { perSecond } = await keepCalling(contestant.enqueue, callers, durationMs);
  const { profile } = await session.post('Profiler.stop');
  writeFileSync(file, JSON.stringify(profile));
  await contestant.close();
  return perSecond;
}
