import type { RootDatabase } from 'lmdb';
import { loadLmdb } from './load-lmdb.js';

/** Keys from `start` (inclusive) to `end` (exclusive). */
export interface KeyRange {
  readonly start: Buffer;
  readonly end: Buffer;
}

/**
 * LMDB as far as we use it: one sorted tree of bytes. What a read returns is the caller's own. Writes only inside
 * {@link transaction}; reads there see them, reads elsewhere see what is committed.
 */
export class Tree {
  readonly #db: RootDatabase<Buffer, Buffer>;

  constructor(folder: string) {
    this.#db = loadLmdb().open<Buffer, Buffer>({
      path: folder,
      noSubdir: false,
      encoding: 'binary',
      keyEncoding: 'binary',
      // A commit is flushed before the next begins, so what anybody has seen is safe against the machine's end, too.
      overlappingSync: false,
      // With it a commit that fails leaves a promise that nobody can catch.
      eventTurnBatching: false,
      maxReaders: 1000,
      permissionsMode: 0o600,
    } as Parameters<typeof import('lmdb').open<Buffer, Buffer>>[0]);
  }

  get(key: Buffer): Buffer | undefined {
    return this.#db.getBinary(key);
  }

  has(key: Buffer): boolean {
    return this.#db.doesExist(key);
  }

  /** The keys in a range, in order, as they are now. */
  keys(range: KeyRange, limit = Number.MAX_SAFE_INTEGER): Buffer[] {
    return [...this.#db.getKeys({ ...range, limit })];
  }

  put(key: Buffer, value: Buffer): void {
    this.#db.putSync(key, value);
  }

  /** False, and nothing changes, when the key is there already. */
  putNew(key: Buffer, value: Buffer): boolean {
    // The declared type says void.
    return this.#db.putSync(key, value, { noOverwrite: true }) as unknown as boolean;
  }

  /** False when there was none. */
  remove(key: Buffer): boolean {
    return this.#db.removeSync(key);
  }

  /**
   * Runs `work` in a write transaction. The wait for its turn and the flush happen on another thread. Resolves when it is
   * flushed to disk; rejects when nothing of it was kept, or with LMDB's error when the commit failed.
   */
  async transaction(work: () => void): Promise<void> {
    let thrown: { readonly error: unknown } | undefined;
    try {
      await this.#db.childTransaction(() => {
        try {
          work();
        } catch (error) {
          thrown = { error };
          throw error;
        }
      });
    } catch (error) {
      if (thrown) throw thrown.error;
      // lmdb rejects with a wrapper, and keeps the reason in a promise that rejects.
      const reason = (error as { readonly commitError?: Promise<never> }).commitError;
      if (reason) await reason;
      throw error;
    }
  }

  /** As {@link transaction}, on this thread. */
  transactionSync(work: () => void): void {
    this.#db.transactionSync(work);
  }

  /** False after a failure that LMDB does not recover from: its next transaction would wait for ever. */
  isUsable(): boolean {
    try {
      this.#db.resetReadTxn();
      this.#db.doesExist(Buffer.from([0]));
      return true;
    } catch {
      return false;
    }
  }

  /**
   * Whether a process of another container has this one's id and the tree open: then this one cannot read. To be asked only
   * where it did not, since a process that reads is on the list itself.
   */
  isProcessIdTaken(): boolean {
    return this.#db
      .readerList()
      .split('\n')
      .some((line) => Number.parseInt(line, 10) === process.pid);
  }

  /** Frees what processes that died hold, so that their old snapshots do not make the file grow. */
  forgetDeadReaders(): void {
    this.#db.readerCheck();
  }

  /** How many bytes of the file are in use; what was and is not any more is used again. */
  usedBytes(): number {
    const stats = this.#db.getStats() as PageCounts & {
      readonly free: PageCounts;
      readonly pageSize: number;
    };
    return (FIRST_PAGES + pagesOf(stats) + pagesOf(stats.free)) * stats.pageSize;
  }

  async close(): Promise<void> {
    await this.#db.close();
  }
}

interface PageCounts {
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
}

const FIRST_PAGES = 2;

function pagesOf(tree: PageCounts): number {
  return tree.treeBranchPageCount + tree.treeLeafPageCount + tree.overflowPages;
}
