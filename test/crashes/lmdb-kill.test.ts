import { expect, it } from 'vitest';
import { BundledProgram } from '../support/bundled-program.js';
import { RedisServer } from '../support/redis-server.js';
import { killRounds } from './kill-rounds.js';

// A million jobs' worth of luck is not to be had in CI: `npm run soak:lmdb` does a thousand rounds.
it('loses and doubles nothing when its processes are killed with -9 at random moments, 100 times', async () => {
  await using worker = await BundledProgram.build(new URL('worker.ts', import.meta.url));
  await using server = await RedisServer.start();
  const summary = await killRounds(worker, server, { rounds: 100, lanes: 5 });
  expect(summary).toMatchObject({ rounds: 100, lost: [], doubled: [], complaints: [] });
  expect(summary.backedUp).toBeGreaterThan(1000);
  expect(summary.enqueued).toBeGreaterThan(50);
});
