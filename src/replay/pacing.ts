/** The first batch after an outage: Redis has just come up, and its caches are cold. */
const FIRST_BATCH = 16;
const FIRST_FAILURE_MS = 100;
const LONGEST_FAILURE_MS = 5000;
/** The most that one pause gives to live traffic. */
const LONGEST_YIELD_MS = 200;

/** How many leases are worked off at once, and of how many batches each is. */
export interface Breadth {
  readonly lanes: number;
  readonly batches: number;
}

export const narrow: Breadth = { lanes: 1, batches: 1 };
const broad: Breadth = { lanes: 2, batches: 1 };
/** Redis has as many batches at once as from live traffic; one lease for several spares a store on a disk most of its work. */
const broadest: Breadth = { lanes: 4, batches: 4 };

/**
 * How fast to replay. The batch doubles while Redis answers quickly and is halved when it is slow or fails (as TCP's slow start
 * and congestion avoidance do); while live jobs are under way, as much time is left to them as replay took.
 */
export class Pacing {
  readonly #maxJobs: number;
  readonly #slowMs: number;
  #jobs: number;
  /** Leases in a row of which no job moved. */
  #idlePasses = 0;

  /** An answer after `slowMs` counts as slow. */
  constructor(maxJobs: number, slowMs: number) {
    this.#maxJobs = maxJobs;
    this.#slowMs = slowMs;
    this.#jobs = Math.min(FIRST_BATCH, maxJobs);
  }

  /** How many jobs the next batch may have. */
  get jobs(): number {
    return this.#jobs;
  }

  /** How broadly `remaining` jobs are worth to be replayed: only at full speed, and while each lane has something to do. */
  breadth(remaining: number): Breadth {
    if (this.#jobs < this.#maxJobs) return narrow;
    const enoughFor = ({ lanes, batches }: Breadth) => remaining > lanes * batches * this.#maxJobs;
    return enoughFor(broadest) ? broadest : enoughFor(broad) ? broad : narrow;
  }

  /** A replay begins: slowly again, and not larger than what failed last. */
  begin(): void {
    this.#jobs = Math.min(FIRST_BATCH, this.#jobs);
    this.#idlePasses = 0;
  }

  /** A batch was answered after `tookMs`. */
  answered(tookMs: number): void {
    if (tookMs > this.#slowMs) this.#halve();
    else this.#jobs = Math.min(this.#maxJobs, this.#jobs * 2);
  }

  /** A batch was not. */
  failed(): void {
    this.#halve();
  }

  /**
   * A lease has been worked off in `tookMs`. Returns how long to pause: longer and longer while no job moves, otherwise what
   * live traffic needs.
   */
  pauseMs(tookMs: number, progressed: boolean, isLiveBusy: boolean): number {
    this.#idlePasses = progressed ? 0 : this.#idlePasses + 1;
    if (!progressed) return Math.min(LONGEST_FAILURE_MS, FIRST_FAILURE_MS * 2 ** (this.#idlePasses - 1));
    return isLiveBusy ? Math.min(LONGEST_YIELD_MS, tookMs) : 0;
  }

  #halve(): void {
    this.#jobs = Math.max(1, this.#jobs >> 1);
  }
}
