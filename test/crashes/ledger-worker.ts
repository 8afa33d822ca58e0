// A service with a ledger, to be killed: enqueues jobs, and says what each call was told at once, so that a kill loses no line.
import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { LmdbBackupStore } from '../../src/backup/lmdb.js';
import { ResilientQueue } from '../../src/index.js';
import { writeLedger } from '../../src/ledger/index.js';

/** What a worker is told. */
export interface LedgerWorkerSettings {
  readonly port: number;
  readonly queue: string;
  readonly backup: string;
  readonly ledger: string;
  /** Begins the ids that it gives. */
  readonly name: string;
  readonly callers: number;
}

const settings: LedgerWorkerSettings = JSON.parse(process.argv[2] as string);
const say = (line: string) => writeSync(1, `${line}\n`);

const redis = new Redis({ port: settings.port, retryStrategy: () => 30 });
redis.on('error', () => {});
const queue = new ResilientQueue(settings.queue, {
  redis,
  backup: new LmdbBackupStore({ path: settings.backup }),
  deadlineMs: 400,
  breaker: { probeAfterMs: 20, probeMaxMs: 40 },
  replay: { leaseMs: 1000, pollMs: 50 },
});
queue.on('error', () => {});
writeLedger(queue, settings.ledger);
say('ready');

for (let caller = 0; caller < settings.callers; caller++) void call(caller);

async function call(caller: number): Promise<void> {
  for (let n = 0; ; n++) {
    const id = n % 3 === 0 ? { id: `${settings.name}-${caller}-${n}` } : {};
    try {
      const receipt = await queue.enqueue('ledger.job', { n }, id);
      say(`${receipt.outcome} ${receipt.id}`);
    } catch (error) {
      say(`rejected ${error}`);
    }
    await sleep(1);
  }
}
