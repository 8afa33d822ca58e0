import { IndexSet } from './index-set.js';
import { leaseKey, rowsOf, textOfKey } from './keys.js';
import { seal, unseal } from './sealed-row.js';
import type { Tree } from './tree.js';

/** Who holds what of a queue, and for how long. */
export interface LeaseRow {
  readonly token: string;
  readonly startedAt: number;
  readonly leaseMs: number;
  /** By bundle. */
  readonly held: Map<number, IndexSet>;
}

const HEADER_BYTES = 16;
const BUNDLE_BYTES = 6;

export function isHeld(lease: LeaseRow, now: number): boolean {
  // A clock that was set back would make a lease last for ever: before its start counts as after its end.
  return now >= lease.startedAt && now < lease.startedAt + lease.leaseMs;
}

export function heldJobs(lease: LeaseRow): number {
  let jobs = 0;
  for (const indexes of lease.held.values()) jobs += indexes.size;
  return jobs;
}

export function readLease(tree: Tree, queue: number, token: string): LeaseRow | undefined {
  const key = leaseKey(queue, token);
  const row = tree.get(key);
  return row && parseLease(key, row);
}

/** Every lease of a queue. A damaged one holds nothing. */
export function readLeases(tree: Tree, queue: number): LeaseRow[] {
  return tree.keys(rowsOf('lease', queue)).flatMap((key) => {
    const row = tree.get(key);
    if (row === undefined) return [];
    return parseLease(key, row) ?? { token: textOfKey(key), startedAt: 0, leaseMs: 0, held: new Map() };
  });
}

/** In a transaction. A lease that holds nothing is none. */
export function writeLease(tree: Tree, queue: number, lease: LeaseRow): void {
  const key = leaseKey(queue, lease.token);
  if (lease.held.size === 0) {
    tree.remove(key);
    return;
  }
  const header = Buffer.allocUnsafe(HEADER_BYTES);
  header.writeDoubleLE(lease.startedAt, 0);
  header.writeDoubleLE(lease.leaseMs, 8);
  const parts: Uint8Array[] = [header];
  for (const [bundle, indexes] of lease.held) {
    const number = Buffer.allocUnsafe(BUNDLE_BYTES);
    number.writeUIntLE(bundle, 0, BUNDLE_BYTES);
    parts.push(number, indexes.toBytes());
  }
  tree.put(key, seal(key, Buffer.concat(parts)));
}

function parseLease(key: Buffer, row: Buffer): LeaseRow | undefined {
  const content = unseal(key, row);
  if (content === undefined) return undefined;
  const held = new Map<number, IndexSet>();
  for (let at = HEADER_BYTES; at < content.length; ) {
    const indexes = IndexSet.fromBytes(content, at + BUNDLE_BYTES);
    held.set(content.readUIntLE(at, BUNDLE_BYTES), indexes);
    at += BUNDLE_BYTES + indexes.byteLength;
  }
  return {
    token: textOfKey(key),
    startedAt: content.readDoubleLE(0),
    leaseMs: content.readDoubleLE(8),
    held,
  };
}
