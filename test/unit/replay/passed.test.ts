import { describe, expect, it } from 'vitest';
import { findPassed } from '../../../src/replay/passed.js';
import { jobRecord } from '../support/job-record.js';

const EPOCHS = ['0189c5e2f0a0123456789abcdef', '0189c5e2f0b0123456789abcdef'];

let questions: string[] = [];

/**
 * `seq+` was laid down, `seq-` was not, `seq?` Redis does not tell of; `'` is another epoch, `=` an id that another call holds,
 * `*` one that nobody holds, `^` one that it holds itself, `~` was never sent.
 */
function ask(jobs: string): Promise<string[]> {
  const told = jobs.split(' ').map((text) => {
    const [, seq = '', bit = '', mark = ''] = /^(\d+)([-+?])(['=*^~]?)$/.exec(text) ?? [];
    const delivery = `${EPOCHS[mark === "'" ? 1 : 0]}-${seq}`;
    const verdict = bit === '+' ? ('kept' as const) : bit === '-' ? ('lost' as const) : undefined;
    const id = { '=': `mine-${seq}`, '*': `free-${seq}`, '^': `own-${seq}` }[mark] ?? delivery;
    const job = jobRecord({ id, delivery, ...(mark !== '~' && { lastAttemptAt: 1_700_000_000_000 }) });
    return { text, verdict, job };
  });
  const gateway = {
    ask: async () => told.map(({ verdict }) => verdict),
    askHolders: async (ids: readonly string[]) => {
      questions.push(ids.join(' '));
      const ownOf = (id: string) => told.find(({ job }) => job.id === id)?.job.delivery ?? '';
      return ids.map((id) => ({ mine: 'another', own: ownOf(id) })[id.split('-')[0] as string] ?? '');
    },
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
    ['1-* 2-= 3- 4+', ['1-*', '3-']],
    ['1-^ 2+', ['1-^']],
  ])('has been passed by one behind it that was: %s', async (jobs, passed) => {
    expect(await ask(jobs)).toEqual(passed);
  });

  it('is asked about with all others at once: as many questions as jobs would outlast a lease', async () => {
    questions = [];
    await ask('1-* 2-= 3- 4-* 5+');
    expect(questions).toEqual(['free-4 mine-2 free-1']);
  });

  it.each([
    ['by one before it', '1+ 2-'],
    ['when none was laid down', '1- 2- 3-'],
    ['by one that was enqueued before it', '5- 2+'],
    ['by one of another queue object', "1- 2+'"],
    ['when its id is in the queue by another call', '1-= 2+'],
    ['when nobody can have sent it', '1-~ 2+'],
    ['when Redis does not tell of it', '1? 2+'],
    ['when Redis does not tell of the other', '1- 2?'],
  ])('has not been passed %s: %s', async (_, jobs) => {
    expect(await ask(jobs)).toEqual([]);
  });
});
