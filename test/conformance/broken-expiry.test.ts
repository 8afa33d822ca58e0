import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeTransport, type LaidDownJob } from '../../src/conformance/index.js';
import {
  type Delivery,
  type DeliveryContext,
  type JobRecord,
  type RedisConnection,
  ResilientQueueError,
  StreamsTransport,
  streamKey,
  type Transport,
} from '../../src/index.js';
import type { RedisServer } from '../support/redis-server.js';
import { type Benches, benches } from './support/bench.js';
import { failingTests } from './support/failing-tests.js';
import { alone, expectNoticed, type Noticed } from './support/noticed.js';
import { streamed } from './support/read-jobs.js';

let setting: Benches;
beforeAll(async () => {
  setting = await benches();
});
afterAll(() => setting.server.stop());

const ttlOf = ({ transportOptions }: JobRecord) =>
  (transportOptions as { readonly ttlMs: number } | undefined)?.ttlMs;

/** Streams whose entries say until when they are to be run, and whose workers keep to it. */
class ExpiringStreams implements Transport {
  readonly name = 'expiring-streams';
  readonly #streams = new StreamsTransport();
  readonly capabilities = { ...this.#streams.capabilities, headers: false };

  check(_: JobRecord, options: unknown): void {
    if (options === undefined || Number((options as { ttlMs?: unknown } | null)?.ttlMs) > 0) return;
    throw new ResilientQueueError('options.transport: there is ttlMs.', {
      ...{ code: 'OPTION_UNSUPPORTED', fate: 'not-delivered' },
    });
  }

  expiresAt(job: JobRecord): number | undefined {
    const ttlMs = ttlOf(job);
    return ttlMs === undefined ? undefined : job.enqueuedAt + ttlMs;
  }

  /** What the entry says. */
  endsAt(job: JobRecord): number | undefined {
    return this.expiresAt(job);
  }

  deliver(
    connection: RedisConnection,
    jobs: readonly JobRecord[],
    context: DeliveryContext,
  ): Promise<Delivery> {
    const marked = jobs.map((job) => {
      const endsAt = this.endsAt(job);
      return endsAt === undefined ? job : { ...job, headers: { endsAt: String(endsAt) } };
    });
    return this.#streams.deliver(connection, marked, context);
  }
}

async function unexpired(server: RedisServer, queue: string): Promise<LaidDownJob[]> {
  const jobs = await streamed(server, queue);
  return jobs
    .filter(({ headers }) => Number(headers?.endsAt ?? Number.POSITIVE_INFINITY) > Date.now())
    .map(({ headers: _, ...job }) => job);
}

const failuresOf = (wrong: Partial<ExpiringStreams>, taken: readonly unknown[] = [{ ttlMs: 60_000 }]) =>
  failingTests((runner) =>
    describeTransport(
      {
        open: () => setting.open(() => Object.assign(new ExpiringStreams(), wrong), unexpired, streamKey),
        options: { taken, refused: [{}, 'fast', null] },
      },
      runner,
    ),
  );

interface BrokenExpiry extends Noticed {
  readonly wrong: Partial<ExpiringStreams>;
}

const plus = (from: number, ttlMs: number | undefined, unit = 1) =>
  ttlMs === undefined ? undefined : (from + ttlMs) / unit;

const right = new ExpiringStreams();
const counted = alone(/when a job expires is counted/);
const ends = alone(/when a job expires ends it/);

const brokenExpiries: Record<string, BrokenExpiry> = {
  'counts from when it is asked': {
    wrong: { expiresAt: (job) => plus(Date.now(), ttlOf(job)), endsAt: right.endsAt.bind(right) },
    ...counted,
  },
  'counts in seconds': {
    wrong: {
      expiresAt: (job) => plus(job.enqueuedAt, ttlOf(job), 1000),
      endsAt: right.endsAt.bind(right),
    },
    fails: /when a job expires is counted/,
  },
  'lets jobs without a ttl expire': {
    wrong: { expiresAt: (job) => job.enqueuedAt + (ttlOf(job) ?? 1000) },
    fails: /when a job expires is counted/,
  },
  'never says when': {
    wrong: { expiresAt: () => undefined, endsAt: right.endsAt.bind(right) },
    fails: /when a job expires/,
  },
  'begins the ttl of a job anew when it is laid down': {
    wrong: { endsAt: (job) => plus(Date.now(), ttlOf(job)) },
    ...ends,
  },
  'lays jobs down without their expiry': {
    wrong: { endsAt: () => undefined },
    ...ends,
  },
};

it.each(Object.entries(brokenExpiries))('notices a transport that %s', async (_, { wrong, ...how }) => {
  expectNoticed(await failuresOf(wrong), how);
});

it('notices that no option of a job that expires is tried', async () => {
  const withoutTtl = { check() {}, expiresAt: () => undefined };
  expectNoticed(await failuresOf(withoutTtl, [{}]), { fails: /when a job expires is counted/ });
});

it('notices nothing about one that is right', async () => {
  expect(await failuresOf({})).toEqual([]);
});
