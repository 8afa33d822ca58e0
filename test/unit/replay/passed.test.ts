import { describe, expect, it } from 'vitest';
import type { JobRecord } from '../../../src/index.js';
import { findPassed } from '../../../src/replay/passed.js';
import { jobRecord } from '../support/job-record.js';

const EPOCHS = ['0189c5e2f0a0123456789abcdef', '0189c5e2f0b0123456789abcdef'];

/** `seq+` was laid down, `seq-` was not, `seq?` Redis does not tell of; `'` is another epoch, `=` another call's id. */
function ask(jobs: string): Promise<string[]> {
  const told = jobs.split(' ').map((text) => {
    const [, seq = '', bit = '', mark = ''] = /^(\d+)([-+?])(['=]?)$/.exec(text) ?? [];
    const delivery = `${EPOCHS[mark === "'" ? 1 : 0]}-${seq}`;
    const verdict = bit === '+' ? ('kept' as const) : bit === '-' ? ('lost' as const) : undefined;
    return { text, verdict, job: jobRecord({ id: mark === '=' ? `mine-${seq}` : delivery, delivery }) };
  });
  const gateway = {
    ask: async () => told.map(({ verdict }) => verdict),
    isAnothers: async ({ id, delivery }: JobRecord) => id !== delivery,
  };
  return findPassed(
    gateway,
    told.map(({ job }) => job),
    1000,
  ).then((passed) => told.filter(({ job }) => passed.has(job)).map(({ text }) => text));
}

describe('one that was not laid down', () => {
  it.each<[string, string[]]>([
    ['1- 2+', ['1-']],
    ['1- 2- 3+ 4-', ['1-', '2-']],
    ['1+ 2- 3+ 4-', ['2-']],
  ])('has been passed by one behind it that was: %s', async (jobs, passed) => {
    expect(await ask(jobs)).toEqual(passed);
  });

  it.each([
    ['by one before it', '1+ 2-'],
    ['when none was laid down', '1- 2- 3-'],
    ['by one that was enqueued before it', '5- 2+'],
    ['by one of another queue object', "1- 2+'"],
    ['when its id is in the queue by another call', '1-= 2+'],
    ['when Redis does not tell of it', '1? 2+'],
    ['when Redis does not tell of the other', '1- 2?'],
  ])('has not been passed %s: %s', async (_, jobs) => {
    expect(await ask(jobs)).toEqual([]);
  });
});
