import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { MemoryBackupStore, ResilientQueue, streamKey } from '../../src/index.js';
import { ioredisDefault, nodeRedisDefault } from '../support/clients.js';
import { FaultProxy } from '../support/fault-proxy.js';
import { Ledger } from '../support/ledger.js';
import { RedisServer } from '../support/redis-server.js';
import { readStream } from '../support/stream.js';
import { waitFor } from '../support/wait-for.js';

const JOBS = 30_000;

/** Each breaks off a replay that is under way, and ends by itself. */
const interruptions: readonly [string, (server: RedisServer, proxy: FaultProxy) => Promise<unknown>][] = [
  [
    'kill -9 and restart',
    async (server) => {
      await server.kill();
      await sleep(300);
      await server.restart();
    },
  ],
  [
    'replies cut after execution',
    async (_, proxy) => {
      proxy.cutReplies();
      await sleep(400);
      proxy.heal();
    },
  ],
  [
    'writes paused, executed late',
    async (server) => {
      await server.command('CLIENT', 'PAUSE', '60000', 'WRITE');
      await sleep(1500);
      await server.command('CLIENT', 'UNPAUSE');
    },
  ],
  [
    'OOM',
    async (server) => {
      await server.command('CONFIG', 'SET', 'maxmemory', '1');
      await sleep(500);
      await server.command('CONFIG', 'SET', 'maxmemory', '0');
    },
  ],
];

describe.each([ioredisDefault, nodeRedisDefault])('a replay under $name', (kind) => {
  it.each(interruptions)(
    'loses and doubles nothing when it is broken off again and again: %s',
    async (_, interrupt) => {
      await using server = await RedisServer.start();
      await using proxy = await FaultProxy.start({ port: server.port });
      const { client, end } = kind.make({ port: proxy.port });
      const queue = new ResilientQueue('broken-off', {
        redis: client,
        backup: new MemoryBackupStore(),
        replay: { batchSize: 64 },
      });
      try {
        const ledger = new Ledger();
        const isolation = queue.isolate();
        for (let n = 0; n < JOBS; n++) void ledger.track(undefined, queue.enqueue('outage.job', { n }));
        await waitFor(() => ledger.unsettled === 0, { what: 'the backlog to be made' });
        expect(queue.health()).toMatchObject({ status: 'degraded', backup: { pending: JOBS } });

        isolation.dispose();
        for (const share of [0.9, 0.6, 0.3]) {
          await waitFor(() => queue.health().backup.pending < JOBS * share, {
            what: `the backlog to be below ${share}`,
            timeoutMs: 20_000,
            everyMs: 1,
          });
          await interrupt(server, proxy);
        }
        await waitFor(() => queue.health().status === 'up', { what: 'the replay to end', timeoutMs: 30_000 });

        ledger.delivered(
          (await readStream(server, streamKey('broken-off'))).map((entry) => entry.fields.id as string),
        );
        expect(ledger.summary(), `${ledger}`).toMatchObject({
          accepted: JOBS,
          delivered: JOBS,
          lost: 0,
          doubled: 0,
          ghosts: 0,
          rejected: 0,
        });
        expect(queue.health().totals).toMatchObject({
          accepted: JOBS,
          delivered: JOBS,
          pending: 0,
          parked: 0,
        });
      } finally {
        await queue.close({ timeoutMs: 100 });
        end();
      }
    },
  );
});
