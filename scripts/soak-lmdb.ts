// Kills services on an LMDB backup with -9, a thousand times, and counts their jobs.
//   npm run soak:lmdb [-- rounds]     needs redis-server; prints one line every hundred rounds, ends with 1 if a job is lost or doubled
import { type KillSummary, killRounds } from '../test/crashes/kill-rounds.js';
import { BundledProgram } from '../test/support/bundled-program.js';
import { RedisServer } from '../test/support/redis-server.js';

const ROUNDS_AT_A_TIME = 100;
const rounds = Number(process.argv[2] ?? 1000);

await using worker = await BundledProgram.build(new URL('../test/crashes/worker.ts', import.meta.url));
for (let done = 0; done < rounds && process.exitCode === undefined; done += ROUNDS_AT_A_TIME) {
  await using server = await RedisServer.start();
  const summary = await killRounds(worker, server, {
    rounds: Math.min(ROUNDS_AT_A_TIME, rounds - done),
    lanes: 5,
  });
  console.log(`${done + summary.rounds} rounds: ${told(summary)}`);
  if (summary.lost.length + summary.doubled.length + summary.complaints.length > 0) {
    console.error(summary);
    process.exitCode = 1;
  }
}

function told({ enqueued, backedUp, delivered, lost, doubled }: KillSummary): string {
  return `${enqueued} enqueued, ${backedUp} backed up, ${delivered} in the streams, ${lost.length} lost, ${doubled.length} doubled`;
}
