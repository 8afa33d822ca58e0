import { describe, expect, it } from 'vitest';
import { LmdbBackupStore } from '../../src/backup/lmdb.js';
import { ioredisDefault, nodeRedisDefault } from '../support/clients.js';
import { surviveOutage } from '../support/stream-outage-run.js';
import { jobRecord } from '../unit/support/job-record.js';
import { temporaryFolder } from '../unit/support/temporary-folder.js';
import { faults } from './faults.js';

const chosen = [
  { kind: ioredisDefault, name: 'kill -9 and restart' },
  { kind: nodeRedisDefault, name: 'SIGSTOP for 4 s, and what was sent is executed late' },
  { kind: ioredisDefault, name: 'replies cut after execution, for 1.5 s' },
];

/** As a service that has been running for a while, whose processor has compiled what an outage needs. */
async function warmUp(): Promise<void> {
  const store = new LmdbBackupStore({ path: temporaryFolder() });
  for (let batch = 0; batch < 20; batch++) {
    const jobs = Array.from({ length: 256 }, (_, n) => jobRecord({ id: `${batch}-${n}` }));
    await store.append('warm', jobs);
    const lease = await store.lease('warm', 256, 10_000);
    await store.acknowledge(
      lease?.token ?? '',
      jobs.map(({ id }) => id),
    );
  }
  await store.close();
}

describe('an outage with an LMDB backup', () => {
  it.each(chosen)('loses and doubles nothing: $name', async ({ kind, name }) => {
    const fault = faults.find((fault) => fault.name === name);
    if (!fault) throw new Error(`There is no fault ${name}`);
    await warmUp();
    const path = temporaryFolder();
    await surviveOutage(kind, fault, {}, new LmdbBackupStore({ path }));
    const next = new LmdbBackupStore({ path });
    expect(await next.stats('outage')).toMatchObject({ pending: 0, leased: 0, parked: 0 });
    await next.close();
  });
});
