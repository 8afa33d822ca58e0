import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { LmdbBackupStore } from '../../src/backup/lmdb.js';
import { ResilientQueue, streamKey } from '../../src/index.js';
import type { BundledProgram, RunningProgram } from '../support/bundled-program.js';
import { FaultProxy } from '../support/fault-proxy.js';
import type { RedisServer } from '../support/redis-server.js';
import { readStream } from '../support/stream.js';
import { waitFor } from '../support/wait-for.js';
import type { WorkerSettings } from './worker.js';

/** What callers were told, and what stands in the streams. */
export interface KillSummary {
  /** As many as were asked for; `kills` counts those besides. */
  rounds: number;
  kills: number;
  enqueued: number;
  backedUp: number;
  /** Jobs that a later process replayed. */
  delivered: number;
  readonly lost: string[];
  readonly doubled: string[];
  /** Whatever a worker said that it should not have to. */
  readonly complaints: string[];
}

/** From when a worker has begun to work, to its end. */
const LONGEST_MS = 120;

/**
 * Workers enqueue and replay, on a Redis that comes and goes, until they are killed with -9 at a random moment; the next go on
 * with what they left. In `lanes` side by side, each with its own queue and folder. On a machine that is so busy that they hardly
 * get to work, there are more rounds, until there was something to be lost.
 */
export async function killRounds(
  worker: BundledProgram,
  server: RedisServer,
  { rounds, lanes }: { readonly rounds: number; readonly lanes: number },
): Promise<KillSummary> {
  const summary: KillSummary = {
    ...{ rounds: 0, kills: 0, enqueued: 0, backedUp: 0, delivered: 0 },
    ...{ lost: [], doubled: [], complaints: [] },
  };
  const each = Math.ceil(rounds / lanes);
  await Promise.all(Array.from({ length: lanes }, (_, lane) => runLane(worker, server, lane, each, summary)));
  return summary;
}

async function runLane(
  worker: BundledProgram,
  server: RedisServer,
  lane: number,
  rounds: number,
  summary: KillSummary,
): Promise<void> {
  await using proxy = await FaultProxy.start({ port: server.port });
  const folder = mkdtempSync(join(tmpdir(), 'resilient-queue-kill-'));
  const queue = `kill-${lane}`;
  const accepted = new Set<string>();
  try {
    for (let round = 0; round < rounds || (isTooLittle(summary) && round < 5 * rounds); round++) {
      const lines = await killRound(worker, proxy, (n) => ({
        ...{ port: proxy.port, path: join(folder, 'backup'), queue, name: `${lane}.${round}.${n}` },
        ...{ callers: 8, batchSize: 32, attemptTimeoutMs: 30 },
      }));
      if (round < rounds) summary.rounds += 1;
      for (const line of lines) note(line, accepted, summary);
      summary.kills += 1;
    }
    await proxy.accept();
    proxy.heal();
    await replayTheRest(proxy.port, queue, join(folder, 'backup'));
  } finally {
    rmSync(folder, { recursive: true });
  }
  const standing = new Map<string, number>();
  for (const { fields } of await readStream(server, streamKey(queue))) {
    const id = fields.id as string;
    standing.set(id, (standing.get(id) ?? 0) + 1);
  }
  for (const [id, copies] of standing) if (copies > 1) summary.doubled.push(id);
  for (const id of accepted) if (!standing.has(id)) summary.lost.push(id);
  summary.delivered += standing.size;
}

function isTooLittle({ enqueued, backedUp }: KillSummary): boolean {
  return enqueued <= 50 || backedUp <= 1000;
}

/** One or two workers, Redis there or not or changing, and the end. Returns what they said. */
async function killRound(
  worker: BundledProgram,
  proxy: FaultProxy,
  settings: (n: number) => WorkerSettings,
): Promise<string[]> {
  const isDown = Math.random() < 0.5;
  if (isDown) await proxy.refuse();
  else await proxy.accept();
  proxy.heal();
  const workers = Array.from({ length: Math.random() < 0.2 ? 2 : 1 }, (_, n) => worker.start(settings(n)));
  await Promise.all(workers.map(untilAtWork));
  const turns = [Math.random() * LONGEST_MS, Math.random() * LONGEST_MS].sort((a, b) => a - b);
  const [turnAt = 0, killAt = 0] = turns;
  await sleep(turnAt);
  const turn = Math.random();
  if (turn < 0.3) proxy.cutReplies();
  else if (turn < 0.5) proxy.blackhole();
  else if (isDown) await proxy.accept();
  else await proxy.refuse();
  await sleep(killAt - turnAt);
  await Promise.all(workers.map((one) => one.kill()));
  return workers.flatMap((one) => one.lines());
}

/** It takes a while to start, and a while until it has found out that Redis is not there. */
async function untilAtWork(worker: RunningProgram): Promise<void> {
  await waitFor(() => worker.lines().some((line) => line.startsWith('receipt')), {
    what: 'a worker to enqueue its first job',
    timeoutMs: 20_000,
    everyMs: 5,
  }).catch((error: Error) => {
    throw new Error(`${error.message}\n${worker.lines().join('\n')}`);
  });
}

function note(line: string, accepted: Set<string>, summary: KillSummary): void {
  const [what, ...rest] = line.split(' ');
  if (what === 'receipt') {
    const [outcome, id] = rest as [string, string];
    accepted.add(id);
    if (outcome === 'backed-up') summary.backedUp += 1;
    else if (outcome === 'enqueued') summary.enqueued += 1;
  } else if (what !== 'ready' && what !== 'replay') {
    summary.complaints.push(line);
  }
}

async function replayTheRest(port: number, name: string, path: string): Promise<void> {
  const redis = new Redis({ port });
  redis.on('error', () => {});
  const store = new LmdbBackupStore({ path });
  const queue = new ResilientQueue(name, { redis, backup: store, replay: { leaseMs: 1000, pollMs: 50 } });
  queue.on('error', () => {});
  try {
    await waitFor(async () => (await store.stats(name)).pending === 0, {
      what: 'the backlog to be replayed',
      timeoutMs: 30_000,
    });
    if ((await store.stats(name)).parked > 0) throw new Error('Jobs were parked');
  } finally {
    await queue.close();
    redis.disconnect();
  }
}
