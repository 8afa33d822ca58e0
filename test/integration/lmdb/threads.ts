// Threads that open one new folder at the same moment, and append a job each. Bundled by its test. Each line says what became
// of one: the id of its job, or why there is none.
import { mkdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { LmdbBackupStore } from '../../../src/backup/lmdb.js';
import { jobRecord } from '../../unit/support/job-record.js';

/** What the program is told. */
export interface ThreadsSettings {
  readonly path: string;
  /** So often, each time in a folder of its own below `path`. */
  readonly rounds: number;
  readonly threads: number;
}

interface Orders {
  readonly path: string;
  readonly id: string;
  /** How many are ready, and whether they may begin. */
  readonly gate: Int32Array;
}

/** This program, in a thread: the input of one has no `unref()`, which its bundle calls. */
const thread = `process.stdin.unref = () => {}; import(${JSON.stringify(import.meta.url)})`;
const say = (line: string) => writeSync(1, `${line}\n`);

if (isMainThread) await startThreads(JSON.parse(process.argv[2] as string));
else await append(workerData);

async function startThreads({ path, rounds, threads }: ThreadsSettings): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    const folder = join(path, `${round}`);
    mkdirSync(folder);
    const gate = new Int32Array(new SharedArrayBuffer(8));
    const ends = Array.from({ length: threads }, (_, n) => {
      const orders: Orders = { path: folder, id: `${round}-${n}`, gate };
      const worker = new Worker(thread, { eval: true, workerData: orders, stdin: true });
      worker.on('error', (error) => say(error.message));
      return new Promise((resolve) => worker.once('exit', resolve));
    });
    while (Atomics.load(gate, 0) < threads) await new Promise(setImmediate);
    Atomics.store(gate, 1, 1);
    Atomics.notify(gate, 1);
    await Promise.all(ends);
  }
  process.exit(0);
}

async function append({ path, id, gate }: Orders): Promise<void> {
  Atomics.add(gate, 0, 1);
  Atomics.wait(gate, 1, 0);
  const store = new LmdbBackupStore({ path });
  await store.append('q', [jobRecord({ id })]);
  say(id);
  await store.close();
  process.exit(0);
}
