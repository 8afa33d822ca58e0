import type { JobRecord } from '../job/job-record.js';

/** Beyond it `totals` may misplace jobs of a store that never says what it kept. */
const MAX_IDS = 100_000;
/** Calls with one id. */
const MAX_CALLS = 1000;

interface Doubt {
  /** {@link callOf} each: one of them the store may have; that it has another one of the same id it had said. */
  readonly calls: Set<string>;
  /** How often the store had been looked into when the last of them was doubted. */
  looks: number;
  /** The backlog was told since that the store has a job of this id. */
  isAdded: boolean;
}

/** What happened to jobs while the store was asked to keep them. */
export interface Meanwhile {
  /** Deliveries that have left the store already, and whether an earlier call may have brought them there. */
  readonly gone: ReadonlyMap<string, boolean>;
  /** Ids whose former job was given up, and has left the store. */
  readonly setAside: ReadonlySet<string>;
}

/** Which `enqueue()` a job is of: a caller may come again with a delivery that it was given, and the store has one of them. */
const callOf = ({ delivery, enqueuedAt }: JobRecord) => `${delivery} ${enqueuedAt}`;

/** A call of `append()`. */
class Call implements Meanwhile {
  readonly gone = new Map<string, boolean>();
  readonly setAside = new Set<string>();
  /** Given up without an answer: deliveries that are counted all the same. */
  readonly counted = new Set<string>();
  readonly #jobs: readonly JobRecord[];
  /** {@link callOf} each. Made when it is looked into for the first time: most calls never are. */
  #calls: Set<string> | undefined;

  constructor(jobs: readonly JobRecord[]) {
    this.#jobs = jobs;
  }

  isFor(jobs: readonly JobRecord[]): boolean {
    return this.#jobs === jobs;
  }

  has(job: JobRecord): boolean {
    this.#calls ??= new Set(this.#jobs.map(callOf));
    return this.#calls.has(callOf(job));
  }

  hasId(id: string): boolean {
    return this.#jobs.some((job) => job.id === id);
  }
}

/** Jobs that a store did not say it kept, nor that it did not: not yet, or not at all. */
export class Doubts {
  readonly #byId = new Map<string, Doubt>();
  #underWay: readonly Call[] = [];
  /** Without an answer, and not waited for any longer. They may still take effect. */
  #late: readonly Call[] = [];

  /** The store is asked to keep `jobs`. */
  asked(jobs: readonly JobRecord[]): void {
    this.#underWay = [...this.#underWay, new Call(jobs)];
  }

  /** The store answered. */
  answered(jobs: readonly JobRecord[]): Meanwhile {
    const call = this.#underWay.find((some) => some.isFor(jobs)) ?? new Call(jobs);
    this.#underWay = this.#underWay.filter((some) => some !== call);
    return call;
  }

  /** The store is not waited for any longer. An answer may still come. */
  givenUp(jobs: readonly JobRecord[]): Meanwhile {
    const call = this.answered(jobs) as Call;
    this.#late = [...this.#late, call];
    return call;
  }

  /** The answer came after that. Returns the deliveries that are counted already; undefined: all of them. */
  answeredLate(jobs: readonly JobRecord[]): ReadonlySet<string> | undefined {
    const call = this.#late.find((some) => some.isFor(jobs));
    this.#late = this.#late.filter((some) => some !== call);
    return call?.counted;
  }

  /** A job has left the store. Returns whether the store has not answered yet whether it took it. */
  isGoneEarly(job: JobRecord, wasDoubted: boolean): boolean {
    const call = this.#underWay.find((some) => some.has(job));
    call?.gone.set(job.delivery, wasDoubted);
    return call !== undefined;
  }

  isAsked(job: JobRecord): boolean {
    return this.#underWay.some((call) => call.has(job));
  }

  /** A job that was given up has left the store. */
  setAside(id: string): void {
    for (const call of this.#underWay) if (call.hasId(id)) call.setAside.add(id);
  }

  /** The store did not say whether it has it. `looks`: how often the store has been looked into. */
  add(job: JobRecord, looks: number): void {
    const { id } = job;
    const doubt = this.#byId.get(id);
    if (doubt) {
      if (doubt.calls.size < MAX_CALLS) doubt.calls.add(callOf(job));
      if (doubt.looks !== looks) doubt.isAdded = false;
      doubt.looks = looks;
      return;
    }
    const [oldest] = this.#byId.keys();
    if (oldest !== undefined && this.#byId.size >= MAX_IDS) this.#byId.delete(oldest);
    this.#byId.set(id, { calls: new Set([callOf(job)]), looks, isAdded: false });
  }

  get isEmpty(): boolean {
    return this.#byId.size === 0;
  }

  has(job: JobRecord): boolean {
    return this.#byId.get(job.id)?.calls.has(callOf(job)) ?? false;
  }

  hasId(id: string): boolean {
    return this.#byId.has(id);
  }

  /** The store has a job of this id. Returns whether the backlog is to be told, because no look has counted the job. */
  isToBeAdded(id: string, looks: number): boolean {
    const doubt = this.#byId.get(id);
    if (doubt?.looks !== looks || doubt.isAdded) return false;
    doubt.isAdded = true;
    return true;
  }

  /** The store had it; that is counted. */
  counted(job: JobRecord): void {
    for (const call of this.#late) if (call.has(job)) call.counted.add(job.delivery);
  }

  /** It is known now what became of the job of this id. */
  end(id: string): void {
    this.#byId.delete(id);
  }

  /** All that the store has is counted. */
  clear(): void {
    this.#byId.clear();
    this.#late = [];
  }
}
