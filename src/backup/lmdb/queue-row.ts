import { BackupFileError } from './backup-file-error.js';
import { everyQueue, queueKey } from './keys.js';
import { seal, unseal } from './sealed-row.js';
import type { Tree } from './tree.js';

/** A queue's number and figures, kept up to date in the transaction that changes them. */
export interface QueueRow {
  readonly number: number;
  nextBundle: number;
  pending: number;
  unknown: number;
  parked: number;
  bytes: number;
}

/** Undefined for a queue that the store never heard of. */
export function readQueue(tree: Tree, name: string): QueueRow | undefined {
  const key = queueKey(name);
  const row = tree.get(key);
  if (row === undefined) return undefined;
  const content = unseal(key, row);
  if (content === undefined) {
    throw new BackupFileError(
      'The backup is damaged: the figures of a queue fail their checksum. Stop all processes that use it and restore the folder from a copy, or set it aside and start with an empty one.',
      { code: 'BACKUP_DAMAGED' },
    );
  }
  return JSON.parse(content.toString());
}

/** In a transaction. */
export function readOrMakeQueue(tree: Tree, name: string): QueueRow {
  return (
    readQueue(tree, name) ?? {
      number: tree.keys(everyQueue).length,
      nextBundle: 0,
      pending: 0,
      unknown: 0,
      parked: 0,
      bytes: 0,
    }
  );
}

/** In a transaction. */
export function writeQueue(tree: Tree, name: string, row: QueueRow): void {
  const key = queueKey(name);
  tree.put(key, seal(key, Buffer.from(JSON.stringify(row))));
}

/** A job more among the pending, or with `-1` one less. */
export function countPending(
  row: QueueRow,
  job: { readonly bytes: number; readonly isUnknown: boolean },
  by: 1 | -1,
): void {
  row.pending = Math.max(0, row.pending + by);
  // What a damaged job counted for nobody knows any more; an empty queue counts nothing.
  const isEmpty = row.pending === 0;
  row.bytes = isEmpty ? 0 : Math.max(0, row.bytes + by * job.bytes);
  row.unknown = isEmpty ? 0 : Math.max(0, row.unknown + (job.isUnknown ? by : 0));
}
