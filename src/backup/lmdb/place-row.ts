import { type Place, placeKey } from './keys.js';
import { SEAL_BYTES, sealEntry, unseal } from './sealed-row.js';

/** Where a job of some id is, and what it counts for. */
export interface PlacedJob extends Place {
  readonly isParked: boolean;
  readonly isUnknown: boolean;
  /** What it counts for in the queue's bytes. */
  readonly bytes: number;
}

/** What a place takes, in a row of its own or of many. */
export const PLACE_BYTES = 12;
const PARKED = 1;
const UNKNOWN = 2;
/** In every place: bytes that are all zero are none. */
const PLACE = 4;

/** Key and row of a job. One buffer for both: there is one of them a job. */
export function placeEntry(
  queue: number,
  id: string,
  place: PlacedJob,
): { readonly key: Buffer; readonly row: Buffer } {
  const entry = placeKey(queue, id, PLACE_BYTES + SEAL_BYTES);
  const at = entry.length - PLACE_BYTES - SEAL_BYTES;
  writePlace(entry, at, place);
  sealEntry(entry);
  return { key: entry.subarray(0, at), row: entry.subarray(at) };
}

/** Undefined when the row is damaged. */
export function readPlaceRow(key: Buffer, row: Buffer): PlacedJob | undefined {
  const content = unseal(key, row);
  return content?.length === PLACE_BYTES ? readPlace(content, 0) : undefined;
}

export function writePlace(target: Buffer, at: number, place: PlacedJob): void {
  target[at] = PLACE | (place.isParked ? PARKED : 0) | (place.isUnknown ? UNKNOWN : 0);
  target.writeUIntLE(place.bundle, at + 1, 6);
  target[at + 7] = place.index;
  target.writeUInt32LE(place.bytes, at + 8);
}

/** Undefined where there is none. */
export function readPlace(content: Buffer, at: number): PlacedJob | undefined {
  const flags = content[at] as number;
  if (flags === 0) return undefined;
  return {
    bundle: content.readUIntLE(at + 1, 6),
    index: content[at + 7] as number,
    isParked: (flags & PARKED) !== 0,
    isUnknown: (flags & UNKNOWN) !== 0,
    bytes: content.readUInt32LE(at + 8),
  };
}
