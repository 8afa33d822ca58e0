import { bundleKey, marksKey } from './keys.js';
import { findPlaces, getBundle } from './places.js';
import { seal, unseal } from './sealed-row.js';
import type { Tree } from './tree.js';

const NEVER = 0;

/** What became of a bundle's jobs. A bundle without marks: all of them wait, and nobody has sent one yet. */
export class Marks {
  /** By index: when it was first handed out, {@link NEVER}, or `NaN` once it is gone. */
  readonly #marks: Float64Array;
  /** They were damaged, and jobs of which nobody knows any more whether they are gone are said to wait. */
  readonly isGuess: boolean;

  constructor(marks: Float64Array, isGuess = false) {
    this.#marks = marks;
    this.isGuess = isGuess;
  }

  static none(count: number): Marks {
    return new Marks(new Float64Array(count));
  }

  get count(): number {
    return this.#marks.length;
  }

  isGone(index: number): boolean {
    return Number.isNaN(this.#marks[index]);
  }

  get areAllGone(): boolean {
    return this.#marks.every(Number.isNaN);
  }

  gone(index: number): void {
    this.#marks[index] = Number.NaN;
  }

  attemptedAt(index: number): number | undefined {
    return this.#marks[index] || undefined;
  }

  /** The first attempt is what counts. */
  attempted(index: number, at: number): void {
    if (this.#marks[index] === NEVER) this.#marks[index] = at;
  }

  toBytes(): Buffer {
    return Buffer.from(this.#marks.buffer, this.#marks.byteOffset, this.#marks.byteLength);
  }
}

/** Undefined when there are none. */
export function readMarks(tree: Tree, queue: number, bundle: number): Marks | undefined {
  const key = marksKey(queue, bundle);
  const row = tree.get(key);
  if (row === undefined) return undefined;
  const content = unseal(key, row);
  if (content !== undefined) return new Marks(new Float64Array(Uint8Array.from(content).buffer));
  return marksByPlaces(tree, queue, bundle);
}

/**
 * For damaged marks: a job that is not gone has a place. Where places are damaged, too, a job without one may be a job that
 * waits: then it is handed out, perhaps again, which Redis recognises.
 */
function marksByPlaces(tree: Tree, queue: number, bundle: number): Marks | undefined {
  const stored = getBundle(tree, queue, bundle);
  if (!stored) return undefined;
  const { jobs, isComplete } = findPlaces(tree, queue, bundle);
  const marks = new Marks(new Float64Array(stored.count), !isComplete);
  for (let index = 0; index < marks.count; index++) {
    const job = jobs.get(index);
    if (job?.isParked || (!job && isComplete)) marks.gone(index);
  }
  return marks;
}

/** In a transaction. A bundle whose jobs are all gone goes with them. */
export function writeMarks(tree: Tree, queue: number, bundle: number, marks: Marks): void {
  if (marks.areAllGone) {
    tree.remove(bundleKey(queue, bundle));
    tree.remove(marksKey(queue, bundle));
  } else {
    const key = marksKey(queue, bundle);
    tree.put(key, seal(key, marks.toBytes()));
  }
}
