import { isDeliveryId, parseDeliveryId, seqIn } from '../../recognition/delivery-id.js';
import { type Bundle, readBundle } from './bundle.js';
import { bundleKey, marksKey, placeKey, rowsOf, runKey, runOfKey, textOfKey } from './keys.js';
import { type PlacedJob, placeEntry, readPlaceRow } from './place-row.js';
import { PlaceRun, RUN_IDS } from './place-run.js';
import { unseal } from './sealed-row.js';
import type { Tree } from './tree.js';

/** Of a job in its bundle's marks. */
const MARK_BYTES = Float64Array.BYTES_PER_ELEMENT;

/**
 * Where a queue's jobs are, by their ids. An id that the library made shares its row with those that follow it, any other
 * has one of its own. Damaged rows are as good as none. For one change, in its transaction; {@link write} ends it.
 */
export class Places {
  readonly #tree: Tree;
  readonly #queue: number;
  readonly #runs = new Map<string, PlaceRun>();
  /** The run that was sought last, which most often is the next one, too. */
  #epoch = '';
  #number = -1;
  #run!: PlaceRun;

  constructor(tree: Tree, queue: number) {
    this.#tree = tree;
    this.#queue = queue;
  }

  /** Undefined when the store does not know the id. */
  get(id: string): PlacedJob | undefined {
    const n = this.#seek(id);
    if (n !== undefined) return this.#run.get(n);
    const key = placeKey(this.#queue, id);
    const row = this.#tree.get(key);
    return row && readPlaceRow(key, row);
  }

  /** Gives the id a place, unless it has one: that stays as it is, and is returned. */
  add(id: string, place: PlacedJob): PlacedJob | undefined {
    const n = this.#seek(id);
    if (n !== undefined) {
      const present = this.#run.get(n);
      if (!present) this.#run.put(n, place);
      return present;
    }
    const { key, row } = placeEntry(this.#queue, id, place);
    if (this.#tree.putNew(key, row)) return undefined;
    const present = readPlaceRow(key, this.#tree.get(key) as Buffer);
    if (!present) this.#tree.put(key, row);
    return present;
  }

  /** Gives the id a place, whether it has one or not. */
  put(id: string, place: PlacedJob): void {
    const n = this.#seek(id);
    if (n !== undefined) {
      this.#run.put(n, place);
    } else {
      const { key, row } = placeEntry(this.#queue, id, place);
      this.#tree.put(key, row);
    }
  }

  remove(id: string): void {
    const n = this.#seek(id);
    if (n !== undefined) this.#run.remove(n);
    else this.#tree.remove(placeKey(this.#queue, id));
  }

  /** To be called at the end: a row that jobs share is written once. */
  write(): void {
    for (const run of this.#runs.values()) run.write(this.#tree);
  }

  /** Has the run of an id at hand, and says which of its places is the id's; undefined for an id that has a row of its own. */
  #seek(id: string): number | undefined {
    // Most ids are of the same epoch as the one before, and need not be taken apart.
    let seq = seqIn(this.#epoch, id);
    if (seq === undefined) {
      if (!isDeliveryId(id)) return undefined;
      const parts = parseDeliveryId(id);
      seq = parts.seq;
      this.#epoch = parts.epoch;
      this.#number = -1;
    }
    const number = Math.floor(seq / RUN_IDS);
    if (number !== this.#number) {
      this.#run = this.#runOf(this.#epoch, number);
      this.#number = number;
    }
    return seq % RUN_IDS;
  }

  #runOf(epoch: string, number: number): PlaceRun {
    const name = `${epoch}-${number}`;
    const known = this.#runs.get(name);
    if (known) return known;
    const key = runKey(this.#queue, epoch, number);
    const run = new PlaceRun(key, this.#tree.get(key));
    this.#runs.set(name, run);
    return run;
  }
}

/** What is known of a bundle's jobs without the bundle. */
export interface FoundPlaces {
  /** By index. Those that are gone are not among them. */
  readonly jobs: ReadonlyMap<number, { readonly id: string; readonly isParked: boolean }>;
  /** False when a row of the queue was damaged: then a job that is not found need not be gone. */
  readonly isComplete: boolean;
}

/** The jobs that were appended in a bundle and still are here. Reads every place of the queue: only for what is damaged. */
export function findPlaces(tree: Tree, queue: number, bundle: number): FoundPlaces {
  const jobs = new Map<number, { readonly id: string; readonly isParked: boolean }>();
  let isComplete = true;
  const found = (id: string, place: PlacedJob | undefined) => {
    if (place?.bundle === bundle) jobs.set(place.index, { id, isParked: place.isParked });
  };
  for (const key of tree.keys(rowsOf('place', queue))) {
    const place = readPlaceRow(key, tree.get(key) ?? Buffer.alloc(0));
    isComplete &&= place !== undefined;
    found(textOfKey(key), place);
  }
  for (const key of tree.keys(rowsOf('run', queue))) {
    const { epoch, run: number } = runOfKey(key);
    const run = new PlaceRun(key, tree.get(key));
    isComplete &&= run.isComplete;
    for (let n = 0; n < RUN_IDS; n++) found(`${epoch}-${number * RUN_IDS + n}`, run.get(n));
  }
  return { jobs, isComplete };
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
  return Math.max(-1, ...findPlaces(tree, queue, bundle).jobs.keys()) + 1;
}
