import type { HandedJob, HandedOut } from './hand-out.js';
import { parkedKey } from './keys.js';
import { type LeaseRow, readLease, writeLease } from './lease-row.js';
import { Marks, readMarks, writeMarks } from './marks.js';
import { parkedRow } from './parked-row.js';
import { getBundle, Places } from './places.js';
import { countPending, type QueueRow, readQueue, writeQueue } from './queue-row.js';
import { recountPending } from './recount-pending.js';
import type { Tree } from './tree.js';

/** What is to become of jobs under a lease. */
export type Settlement =
  | { readonly action: 'acknowledge' | 'release' }
  | { readonly action: 'park'; readonly reason: string; readonly parkedAt: number };

/** In a transaction. Settles those of `ids` that `token` still holds. */
export function settleJobs(
  tree: Tree,
  token: string,
  handedOut: HandedOut,
  ids: readonly string[],
  settlement: Settlement,
): void {
  const queue = readQueue(tree, handedOut.queue);
  const lease = queue && readLease(tree, queue.number, token);
  if (!lease) return;
  const places = new Places(tree, queue.number);
  let wasGuessed = false;
  for (const [bundle, jobs] of heldByBundle(lease, handedOut, ids)) {
    const held = lease.held.get(bundle);
    if (!held) continue;
    const marks = readMarks(tree, queue.number, bundle) ?? Marks.none(held.count);
    wasGuessed ||= marks.isGuess;
    const content = settlement.action === 'park' ? getBundle(tree, queue.number, bundle) : undefined;
    for (const [id, job] of jobs) {
      held.delete(job.index);
      if (settlement.action === 'release') {
        marks.attempted(job.index, lease.startedAt);
        continue;
      }
      if (settlement.action === 'park') {
        const body = content?.remains(job.index) ?? Buffer.alloc(0);
        const attemptedAt = marks.attemptedAt(job.index) ?? lease.startedAt;
        parkJob(tree, queue, places, id, job, body, { ...settlement, attemptedAt });
      } else {
        places.remove(id);
      }
      countPending(queue, job, -1);
      marks.gone(job.index);
    }
    if (held.size === 0) lease.held.delete(bundle);
    writeMarks(tree, queue.number, bundle, marks);
  }
  places.write();
  writeLease(tree, queue.number, lease);
  if (wasGuessed) recountPending(tree, queue);
  writeQueue(tree, handedOut.queue, queue);
}

function heldByBundle(
  lease: LeaseRow,
  handedOut: HandedOut,
  ids: readonly string[],
): Map<number, Map<string, HandedJob>> {
  const found = new Map<number, Map<string, HandedJob>>();
  for (const id of ids) {
    const job = handedOut.jobs.get(id);
    if (!job || !lease.held.get(job.bundle)?.has(job.index)) continue;
    const jobs = found.get(job.bundle) ?? new Map<string, HandedJob>();
    found.set(job.bundle, jobs.set(id, job));
  }
  return found;
}

function parkJob(
  tree: Tree,
  queue: QueueRow,
  places: Places,
  id: string,
  job: HandedJob,
  body: Buffer,
  {
    reason,
    parkedAt,
    attemptedAt,
  }: { readonly reason: string; readonly parkedAt: number; readonly attemptedAt: number },
): void {
  const key = parkedKey(queue.number, job);
  const note = job.isDamaged
    ? {
        id,
        reason: `damaged: its bytes on the disk fail their checksum (${reason})`,
        parkedAt,
        isDamaged: true,
      }
    : { id, reason, parkedAt, attemptedAt };
  tree.put(key, parkedRow(key, note, body));
  const { bundle, index, bytes, isUnknown } = job;
  places.put(id, { bundle, index, isParked: true, isUnknown, bytes });
  queue.parked += 1;
}
