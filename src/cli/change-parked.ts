import type { ParkedJob } from '../backup/backup-store.js';
import type { CommandIo } from './command.js';
import { number } from './number.js';
import { type AdminStore, parkedPages, type Selection, wordOf } from './parked-pages.js';
import { plain } from './plain.js';
import { jsonLine } from './print-parked.js';

export type ParkedAction = 'unpark' | 'remove';

/** What is to be done with parked jobs. */
export interface ParkedChange {
  readonly action: ParkedAction;
  readonly selection: Selection;
  readonly mayRunTwice: boolean;
  readonly withPayload: boolean;
  readonly isJson: boolean;
}

const doneWords: Readonly<Record<ParkedAction, string>> = { unpark: 'unparked', remove: 'removed' };

/** Why jobs that were asked for stay as they are, and what then. */
const leftWords = {
  expired:
    'Still parked, as recognition-expired: %. They may have run: --remove those that have; --may-run-twice puts the others back, too.',
  damaged: 'Still parked, as damaged: %. They can only be removed.',
  meanwhile:
    'Parked no more when their turn came: %. Somebody else has put them back, replaced or removed them.',
};

type WhyLeft = keyof typeof leftWords;

/**
 * Puts parked jobs back in line or removes them, and prints each once that is done. Resolves with the exit code; rejects where the
 * store fails.
 */
export async function changeParked(
  store: AdminStore,
  queues: readonly string[],
  change: ParkedChange,
  io: CommandIo,
): Promise<number> {
  const { action, selection, withPayload, isJson } = change;
  const left = { expired: 0, damaged: 0, meanwhile: 0 };
  const missing = new Set(selection.ids);
  let done = 0;
  for (const queue of queues) {
    for await (const page of parkedPages(store, queue, selection)) {
      for (const { job } of page) missing.delete(job.id);
      const jobs = page.filter((job) => {
        const why = whyLeft(job, change);
        if (why) left[why] += 1;
        return why === undefined;
      });
      // Called together they share a flush, and each says whether somebody else was first.
      const outcomes = await Promise.allSettled(jobs.map((job) => changeOne(store, queue, job, change)));
      let lines = '';
      for (const [i, job] of jobs.entries()) {
        const outcome = outcomes[i];
        if (outcome?.status !== 'fulfilled') continue;
        if (!outcome.value) {
          left.meanwhile += 1;
          continue;
        }
        done += 1;
        lines += isJson ? jsonLine(job, withPayload) : lineOf(job, change);
      }
      await io.out(lines);
      const failed = outcomes.find((outcome) => outcome.status === 'rejected');
      if (failed) {
        io.err(
          `Jobs ${doneWords[action]}: ${number(done)}. Then the backup failed; call again for the others.\n`,
        );
        throw failed.reason;
      }
    }
  }
  const sum = `Jobs ${doneWords[action]}: ${number(done)}.\n`;
  if (isJson) io.err(sum);
  else io.out(sum);
  const notes = (Object.keys(leftWords) as WhyLeft[])
    .filter((why) => left[why] > 0)
    .map((why) => leftWords[why].replace('%', number(left[why])));
  if (missing.size > 0) notes.push(`Not parked: ${plain([...missing].join(', '))}.`);
  for (const note of notes) io.err(`${note}\n`);
  return notes.length > 0 ? 1 : 0;
}

function whyLeft(job: ParkedJob, { action, mayRunTwice }: ParkedChange): WhyLeft | undefined {
  if (action === 'remove') return undefined;
  const word = wordOf(job);
  if (word === 'damaged') return 'damaged';
  return word === 'recognition-expired' && !mayRunTwice ? 'expired' : undefined;
}

function lineOf(parked: ParkedJob, { action, withPayload }: ParkedChange): string {
  const { id, name, payload } = parked.job;
  const line = [doneWords[action], id, name, wordOf(parked)].join('  ');
  return `${plain(withPayload ? `${line}  ${payload}` : line)}\n`;
}

/** Resolves with whether it was still parked. */
async function changeOne(
  { admin }: AdminStore,
  queue: string,
  { job: { id } }: ParkedJob,
  { action, mayRunTwice }: ParkedChange,
): Promise<boolean> {
  const count =
    action === 'unpark'
      ? await admin.unpark(queue, [id], { asNew: mayRunTwice })
      : await admin.remove(queue, [id], { state: 'parked' });
  return count > 0;
}
