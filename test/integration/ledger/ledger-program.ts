// Writes a ledger beside others that write the same one. Bundled by its test.
import { writeLedger } from '../../../src/ledger/index.js';
import { ToldQueue } from '../../unit/support/told-queue.js';

/** What it is told. */
export interface LedgerProgramSettings {
  readonly path: string;
  /** Begins its ids. */
  readonly name: string;
  readonly batches: number;
  readonly batchSize: number;
}

const { path, name, batches, batchSize }: LedgerProgramSettings = JSON.parse(process.argv[2] as string);
const queue = new ToldQueue();
const ledger = writeLedger(queue, path);
for (let batch = 0; batch < batches; batch++) {
  queue.accept(...Array.from({ length: batchSize }, (_, n) => `${name}-${batch}-${n}`));
  await new Promise(setImmediate);
}
console.log(JSON.stringify(await ledger.close()));
