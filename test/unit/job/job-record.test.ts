import { expect, it } from 'vitest';
import { roughBytes } from '../../../src/job/job-record.js';
import { jobRecord } from '../support/job-record.js';

it('counts what a job takes with it besides its payload, so that a batch is cut in time', () => {
  const bare = roughBytes(jobRecord());
  const large = 'x'.repeat(1000);
  expect(roughBytes(jobRecord({ payload: `"${large}"` }))).toBeGreaterThanOrEqual(bare + 990);
  expect(roughBytes(jobRecord({ headers: { large } }))).toBeGreaterThanOrEqual(bare + 1000);
  expect(roughBytes(jobRecord({ transportOptions: { meta: { large } } }))).toBeGreaterThanOrEqual(
    bare + 1000,
  );
});
