import type { Place } from './keys.js';
import { seal, unseal } from './sealed-row.js';

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

export function placeRow(
  key: Buffer,
  place: Place,
  isParked: boolean,
  job: { readonly isUnknown: boolean; readonly bytes: number },
): Buffer {
  const row = Buffer.allocUnsafe(ROW_BYTES);
  row[0] = (isParked ? PARKED : 0) | (job.isUnknown ? UNKNOWN : 0);
  row.writeUIntLE(place.bundle, 1, 6);
  row[7] = place.index;
  row.writeUInt32LE(job.bytes, 8);
  return seal(key, row);
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
