import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';

// A timer and a flush, again and again. In a thread of its own: what this process does in its own is none of the machine's.
const program = `
const { writeFileSync } = require('node:fs');
const { monitorEventLoopDelay } = require('node:perf_hooks');
const { parentPort, workerData: path } = require('node:worker_threads');
const delay = monitorEventLoopDelay({ resolution: 10 });
delay.enable();
const flushing = setInterval(() => writeFileSync(path, 'flushed', { flush: true }), 100);
parentPort.once('message', () => {
  clearInterval(flushing);
  parentPort.postMessage(delay.max / 1e6);
});
`;

/** Finds out how long the machine keeps whoever needs its processor and its disk waiting. */
export class MachineWatch {
  readonly #worker: Worker;

  /** Writes into `folder`. */
  constructor(folder: string) {
    this.#worker = new Worker(program, { eval: true, workerData: join(folder, 'watched') });
    this.#worker.unref();
  }

  /** Ends; resolves with the longest wait there was, ms. */
  async end(): Promise<number> {
    this.#worker.postMessage('end');
    const [worstMs] = (await once(this.#worker, 'message')) as [number];
    return worstMs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }
}
