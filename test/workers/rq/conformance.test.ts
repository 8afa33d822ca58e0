import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { findPython } from '../../../scripts/find-python.js';
import { describeTransport, type LaidDownJob } from '../../../src/conformance/index.js';
import { type Benches, benches } from '../../conformance/support/bench.js';
import { rqData } from '../../conformance/support/read-jobs.js';
import { rqSubject } from '../../conformance/support/rq-subject.js';
import type { RedisServer } from '../../support/redis-server.js';

let setting: Benches;
let python: string;
beforeAll(async () => {
  [setting, python] = await Promise.all([benches(), findPython('rq')]);
});
afterAll(() => setting.server.stop());

describe('RqTransport, whose pickles Python reads', () => {
  describeTransport(
    rqSubject(() => setting, 'pickle', pickledJobs),
    { describe, it },
  );
});

const unpickle = `
import json, pickle, sys
print(json.dumps([pickle.loads(bytes.fromhex(data)) for data in json.load(sys.stdin)]))`;

/** The jobs that wait, as Python reads them. */
async function pickledJobs(server: RedisServer, queue: string): Promise<LaidDownJob[]> {
  const jobs = await rqData(server, queue);
  const input = JSON.stringify(jobs.map(({ data }) => data.toString('hex')));
  const { stdout, status } = spawnSync(python, ['-c', unpickle], { input, encoding: 'utf8' });
  if (status !== 0) throw new Error('Python could not read a pickle.');
  const calls = JSON.parse(stdout) as [string, null, unknown[]][];
  return jobs.map(({ id }, n) => {
    const [name, , payload] = calls[n] as (typeof calls)[number];
    return { id, name, payload };
  });
}
