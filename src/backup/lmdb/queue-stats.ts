import type { BackupStats } from '../backup-store.js';
import { bundlesOf } from './bundles-of.js';
import { readJobText } from './job-text.js';
import { heldJobs, isHeld, readLeases } from './lease-row.js';
import { readMarks } from './marks.js';
import { getBundle } from './places.js';
import { type QueueRow, readQueue } from './queue-row.js';
import type { Tree } from './tree.js';

/** What the store holds for a queue; the same work however much that is. */
export function queueStats(tree: Tree, name: string, now: number): BackupStats {
  const queue = readQueue(tree, name);
  if (!queue) return { pending: 0, leased: 0, unknown: 0, parked: 0, bytes: 0 };
  const { number, pending, unknown, parked, bytes } = queue;
  const leased = readLeases(tree, number)
    .filter((lease) => isHeld(lease, now))
    .reduce((sum, lease) => sum + heldJobs(lease), 0);
  const oldestAt = pending > 0 ? oldestOf(tree, queue) : undefined;
  return { pending, leased, unknown, parked, bytes, ...(oldestAt !== undefined && { oldestAt }) };
}

function oldestOf(tree: Tree, queue: QueueRow): number | undefined {
  for (const bundle of bundlesOf(tree, queue.number)) {
    const content = getBundle(tree, queue.number, bundle);
    const marks = readMarks(tree, queue.number, bundle);
    for (let index = 0; index < (content?.count ?? 0); index++) {
      const body = marks?.isGone(index) ? undefined : content?.body(index);
      if (body) return readJobText(body).enqueuedAt;
    }
  }
  return undefined;
}
