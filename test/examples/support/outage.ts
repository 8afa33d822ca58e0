import { streamKey } from '@morningai/resilient-queue';
import { expect } from 'vitest';
import { RedisServer } from '../../support/redis-server.js';
import { readStream } from '../../support/stream.js';
import { Service } from './service.js';

/** What is peculiar to a framework. */
export interface Manners {
  /** @default '/health/live' */
  readonly liveness?: string;
  /** @default '/health/ready' */
  readonly readiness?: string;
  /** @default '/health/redis' */
  readonly redis?: string;
  /** @default '/jobs' */
  readonly jobs?: string;
  /** The media type of its answers. @default 'application/health+json' */
  readonly type?: string;
  /** Where the readiness says `pass` or `warn`, or another word for it. @default `status` */
  readonly wordOf?: (body: Record<string, unknown>) => unknown;
  /** Its words for `pass` and `warn`. @default ['pass', 'warn'] */
  readonly words?: readonly [string, string];
}

/**
 * Takes a service through an outage: Redis is up, hangs, is killed, and comes back. Its probes have to tell the truth
 * all the time, every job that it takes has to be in the stream, once, and SIGTERM has to close its queue and end it well.
 */
export async function survivesAnOutage(
  file: string,
  {
    liveness = '/health/live',
    readiness = '/health/ready',
    redis = '/health/redis',
    jobs = '/jobs',
    type = 'application/health+json',
    wordOf = (body) => body.status,
    words: [pass, warn] = ['pass', 'warn'],
  }: Manners = {},
): Promise<void> {
  await using server = await RedisServer.start();
  await using service = await Service.start(file, server);
  const post = () => service.post(jobs, { question: 'What if Redis is down?' });
  const becomes = (word: string) =>
    service.until(readiness, `to be ${word}`, ({ body }) => wordOf(body) === word);
  const isReachable = () => service.becomes(redis, 200);
  const isAlive = async () => (await service.get(liveness)).status === 200;

  const up = await post();
  expect(up).toMatchObject({ status: 202, body: { outcome: 'enqueued' } });
  await isReachable();
  const ready = {
    status: 200,
    type: expect.stringContaining(type),
    cacheControl: expect.stringContaining('no-store'),
  };
  expect(await becomes(pass)).toMatchObject(ready);
  const head = await service.head(readiness);
  expect(head).toMatchObject({ ...ready, body: {} });
  // That of the GET, or none.
  expect(head.contentLength).not.toBe('0');
  expect(await isAlive()).toBe(true);

  server.pause();
  const hung = await post();
  expect(hung).toMatchObject({ status: 202, body: { outcome: 'backed-up' } });
  expect(await service.get(redis)).toMatchObject({ ...ready, status: 503 });
  expect(await becomes(warn)).toMatchObject(ready);
  expect(await isAlive()).toBe(true);

  await server.kill();
  const killed = await Promise.all([post(), post(), post()]);
  for (const answer of killed) expect(answer).toMatchObject({ status: 202, body: { outcome: 'backed-up' } });
  expect(await service.get(redis)).toMatchObject({ ...ready, status: 503 });
  expect(await becomes(warn)).toMatchObject(ready);
  expect(await isAlive()).toBe(true);

  await server.restart();
  expect(await becomes(pass)).toMatchObject(ready);
  await isReachable();

  service.signal('SIGTERM');
  expect(await service.ended, service.output).toEqual({ code: 0, signal: null });
  expect(service.output).toContain('closed, 0 jobs were left in the backup');
  const accepted = [up, hung, ...killed].map(({ body }) => body.id);
  const laidDown = (await readStream(server, streamKey('orchestrator'))).map(({ fields }) => fields.id);
  expect(laidDown.sort()).toEqual(accepted.sort());
}
