import type { BackupStore } from '../backup/backup-store.js';

const users = new WeakMap<BackupStore, number>();

/** Another queue uses `store`. */
export function joinStore(store: BackupStore): void {
  users.set(store, (users.get(store) ?? 0) + 1);
}

/** A queue is done with `store`. Returns whether it was the last one. */
export function leaveStore(store: BackupStore): boolean {
  const left = (users.get(store) ?? 1) - 1;
  users.set(store, left);
  return left === 0;
}
