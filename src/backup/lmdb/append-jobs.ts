import type { JobRecord } from '../../job/job-record.js';
import type { AppendOutcome } from '../backup-store.js';
import { cutBundles, writeBundle } from './bundle.js';
import { countedBytes, type JobText, jobText } from './job-text.js';
import { bundleKey, type Place, parkedKey } from './keys.js';
import { Marks, writeMarks } from './marks.js';
import { Places } from './places.js';
import { countPending, type QueueRow, readOrMakeQueue, writeQueue } from './queue-row.js';
import type { Tree } from './tree.js';

/** LMDB's longest key, less what we put before an id. */
const MAX_ID_BYTES = 1900;

interface DraftedJob {
  readonly id: string;
  readonly text: JobText;
  readonly bytes: number;
  readonly isUnknown: boolean;
}

/** Jobs as they will be written, made before the transaction so that it is short. */
export interface Draft {
  readonly bundles: readonly { readonly jobs: readonly DraftedJob[]; readonly value: Buffer }[];
  readonly bytes: number;
}

/** Throws for a job that cannot be kept. */
export function draftJobs(jobs: readonly JobRecord[]): Draft {
  const drafted = jobs.map((job): DraftedJob => {
    const idBytes = Buffer.byteLength(job.id);
    if (idBytes === 0 || idBytes > MAX_ID_BYTES) {
      throw new RangeError(`A job's id must be 1 to ${MAX_ID_BYTES} bytes, got ${idBytes} bytes.`);
    }
    const bytes = countedBytes(job);
    return { id: job.id, text: jobText(job), bytes, isUnknown: job.fate === 'unknown' };
  });
  const bundles = cutBundles(drafted).map((bundle) => ({ jobs: bundle, value: writeBundle(bundle) }));
  return { bundles, bytes: bundles.reduce((sum, { value }) => sum + value.length, 0) };
}

/** In a transaction. Adds the jobs at the queue's end; says what became of each, in order. */
export function appendJobs(tree: Tree, name: string, draft: Draft): AppendOutcome[] {
  const queue = readOrMakeQueue(tree, name);
  const places = new Places(tree, queue.number);
  const outcomes = draft.bundles.flatMap((bundle) => {
    const number = queue.nextBundle;
    const marks = Marks.none(bundle.jobs.length);
    let added = 0;
    const outcomes = bundle.jobs.map((job, index): AppendOutcome => {
      const outcome = addPlace(tree, queue, places, job, { bundle: number, index });
      if (outcome === 'present') marks.gone(index);
      else added += 1;
      return outcome;
    });
    if (added > 0) {
      tree.put(bundleKey(queue.number, number), bundle.value);
      queue.nextBundle += 1;
      // What was there already is written once more and skipped: to take it out would be to write the bundle anew.
      if (added < bundle.jobs.length) writeMarks(tree, queue.number, number, marks);
    }
    return outcomes;
  });
  places.write();
  writeQueue(tree, name, queue);
  return outcomes;
}

function addPlace(
  tree: Tree,
  queue: QueueRow,
  places: Places,
  job: DraftedJob,
  { bundle, index }: Place,
): AppendOutcome {
  const place = { bundle, index, isParked: false, isUnknown: job.isUnknown, bytes: job.bytes };
  let outcome: AppendOutcome = 'added';
  const present = places.add(job.id, place);
  if (present && !present.isParked) return 'present';
  if (present) {
    if (tree.remove(parkedKey(queue.number, present))) {
      queue.parked -= 1;
      outcome = 'replaced';
    }
    places.put(job.id, place);
  }
  countPending(queue, job, 1);
  return outcome;
}
