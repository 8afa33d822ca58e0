import { bundlesOf } from './bundles-of.js';
import { readMarks } from './marks.js';
import { getBundle } from './places.js';
import type { QueueRow } from './queue-row.js';
import type { Tree } from './tree.js';

/**
 * After jobs were said to wait because nobody knows whether they are gone: has the queue count as many as can be handed out,
 * or the last of them would not be. Not fewer than it did, since some may be where they cannot be found.
 */
export function recountPending(tree: Tree, queue: QueueRow): void {
  let pending = 0;
  for (const bundle of bundlesOf(tree, queue.number)) {
    const count = getBundle(tree, queue.number, bundle)?.count ?? 0;
    const marks = readMarks(tree, queue.number, bundle);
    for (let index = 0; index < count; index++) if (!marks?.isGone(index)) pending += 1;
  }
  queue.pending = Math.max(queue.pending, pending);
}
