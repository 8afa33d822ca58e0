// A service on an LMDB backup, to be killed: enqueues jobs and replays what it finds. Bundled by its tests. Each line says what
// somebody was told, and is written at once: a kill loses none of them.
import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { LmdbBackupStore } from '../../src/backup/lmdb.js';
import { ResilientQueue } from '../../src/index.js';

/** What a worker is told. */
export interface WorkerSettings {
  readonly port: number;
  readonly path: string;
  readonly queue: string;
  /** Begins the ids that it gives. */
  readonly name: string;
  /** How many enqueue, each one job after the other. */
  readonly callers: number;
  readonly batchSize: number;
  /** For one attempt at Redis, ms. Little, where an outage is to be noticed soon; where Redis is well, a busy machine has time. */
  readonly attemptTimeoutMs: number;
}

const settings: WorkerSettings = JSON.parse(process.argv[2] as string);
const say = (line: string) => writeSync(1, `${line}\n`);

const redis = new Redis({ port: settings.port, retryStrategy: () => 30 });
redis.on('error', () => {});
const queue = new ResilientQueue(settings.queue, {
  redis,
  backup: new LmdbBackupStore({ path: settings.path }),
  deadlineMs: 2 * settings.attemptTimeoutMs,
  attemptTimeoutMs: settings.attemptTimeoutMs,
  breaker: { probeAfterMs: 20, probeMaxMs: 40 },
  replay: { batchSize: settings.batchSize, leaseMs: 1000, pollMs: 50 },
});
queue.on('error', ({ error }) => say(`error ${error.message}`));
queue.on('replay', ({ phase, replayed }) => say(`replay ${phase} ${replayed}`));
queue.on('parked', ({ reason }) => say(`parked ${reason}`));
queue.on('dropped', ({ reason }) => say(`dropped ${reason}`));
say('ready');

for (let caller = 0; caller < settings.callers; caller++) void call(caller);

async function call(caller: number): Promise<void> {
  for (let n = 0; ; n++) {
    const id = n % 3 === 0 ? { id: `${settings.name}-${caller}-${n}` } : {};
    const text = 'x'.repeat(n % 50 === 49 ? 50_000 : 100);
    try {
      const { outcome, id: told } = await queue.enqueue('kill.job', { text }, id);
      say(`receipt ${outcome} ${told}`);
    } catch (error) {
      say(`rejected ${error}`);
    }
    await sleep(1);
  }
}
