import type { Room } from './room.js';
import { diskFailedError, diskFullError, isFull, storeError } from './store-error.js';
import type { Tree } from './tree.js';

/** One change that somebody waits for. */
interface Change {
  /** Runs it; returns how to tell whoever waits, once it is flushed. */
  readonly run: () => () => void;
  readonly reject: (error: Error) => void;
}

/** The most that is done in one transaction, which keeps this thread and other processes waiting. */
const MAX_CHANGES = 64;
const FORGET_DEAD_EVERY_MS = 30_000;

/**
 * Makes changes, each whole or not at all, in the order in which they came.
 *
 * 1. What comes while a transaction is under way waits, and shares the next one and its flush.
 * 2. If one of them fails, nothing of the transaction is kept, and each is tried again alone: nobody fails for another's sake.
 * 3. After a disk that failed nothing can be trusted: every later change is refused.
 */
export class Committer {
  readonly #tree: Tree;
  readonly #room: Room;
  #line: Change[] = [];
  #running: Promise<void> | undefined;
  #latest: Promise<unknown> = Promise.resolve();
  #broken: Error | undefined;
  #lookedForDeadAt = performance.now();

  constructor(tree: Tree, room: Room) {
    this.#tree = tree;
    this.#room = room;
  }

  /** Resolves with what `change` returned, when it is flushed to disk. `change` may run twice. */
  commit<T>(change: () => T): Promise<T> {
    const committed = new Promise<T>((resolve, reject) => {
      const run = () => {
        const result = change();
        return () => resolve(result);
      };
      this.#line.push({ run, reject });
      this.#running ??= this.#work();
    });
    this.#latest = committed.catch(() => {});
    return committed;
  }

  /** Every change that somebody waits for by now is made, or failed. */
  async settled(): Promise<void> {
    await this.#latest;
  }

  async #work(): Promise<void> {
    // Whoever calls at this moment shares the first transaction.
    await undefined;
    while (this.#line.length > 0) {
      this.#forgetDead();
      await this.#commitTogether();
    }
    this.#running = undefined;
  }

  async #commitTogether(): Promise<void> {
    const changes: Change[] = [];
    const error = await this.#transact(() => {
      // Not before: more may have come while the transaction waited for its turn.
      changes.push(...this.#line.splice(0, MAX_CHANGES));
      return changes;
    });
    if (!error) return;
    // It failed before it began, so would every other.
    if (changes.length === 0) changes.push(...this.#line.splice(0));
    const isHopeless = changes.length === 1 || this.#broken !== undefined;
    for (const change of changes) {
      const alone = isHopeless ? error : await this.#transact(() => [change]);
      if (alone) change.reject(alone);
    }
  }

  /** Returns why nothing of it was kept, or why nobody knows. */
  async #transact(changes: () => readonly Change[]): Promise<Error | undefined> {
    if (this.#broken) return this.#broken;
    let isCommit = false;
    let answers: (() => void)[] = [];
    try {
      await this.#tree.transaction(() => {
        answers = changes().map((change) => change.run());
        isCommit = true;
      });
    } catch (error) {
      return isCommit ? this.#commitFailed(error) : storeError(error);
    }
    for (const answer of answers) answer();
    return undefined;
  }

  #commitFailed(error: unknown): Error {
    // LMDB says the same of a disk that is full as of one that is broken. What did not fit was not kept.
    if (this.#tree.isUsable() && (isFull(error) || this.#room.isDiskFull())) return diskFullError(error);
    this.#broken = diskFailedError(error, 'not-delivered');
    return diskFailedError(error, 'unknown');
  }

  #forgetDead(): void {
    const now = performance.now();
    if (now - this.#lookedForDeadAt < FORGET_DEAD_EVERY_MS) return;
    this.#lookedForDeadAt = now;
    try {
      this.#tree.forgetDeadReaders();
    } catch {
      // It is tried again later. Nobody's change is to wait for it.
    }
  }
}
