import type { BackupStore } from '../backup/backup-store.js';

// How many queues of each name use a store.
const users = new WeakMap<BackupStore, Map<string, number>>();

/** Another queue uses `store`. */
export function joinStore(store: BackupStore, queue: string): void {
  const names = users.get(store) ?? new Map<string, number>();
  users.set(store, names.set(queue, (names.get(queue) ?? 0) + 1));
}

/** A queue is done with `store`. Says whether it was the last of its name, and the last of all. */
export function leaveStore(
  store: BackupStore,
  queue: string,
): { readonly ofName: boolean; readonly ofAll: boolean } {
  const names = users.get(store) ?? new Map<string, number>();
  const left = (names.get(queue) ?? 1) - 1;
  if (left > 0) names.set(queue, left);
  else names.delete(queue);
  return { ofName: left === 0, ofAll: names.size === 0 };
}
