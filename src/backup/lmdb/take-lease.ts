import type { Bundle } from './bundle.js';
import { bundlesOf } from './bundles-of.js';
import { IndexSet } from './index-set.js';
import { isHeld, type LeaseRow, readLeases, writeLease } from './lease-row.js';
import { Marks, readMarks, writeMarks } from './marks.js';
import { getBundle } from './places.js';
import { readQueue, writeQueue } from './queue-row.js';
import { recountPending } from './recount-pending.js';
import type { Tree } from './tree.js';

/** A lease is not larger than this, whatever its limit: a job may be a mebibyte, and a lease is in memory. */
const MAX_BYTES = 16 * 1024 * 1024;

/** Jobs of a bundle that now are under a lease; read, but not looked into yet. */
export interface TakenBundle {
  readonly bundle: number;
  readonly content: Bundle;
  readonly indexes: readonly number[];
  readonly marks: Marks | undefined;
}

export interface LeaseRequest {
  readonly token: string;
  readonly limit: number;
  readonly leaseMs: number;
  readonly now: number;
}

/** In a transaction. The queue's oldest jobs that nobody holds, now held under `token`. */
export function takeLease(tree: Tree, name: string, request: LeaseRequest): TakenBundle[] {
  const { token, limit, leaseMs, now } = request;
  const queue = readQueue(tree, name);
  if (!queue || queue.pending === 0) return [];
  const { held: heldByOthers, wasGuessed } = endLeases(tree, queue.number, now);
  const lease: LeaseRow = { token, startedAt: now, leaseMs, held: new Map() };
  const taken: TakenBundle[] = [];
  let room = limit;
  let bytes = 0;
  for (const bundle of bundlesOf(tree, queue.number)) {
    if (room === 0 || bytes >= MAX_BYTES) break;
    const held = heldByOthers.get(bundle);
    if (held?.isFull) continue;
    const content = getBundle(tree, queue.number, bundle);
    // A damaged key names a bundle that is not there. Its jobs stay among the pending, and the others go on.
    if (!content) continue;
    const marks = readMarks(tree, queue.number, bundle);
    const indexes = new IndexSet(content.count);
    for (let index = 0; index < content.count && room > 0; index++) {
      if (held?.has(index) || marks?.isGone(index)) continue;
      indexes.add(index);
      room -= 1;
    }
    if (indexes.size === 0) continue;
    lease.held.set(bundle, indexes);
    taken.push({ bundle, content, indexes: [...indexes], marks });
    bytes += content.bytes;
  }
  if (taken.length > 0) writeLease(tree, queue.number, lease);
  if (wasGuessed) {
    recountPending(tree, queue);
    writeQueue(tree, name, queue);
  }
  return taken;
}

/**
 * Ends what has ended: its jobs are marked as attempted, and free. Returns what is held, by bundle, and whether it had to guess
 * which jobs wait.
 */
function endLeases(
  tree: Tree,
  queue: number,
  now: number,
): { readonly held: Map<number, IndexSet>; readonly wasGuessed: boolean } {
  const held = new Map<number, IndexSet>();
  let wasGuessed = false;
  for (const lease of readLeases(tree, queue)) {
    for (const [bundle, indexes] of lease.held) {
      if (isHeld(lease, now)) {
        const all = held.get(bundle) ?? new IndexSet(indexes.count);
        for (const index of indexes) all.add(index);
        held.set(bundle, all);
      } else {
        const marks = readMarks(tree, queue, bundle) ?? Marks.none(indexes.count);
        wasGuessed ||= marks.isGuess;
        for (const index of indexes) marks.attempted(index, lease.startedAt);
        writeMarks(tree, queue, bundle, marks);
      }
    }
    if (!isHeld(lease, now)) writeLease(tree, queue, { ...lease, held: new Map() });
  }
  return { held, wasGuessed };
}
