import { type Bundle, readBundle } from './bundle.js';
import { bundleKey, marksKey, placeKey, rowsOf, textOfKey } from './keys.js';
import { type PlacedJob, readPlaceRow } from './place-row.js';
import { unseal } from './sealed-row.js';
import type { Tree } from './tree.js';

/** Of a job in its bundle's marks. */
const MARK_BYTES = Float64Array.BYTES_PER_ELEMENT;

/** Undefined when the store does not know the id; damaged rows are as good as none. */
export function readPlace(tree: Tree, queue: number, id: string): PlacedJob | undefined {
  const key = placeKey(queue, id);
  const row = tree.get(key);
  return row && readPlaceRow(key, row);
}

/** The ids of the pending jobs of a bundle, by index. Reads every place of the queue: only for what is damaged. */
export function findPlaces(tree: Tree, queue: number, bundle: number): Map<number, string> {
  const found = new Map<number, string>();
  for (const key of tree.keys(rowsOf('place', queue))) {
    const row = tree.get(key);
    const place = row && readPlaceRow(key, row);
    if (place && place.bundle === bundle && !place.isParked) found.set(place.index, textOfKey(key));
  }
  return found;
}

/** Undefined when it is gone. */
export function getBundle(tree: Tree, queue: number, bundle: number): Bundle | undefined {
  const value = tree.get(bundleKey(queue, bundle));
  return value && readBundle(value, () => countOf(tree, queue, bundle));
}

/** How many jobs a bundle was written with: since some are gone there are marks of all; until then each has a place. */
function countOf(tree: Tree, queue: number, bundle: number): number {
  const key = marksKey(queue, bundle);
  const row = tree.get(key);
  const marks = row && unseal(key, row);
  if (marks) return marks.length / MARK_BYTES;
  return Math.max(0, ...findPlaces(tree, queue, bundle).keys()) + 1;
}
