import type { JobRecord } from '../../job/job-record.js';
import { damagedJob } from './damaged-job.js';
import { countedBytes, readJobText } from './job-text.js';
import type { Place } from './keys.js';
import { asAttempted } from './parked-row.js';
import { type FoundPlaces, findPlaces } from './places.js';
import { readQueue } from './queue-row.js';
import type { TakenBundle } from './take-lease.js';
import type { Tree } from './tree.js';

/** What has to be known of a job under a lease when it is settled. */
export interface HandedJob extends Place {
  readonly bytes: number;
  readonly isUnknown: boolean;
  readonly isDamaged: boolean;
}

/** The jobs of a lease, by id; only the process that took it can settle them. */
export interface HandedOut {
  readonly queue: string;
  /** When the lease ends. */
  readonly endsAt: number;
  readonly jobs: Map<string, HandedJob>;
}

/** Others get their turn after so many bytes of jobs. */
const SLICE_BYTES = 256 * 1024;

/** The records of what was taken, oldest first. One that fails its checksum is stood in for, so that it will be parked. */
export async function handOut(
  tree: Tree,
  queue: string,
  endsAt: number,
  taken: readonly TakenBundle[],
): Promise<{ readonly jobs: JobRecord[]; readonly handedOut: HandedOut }> {
  const jobs: JobRecord[] = [];
  const handedOut: HandedOut = { queue, endsAt, jobs: new Map() };
  let slice = 0;
  for (const { bundle, content, indexes, marks } of taken) {
    let found: FoundPlaces['jobs'] | undefined;
    for (const index of indexes) {
      const body = content.body(index);
      const whole = body && parse(body);
      found ??= whole ? undefined : placesIn(tree, queue, bundle);
      const job = whole ?? damagedJob(queue, found?.get(index)?.id ?? `damaged-${bundle}-${index}`);
      jobs.push(asAttempted(job, marks?.attemptedAt(index)));
      handedOut.jobs.set(job.id, {
        bundle,
        index,
        bytes: whole ? countedBytes(whole) : 0,
        isUnknown: job.fate === 'unknown',
        isDamaged: !whole,
      });
      slice += body?.length ?? 0;
      if (slice > SLICE_BYTES) {
        slice = 0;
        await new Promise(setImmediate);
      }
    }
  }
  return { jobs, handedOut };
}

function placesIn(tree: Tree, name: string, bundle: number): FoundPlaces['jobs'] {
  const queue = readQueue(tree, name);
  return queue ? findPlaces(tree, queue.number, bundle).jobs : new Map();
}

function parse(body: Buffer): JobRecord | undefined {
  try {
    return readJobText(body);
  } catch {
    return undefined;
  }
}
