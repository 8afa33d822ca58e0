import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const alias: Record<string, string> = {
  // Before the root, which is the beginning of it.
  '@morningai/resilient-queue/backup/lmdb': fileURLToPath(new URL('./src/backup/lmdb.ts', import.meta.url)),
  '@morningai/resilient-queue/bullmq': fileURLToPath(new URL('./src/bullmq/index.ts', import.meta.url)),
  '@morningai/resilient-queue/conformance': fileURLToPath(
    new URL('./src/conformance/index.ts', import.meta.url),
  ),
  '@morningai/resilient-queue/ledger': fileURLToPath(new URL('./src/ledger/index.ts', import.meta.url)),
  '@morningai/resilient-queue/health': fileURLToPath(new URL('./src/health/index.ts', import.meta.url)),
  '@morningai/resilient-queue/doctor': fileURLToPath(new URL('./src/doctor/index.ts', import.meta.url)),
  '@morningai/resilient-queue/transport/rq': fileURLToPath(new URL('./src/transport/rq.ts', import.meta.url)),
  '@morningai/resilient-queue/transport/bullmq': fileURLToPath(
    new URL('./src/transport/bullmq.ts', import.meta.url),
  ),
  '@morningai/resilient-queue': fileURLToPath(new URL('./src/index.ts', import.meta.url)),
};

// COCKATIEL=4 runs everything on cockatiel's next major, which is installed beside the one we depend on.
if (process.env.COCKATIEL === '4') alias.cockatiel = 'cockatiel4';

// Projects of one group run together, and groups one after the other: those that count milliseconds while a server is
// down have no company that computes. They spend five sixths of their time waiting, those that serve a third: hence more
// workers than cores.
const cores = availableParallelism();
const computing = { groupOrder: 1, maxWorkers: cores };
const serving = { groupOrder: 2, maxWorkers: cores + 1 };
const waiting = { groupOrder: 3, maxWorkers: Math.min(3 * cores, 8) };
// A second's jobs go to the disk at once, which takes both a core and the disk.
const flushing = { groupOrder: 4, maxWorkers: 1 };
const killing = { groupOrder: 5, maxWorkers: cores };
// Those of other programs, which compute, too; nobody counts their milliseconds.
const besideOthers = { groupOrder: 6, maxWorkers: 2 * cores };

const project = (
  name: string,
  include: string[],
  testTimeout: number,
  { groupOrder, maxWorkers }: typeof computing,
  exclude: string[] = [],
) => ({
  resolve: { alias },
  test: {
    ...{ name, include, exclude, testTimeout, hookTimeout: 30_000, pool: 'forks' as const },
    ...{ maxWorkers, sequence: { groupOrder } },
  },
});

const onDisk = ['test/outages/lmdb-outage.test.ts', 'test/outages/ledger-outage.test.ts'];

export default defineConfig({
  test: {
    projects: [
      // Those of LMDB wait for the disk, which others may keep busy.
      project('unit', ['test/unit/**/*.test.ts', 'test/types/**/*.test.ts'], 60_000, computing),
      project('package', ['test/package/**/*.test.ts'], 60_000, computing),
      project(
        'integration',
        ['test/integration/**/*.test.ts', 'test/conformance/**/*.test.ts'],
        60_000,
        serving,
      ),
      project('outages', ['test/outages/**/*.test.ts'], 120_000, waiting, onDisk),
      project('outages-on-disk', onDisk, 120_000, flushing),
      project('workers', ['test/workers/**/*.test.ts'], 120_000, besideOthers),
      project('crashes', ['test/crashes/**/*.test.ts'], 120_000, killing),
      project('large', ['test/large/**/*.test.ts'], 60_000, computing),
      project('property', ['test/property/**/*.test.ts'], 300_000, computing),
      project('examples', ['test/examples/**/*.test.ts'], 60_000, serving),
    ],
  },
});
