import type { JobRecord } from '../../job/job-record.js';
import type { ParkedJob } from '../backup-store.js';
import { neverSent } from '../never-sent.js';
import { appendJobs, draftJobs } from './append-jobs.js';
import { bundlesOf } from './bundles-of.js';
import { damagedJob } from './damaged-job.js';
import { readJobText } from './job-text.js';
import { everyQueue, parkedKey, placeOfParkedKey, queueOfKey, rowsOf } from './keys.js';
import { readLeases, writeLease } from './lease-row.js';
import { Marks, readMarks, writeMarks } from './marks.js';
import { asAttempted, readParkedRow } from './parked-row.js';
import { findPlaces, getBundle, Places } from './places.js';
import { countPending, readQueue, writeQueue } from './queue-row.js';
import { recountPending } from './recount-pending.js';
import type { Tree } from './tree.js';

export function queueNames(tree: Tree): string[] {
  return tree.keys(everyQueue).map(queueOfKey);
}

interface Page<T> {
  readonly jobs: readonly T[];
  readonly cursor?: string;
}

/** A cursor is the place of the job that comes next. */
export function listPending(tree: Tree, name: string, limit: number, cursor = '0.0'): Page<JobRecord> {
  const queue = readQueue(tree, name);
  if (!queue) return { jobs: [] };
  const [fromBundle = 0, fromIndex = 0] = cursor.split('.').map(Number);
  const leases = readLeases(tree, queue.number);
  const jobs: JobRecord[] = [];
  for (const bundle of bundlesOf(tree, queue.number, fromBundle)) {
    const content = getBundle(tree, queue.number, bundle);
    if (!content) continue;
    const marks = readMarks(tree, queue.number, bundle);
    const lease = leases.filter(({ held }) => held.has(bundle));
    for (let index = bundle === fromBundle ? fromIndex : 0; index < content.count; index++) {
      if (marks?.isGone(index)) continue;
      if (jobs.length === limit) return { jobs, cursor: `${bundle}.${index}` };
      const body = content.body(index);
      const startedAt = lease.find(({ held }) => held.get(bundle)?.has(index))?.startedAt;
      const job = body
        ? readJobText(body)
        : damagedJob(
            name,
            findPlaces(tree, queue.number, bundle).jobs.get(index)?.id ?? `damaged-${bundle}-${index}`,
          );
      jobs.push(asAttempted(job, marks?.attemptedAt(index) ?? startedAt));
    }
  }
  return { jobs };
}

/** A cursor is the key of the row that comes next. */
export function listParked(tree: Tree, name: string, limit: number, cursor?: string): Page<ParkedJob> {
  const queue = readQueue(tree, name);
  if (!queue) return { jobs: [] };
  const from = cursor === undefined ? undefined : Buffer.from(cursor, 'hex');
  const keys = tree.keys(rowsOf('parked', queue.number, from), limit + 1);
  const jobs = keys.slice(0, limit).map((key) => {
    const { bundle, index } = placeOfParkedKey(key);
    const findId = () => findPlaces(tree, queue.number, bundle).jobs.get(index)?.id;
    return readParkedRow(name, key, tree.get(key) ?? Buffer.alloc(0), findId).parked;
  });
  const next = keys[limit];
  return next === undefined ? { jobs } : { jobs, cursor: next.toString('hex') };
}

/** In a transaction. What is damaged stays parked. */
export function unparkJobs(tree: Tree, name: string, ids: readonly string[], asNew = false): number {
  const queue = readQueue(tree, name);
  if (!queue) return 0;
  const jobs: JobRecord[] = [];
  const places = new Places(tree, queue.number);
  for (const id of new Set(ids)) {
    const place = places.get(id);
    const key = place?.isParked ? parkedKey(queue.number, place) : undefined;
    const row = key && tree.get(key);
    if (!key || !row) continue;
    const { parked, isWhole } = readParkedRow(name, key, row, () => id);
    if (!isWhole) continue;
    tree.remove(key);
    places.remove(id);
    queue.parked -= 1;
    jobs.push(asNew ? neverSent(parked.job) : parked.job);
  }
  places.write();
  writeQueue(tree, name, queue);
  appendJobs(tree, name, draftJobs(jobs));
  return jobs.length;
}

/** In a transaction. Gone for good, whoever holds them; with `state` only those in it. */
export function removeJobs(
  tree: Tree,
  name: string,
  ids: readonly string[],
  state?: 'pending' | 'parked',
): number {
  const queue = readQueue(tree, name);
  if (!queue) return 0;
  const leases = readLeases(tree, queue.number);
  const places = new Places(tree, queue.number);
  let removed = 0;
  let wasGuessed = false;
  for (const id of ids) {
    const place = places.get(id);
    if (!place || (state !== undefined && place.isParked !== (state === 'parked'))) continue;
    const { bundle, index } = place;
    if (place.isParked) {
      tree.remove(parkedKey(queue.number, place));
      queue.parked -= 1;
    } else {
      for (const { held } of leases) {
        held.get(bundle)?.delete(index);
        if (held.get(bundle)?.size === 0) held.delete(bundle);
      }
      const marks =
        readMarks(tree, queue.number, bundle) ??
        Marks.none(getBundle(tree, queue.number, bundle)?.count ?? 0);
      wasGuessed ||= marks.isGuess;
      marks.gone(index);
      writeMarks(tree, queue.number, bundle, marks);
      countPending(queue, place, -1);
    }
    places.remove(id);
    removed += 1;
  }
  places.write();
  for (const lease of leases) writeLease(tree, queue.number, lease);
  if (wasGuessed) recountPending(tree, queue);
  writeQueue(tree, name, queue);
  return removed;
}
