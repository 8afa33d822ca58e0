import { CLOCKS_MS } from './clocks.js';
import type { BookedJob } from './job-book.js';
import { KNOWN } from './job-page.js';

/**
 * What became of an accepted job:
 * - `delivered`: it stands in its queue, or Redis knows that it was laid down there and consumed since.
 * - `pending`: it waits in the backup, and will be replayed.
 * - `parked`: it was set aside, and waits for a person.
 * - `dropped`: its expiry passed, and it was told so.
 * - `lost`: it is nowhere, although Redis would know it.
 * - `doubled`: it stands in its queue more than once.
 * - `unknowable`: nobody can tell any more, or not from what was given.
 */
export type Verdict = 'delivered' | 'pending' | 'parked' | 'dropped' | 'lost' | 'doubled' | 'unknowable';

/**
 * Why nobody can tell:
 * - `window-passed`: Redis remembers a delivery, or a caller's id, for so long only.
 * - `evicted`: Redis evicts keys, and may have evicted what it remembered of this job. Where it may evict any key, also the queue
 *   that the job stood in: then only what stands there is known.
 * - `backup-not-seen`: it went to a backup that was not looked into, or was parked in it.
 * - `accepted-elsewhere`: all that is known of it is that a call was answered `duplicate`. When it was laid down, and so for how
 *   long Redis knows it, only the ledger tells that has its acceptance.
 * - `clocks-differ`: one process told that it had expired, and another, at what its clock says was the next minute, that it was
 *   accepted. Of one of them, or of two.
 * - `parked-no-more`: it was parked, and is neither in the backup nor in its queue: a person removed it, or it is lost.
 */
export type UnknowableReason =
  | 'window-passed'
  | 'evicted'
  | 'backup-not-seen'
  | 'accepted-elsewhere'
  | 'clocks-differ'
  | 'parked-no-more';

/** The verdict on a job that everything was asked about. What is found counts for more than what was told. */
export function verdictOn(
  { page, index }: BookedJob,
  wasBackupSeen: boolean,
): Exclude<Verdict, 'unknowable'> | UnknowableReason {
  const is = (what: number) => page.is(index, what);
  const [acceptedAt, toldAt] = [page.acceptedAt(index), page.toldAt(index)];
  if (is(KNOWN.doubled)) return 'doubled';
  if (is(KNOWN.hollow)) return 'evicted';
  if (is(KNOWN.delivered)) return 'delivered';
  if (is(KNOWN.pending)) return 'pending';
  if (is(KNOWN.parked)) return 'parked';
  // Told of a job before it was accepted once more, it says nothing of this one; but two processes may have two clocks.
  if (toldAt > 0 && toldAt >= acceptedAt - CLOCKS_MS) {
    if (is(KNOWN.toldDropped)) return toldAt >= acceptedAt ? 'dropped' : 'clocks-differ';
    // If it is of the former, the later one counts.
    if (is(KNOWN.toldLost) && toldAt >= acceptedAt) return 'lost';
    // That it still waits there only a look into the backup tells.
    if (is(KNOWN.toldParked)) return wasBackupSeen ? 'parked-no-more' : 'backup-not-seen';
  }
  if (acceptedAt === 0) return 'accepted-elsewhere';
  if (is(KNOWN.forgettable)) return 'window-passed';
  if (is(KNOWN.evictable)) return 'evicted';
  return is(KNOWN.backedUp) && !wasBackupSeen ? 'backup-not-seen' : 'lost';
}
