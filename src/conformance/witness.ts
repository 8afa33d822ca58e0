import assert from 'node:assert/strict';
import type { JobRecord } from '../job/job-record.js';
import type { Theme } from './theme.js';

/** What tells that Redis has lost writes. */
export const witness: Theme = ({ describe, test }) => {
  describe('the witness', () => {
    test('is looked at before anything is written', async (bench) => {
      const [first, second, third] = bench.jobs(3) as [JobRecord, JobRecord, JobRecord];
      if (!bench.capabilities.witness) {
        assert.equal((await bench.whole([first], { witness: second.delivery })).witness, undefined);
        return;
      }
      for (const isNoted of [false, true]) {
        await bench.forgetEverything();
        assert.equal((await bench.whole([first], { isNoted })).witness, undefined);
        assert.equal((await bench.whole([second], { isNoted, witness: first.delivery })).witness, 'kept');
        await bench.forgetEverything();
        // The very job that would cover up what is missing.
        assert.equal(
          (await bench.whole([second, third], { isNoted, witness: second.delivery })).witness,
          'lost',
        );
      }
    });
  });
};
