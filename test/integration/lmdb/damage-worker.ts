// Damages copies of a backup at random, and uses what can still be opened to its end. Bundled by its test: LMDB may end the
// process that meets a damaged page, and that is what this is about. One line a seed.
import { cpSync, readFileSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { isBackupFileError, LmdbBackupStore } from '../../../src/backup/lmdb.js';
import type { JobRecord } from '../../../src/index.js';

/** What the worker is told. */
export interface DamageSettings {
  readonly backup: string;
  readonly copy: string;
  readonly seeds: readonly number[];
  readonly queues: readonly string[];
}

const PAGE = 4096;
const settings: DamageSettings = JSON.parse(process.argv[2] as string);
const say = (text: string) => writeSync(1, text);

/** A generator of numbers from 0 to 1 that always does the same for a seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Only where pages are in use: the rest of the file nobody reads. */
function damage(file: string, random: () => number): string {
  const bytes = readFileSync(file);
  const lastPage = Math.max(...[0, PAGE].map((page) => Number(bytes.readBigUInt64LE(page + 24 + 120))));
  const below = (end: number) => Math.floor(random() * end);
  const page = () => below(lastPage + 1) * PAGE;
  const kinds = {
    'bytes anywhere': () => {
      for (let n = 0; n <= below(5); n++) bytes[below((lastPage + 1) * PAGE)] = below(256);
    },
    'bytes where pages begin': () => {
      for (let n = 0; n < 3; n++) bytes[page() + below(64)] = below(256);
    },
    'a page of noise': () => {
      const at = page();
      for (let n = 0; n < PAGE; n++) bytes[at + n] = below(256);
    },
    'a page of zeros': () => {
      const at = page();
      bytes.fill(0, at, at + PAGE);
    },
    'a page in place of another': () => {
      const from = page();
      bytes.copy(bytes, page(), from, from + PAGE);
    },
    'cut off': () => truncateSync(file, below((lastPage + 1) * PAGE)),
  };
  const [name, act] = Object.entries(kinds)[below(Object.keys(kinds).length)] as [string, () => void];
  act();
  if (name !== 'cut off') writeFileSync(file, bytes);
  return name;
}

async function useToTheEnd(store: LmdbBackupStore): Promise<string> {
  const whole = (job: JobRecord) => job.version === 1;
  let delivered = 0;
  for (const queue of settings.queues) {
    await store.admin.list(queue, 'pending', { limit: 10_000 });
    await store.admin.list(queue, 'parked', { limit: 10_000 });
    for (;;) {
      const lease = await store.lease(queue, 100, 60_000);
      if (!lease) break;
      const idsOf = (jobs: readonly JobRecord[]) => jobs.map(({ id }) => id);
      await store.park(lease.token, idsOf(lease.jobs.filter((job) => !whole(job))), 'unknown-version');
      await store.acknowledge(lease.token, idsOf(lease.jobs.filter(whole)));
      delivered += lease.jobs.filter(whole).length;
    }
  }
  let left = 0;
  for (const queue of settings.queues) {
    const { pending, parked } = await store.stats(queue);
    left += pending + parked;
  }
  return `${delivered + left}`;
}

for (const seed of settings.seeds) {
  rmSync(settings.copy, { recursive: true, force: true });
  cpSync(settings.backup, settings.copy, { recursive: true });
  say(`${seed}: ${damage(join(settings.copy, 'data.mdb'), randomFrom(seed))}: `);
  try {
    const store = new LmdbBackupStore({ path: settings.copy });
    try {
      say(`jobs ${await useToTheEnd(store)}\n`);
    } finally {
      await store.close();
    }
  } catch (error) {
    say(`${isBackupFileError(error) ? `refused ${error.code}` : `strange ${error}`}\n`);
  }
}
