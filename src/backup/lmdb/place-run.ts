import { PLACE_BYTES, type PlacedJob, readPlace, writePlace } from './place-row.js';
import { SEAL_BYTES, sealInPlace, unseal } from './sealed-row.js';
import type { Tree } from './tree.js';

/**
 * So many ids share a row: few enough for a page to have several of the rows, which is as long as LMDB lets a value be that
 * does not get pages of its own.
 */
export const RUN_IDS = 64;
const HEADER_BYTES = 1;
const CONTENT_BYTES = HEADER_BYTES + RUN_IDS * PLACE_BYTES;
/** In the header: places that were here are not known any more. */
const INCOMPLETE = 1;

/**
 * The places of the jobs of a run of ids: of ids that follow each other in their epoch. The library's own ids come and go
 * together, so their jobs share a row: a row each was the dearest part of an append and of its acknowledgement.
 */
export class PlaceRun {
  readonly #key: Buffer;
  /** With room for the seal. */
  readonly #row: Buffer;
  #isChanged = false;

  /** `stored` is the row, where there is one. A damaged row has no places, and says so from then on. */
  constructor(key: Buffer, stored: Buffer | undefined) {
    this.#key = key;
    const isSound = stored && unseal(key, stored)?.length === CONTENT_BYTES;
    this.#row = isSound ? stored : Buffer.alloc(CONTENT_BYTES + SEAL_BYTES);
    if (stored && !isSound) this.#row[0] = INCOMPLETE;
  }

  /** False when there may have been more places than it has. */
  get isComplete(): boolean {
    return this.#row[0] !== INCOMPLETE;
  }

  get(n: number): PlacedJob | undefined {
    return readPlace(this.#row, placeAt(n));
  }

  put(n: number, place: PlacedJob): void {
    writePlace(this.#row, placeAt(n), place);
    this.#isChanged = true;
  }

  /** Nothing changes where there is none: that a row is damaged is not to be forgotten. */
  remove(n: number): void {
    const at = placeAt(n);
    if (this.#row[at] === 0) return;
    this.#row.fill(0, at, at + PLACE_BYTES);
    this.#isChanged = true;
  }

  /** In a transaction. */
  write(tree: Tree): void {
    if (!this.#isChanged) return;
    this.#isChanged = false;
    if (this.#isEmpty()) {
      tree.remove(this.#key);
    } else {
      sealInPlace(this.#key, this.#row);
      tree.put(this.#key, this.#row);
    }
  }

  #isEmpty(): boolean {
    if (!this.isComplete) return false;
    for (let n = 0; n < RUN_IDS; n++) if (this.#row[placeAt(n)] !== 0) return false;
    return true;
  }
}

function placeAt(n: number): number {
  return HEADER_BYTES + n * PLACE_BYTES;
}
