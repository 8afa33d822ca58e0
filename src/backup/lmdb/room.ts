import { closeSync, fstatSync, openSync, rmSync, writeSync } from 'node:fs';
import { diskFullError, isFull, removedError } from './store-error.js';
import type { Tree } from './tree.js';

/** The file has so much more than it needs: enough for leases and acknowledgements when the disk is full. */
const SPARE_BYTES = 1024 * 1024;
/** The file grows by so much. */
const STEP_BYTES = 1024 * 1024;
/** How much of the file is in use is looked up after so many bytes of jobs. */
const LOOK_BYTES = 128 * 1024;
const ZEROS = Buffer.alloc(64 * 1024);

/**
 * Keeps free room at the end of LMDB's file, taken from the disk beforehand: an append that no longer fits is refused before
 * anything of it is written, and a full disk does not keep jobs from being replayed.
 */
export class Room {
  readonly #tree: Tree;
  readonly #path: string;
  readonly #file: number;
  /** Whether the file system counts them; some behind FUSE say 0 of every file. */
  readonly #hasLinks: boolean;
  /** Bytes of jobs that there is room for before the next look. */
  #left = 0;

  constructor(tree: Tree, file: string) {
    this.#tree = tree;
    this.#path = file;
    this.#file = openSync(file, 'r+');
    this.#hasLinks = fstatSync(this.#file).nlink > 0;
  }

  /**
   * In a transaction: only there nobody else makes the file grow. Throws a `BACKUP_FULL` error when the disk is full, and a
   * `BackupFileError` when somebody removed the file: what is written to it would be gone with this process.
   */
  makeFor(bytes: number): void {
    if (this.#hasLinks && fstatSync(this.#file).nlink === 0) throw removedError(this.#path);
    if (bytes > this.#left) {
      const room = Math.max(bytes, LOOK_BYTES);
      // Jobs take more pages than they have bytes, and pages that they change are written anew.
      this.#growTo(this.#tree.usedBytes() + 2 * room + SPARE_BYTES);
      this.#left = room;
    }
    this.#left -= bytes;
  }

  /** Tries it out: LMDB says the same of a disk that is full as of one that is broken. */
  isDiskFull(): boolean {
    const path = `${this.#path}.probe-${process.pid}`;
    try {
      const probe = openSync(path, 'w', 0o600);
      try {
        // At once: whoever is killed now leaves nothing.
        rmSync(path);
        for (let size = 0; size < STEP_BYTES; ) size += writeSync(probe, ZEROS, 0, ZEROS.length, size);
        return false;
      } finally {
        closeSync(probe);
      }
    } catch (error) {
      return isFull(error);
    }
  }

  close(): void {
    closeSync(this.#file);
  }

  #growTo(needed: number): void {
    let size = fstatSync(this.#file).size;
    if (size >= needed) return;
    const wanted = Math.ceil(needed / STEP_BYTES) * STEP_BYTES;
    try {
      while (size < wanted)
        size += writeSync(this.#file, ZEROS, 0, Math.min(ZEROS.length, wanted - size), size);
    } catch (error) {
      // A part of a step may be enough.
      if (size < needed) throw isFull(error) ? diskFullError(error) : error;
    }
  }
}
