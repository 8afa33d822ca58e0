import { type Place, placeKey } from './keys.js';
import { SEAL_BYTES, sealEntry, unseal } from './sealed-row.js';

/** Where a job of some id is, and what it counts for. */
export interface PlacedJob extends Place {
  readonly isParked: boolean;
  readonly isUnknown: boolean;
  /** What it counts for in the queue's bytes. */
  readonly bytes: number;
}

const ROW_BYTES = 12;
const PARKED = 1;
const UNKNOWN = 2;

/** Key and row of a job. One buffer for both: there is one of them a job. */
export function placeEntry(
  queue: number,
  id: string,
  place: Place,
  isParked: boolean,
  job: { readonly isUnknown: boolean; readonly bytes: number },
): { readonly key: Buffer; readonly row: Buffer } {
  const entry = placeKey(queue, id, ROW_BYTES + SEAL_BYTES);
  const at = entry.length - ROW_BYTES - SEAL_BYTES;
  entry[at] = (isParked ? PARKED : 0) | (job.isUnknown ? UNKNOWN : 0);
  entry.writeUIntLE(place.bundle, at + 1, 6);
  entry[at + 7] = place.index;
  entry.writeUInt32LE(job.bytes, at + 8);
  sealEntry(entry);
  return { key: entry.subarray(0, at), row: entry.subarray(at) };
}

/** Undefined when the row is damaged. */
export function readPlaceRow(key: Buffer, row: Buffer): PlacedJob | undefined {
  const content = unseal(key, row);
  if (content?.length !== ROW_BYTES) return undefined;
  const flags = content[0] as number;
  return {
    bundle: content.readUIntLE(1, 6),
    index: content[7] as number,
    isParked: (flags & PARKED) !== 0,
    isUnknown: (flags & UNKNOWN) !== 0,
    bytes: content.readUInt32LE(8),
  };
}
