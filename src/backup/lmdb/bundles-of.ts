import { bundleKey, bundleOfKey, rowsOf } from './keys.js';
import type { Tree } from './tree.js';

/** Keys are read so many at a time, since most leases need few. */
const KEYS = 64;

/** The numbers of a queue's bundles, oldest first. */
export function* bundlesOf(tree: Tree, queue: number, from = 0): Generator<number> {
  for (let start = from; ; ) {
    const keys = tree.keys(rowsOf('bundle', queue, bundleKey(queue, start)), KEYS);
    for (const key of keys) yield bundleOfKey(key);
    const last = keys.at(-1);
    if (last === undefined || keys.length < KEYS) return;
    start = bundleOfKey(last) + 1;
  }
}
