import type { JobRecord } from '../job/job-record.js';

/** Beyond it `totals` may misplace jobs of a store that never says what it kept. */
const MAX_IDS = 100_000;
/** Calls with one id. */
const MAX_CALLS = 1000;

interface Doubt {
  /** One of them the store may have; that it has another one of the same id it had said. */
  readonly deliveries: Set<string>;
  /** How often the store had been looked into when the last of them was doubted. */
  looks: number;
  /** The backlog was told since that the store has a job of this id. */
  isAdded: boolean;
}

/** A call of `append()` that has no answer yet. */
interface Asked {
  readonly jobs: readonly JobRecord[];
  /** Made when it is looked into for the first time: most calls never are. */
  deliveries: Set<string> | undefined;
  /** Deliveries that have left the store already, and whether an earlier call may have brought them there. */
  readonly gone: Map<string, boolean>;
}

/** Jobs that a store did not say it kept, nor that it did not: not yet, or not at all. */
export class Doubts {
  readonly #byId = new Map<string, Doubt>();
  #asked: readonly Asked[] = [];

  /** The store was asked to keep `jobs`. */
  asked(jobs: readonly JobRecord[]): void {
    this.#asked = [...this.#asked, { jobs, deliveries: undefined, gone: new Map() }];
  }

  /**
   * The store answered, or is not waited for any longer. Returns the deliveries that have left it already, and whether these
   * may have been there from an earlier call that had no answer.
   */
  answered(jobs: readonly JobRecord[]): ReadonlyMap<string, boolean> {
    const asked = this.#asked.find((some) => some.jobs === jobs);
    this.#asked = this.#asked.filter((some) => some !== asked);
    return asked?.gone ?? new Map();
  }

  /** A job has left the store. Returns whether the store has not answered yet whether it took it. */
  isGoneEarly({ delivery }: JobRecord, wasDoubted: boolean): boolean {
    for (const asked of this.#asked) {
      asked.deliveries ??= new Set(asked.jobs.map((job) => job.delivery));
      if (!asked.deliveries.has(delivery)) continue;
      asked.gone.set(delivery, wasDoubted);
      return true;
    }
    return false;
  }

  /** The store did not say whether it has it. `looks`: how often the store has been looked into. */
  add({ id, delivery }: JobRecord, looks: number): void {
    const doubt = this.#byId.get(id);
    if (doubt) {
      if (doubt.deliveries.size < MAX_CALLS) doubt.deliveries.add(delivery);
      if (doubt.looks !== looks) doubt.isAdded = false;
      doubt.looks = looks;
      return;
    }
    const [oldest] = this.#byId.keys();
    if (oldest !== undefined && this.#byId.size >= MAX_IDS) this.#byId.delete(oldest);
    this.#byId.set(id, { deliveries: new Set([delivery]), looks, isAdded: false });
  }

  has({ id, delivery }: JobRecord): boolean {
    return this.#byId.get(id)?.deliveries.has(delivery) ?? false;
  }

  /** The store has a job of this id. Returns whether the backlog is to be told, because no look has counted the job. */
  isToBeAdded(id: string, looks: number): boolean {
    const doubt = this.#byId.get(id);
    if (doubt?.looks !== looks || doubt.isAdded) return false;
    doubt.isAdded = true;
    return true;
  }

  /** It is known now what became of the job of this id. */
  end(id: string): void {
    this.#byId.delete(id);
  }

  clear(): void {
    this.#byId.clear();
  }
}
