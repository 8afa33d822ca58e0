import type { BackupStore, Lease } from '../backup/backup-store.js';
import type { StoreCall } from '../backup/bounded-call.js';
import type { Clock } from '../clock/clock.js';

/** A lease, and since when it may have been held. Monotonic ms. */
export interface TakenLease extends Lease {
  readonly since: number;
}

/** In order, a lease has more jobs than one: what becomes of a job that is refused again and again depends on those behind it. */
const LEAST_IN_ORDER = 16;

/** In order, the jobs of a lease at most. Jobs that are sent together must fit into one, or nobody sees which of them was passed. */
export function leaseInOrder({ batchSize }: { readonly batchSize: number }): number {
  return Math.max(LEAST_IN_ORDER, batchSize);
}

interface LeaseTakerOptions {
  /** Jobs of a batch. */
  readonly batchSize: number;
  readonly leaseMs: number;
  /** The oldest jobs must be leased first, so that none is leased while somebody holds older ones. */
  readonly ordered: boolean;
}

/**
 * Leases jobs, and knows whether others may hold some: a predecessor that died, a neighbour, or a call of our own that was given
 * up and takes effect late. In order, leasing around those would change the order.
 */
export class LeaseTaker {
  readonly #store: BackupStore;
  readonly #queue: string;
  readonly #call: StoreCall;
  readonly #clock: Clock;
  readonly #options: LeaseTakerOptions;
  /** Since when a lease may be held that nobody here works off. Monotonic ms; undefined: none. */
  #strayLeaseSince: number | undefined = undefined;
  /** Calls of `lease()` that were given up: one that takes effect late holds jobs that nobody works off. */
  #hungLeases = 0;
  /** Of these, how many have been answered. */
  #strays = 0;
  /** Until when a predecessor's lease may hold, or a call take effect that it made before it died. Monotonic ms. */
  #strayCallsUntil = 0;

  constructor(store: BackupStore, queue: string, call: StoreCall, clock: Clock, options: LeaseTakerOptions) {
    this.#store = store;
    this.#queue = queue;
    this.#call = call;
    this.#clock = clock;
    this.#options = options;
    if (options.ordered) this.#strayCallsUntil = clock.monotonicMs() + options.leaseMs;
  }

  /**
   * Jobs that nobody else holds, for so many batches; undefined when there are none. In order `held` while somebody may hold
   * older ones, at most as long as a lease can hold.
   */
  async take(batches: number): Promise<TakenLease | 'held' | undefined> {
    if (!this.#options.ordered) return this.#lease(batches * this.#options.batchSize);
    if (!(await this.#isAlone(0))) return 'held';
    const strays = this.#strays;
    const lease = await this.#lease(leaseInOrder(this.#options));
    // While this call was under way, another may have taken older jobs, and those may even be back by now.
    if (strays === this.#strays && (!this.#mayStray || (await this.#isAlone(lease?.jobs.length ?? 0))))
      return lease;
    if (lease) await this.#giveBack(lease);
    return 'held';
  }

  /** The store has failed: what it was asked for may be done all the same. */
  storeFailed(): void {
    this.#strayLeaseSince = this.#clock.monotonicMs();
  }

  async #lease(limit: number): Promise<TakenLease | undefined> {
    const { leaseMs } = this.#options;
    // Not from its answer on: by the store's clock it would end earlier.
    const since = this.#clock.monotonicMs();
    const leasing = this.#store.lease(this.#queue, limit, leaseMs);
    try {
      const lease = await this.#call(leasing);
      return lease && { token: lease.token, jobs: lease.jobs, since };
    } catch (error) {
      this.#hungLeases += 1;
      void leasing
        .then((late) => {
          this.#strays += 1;
          return late && this.#giveBack(late);
        })
        .catch(() => {})
        .finally(() => {
          this.#hungLeases -= 1;
        });
      throw error;
    }
  }

  /** Whether nobody holds jobs but the caller, so many of them. */
  async #isAlone(own: number): Promise<boolean> {
    if (this.#strayLeaseSince === undefined && !this.#mayStray) return true;
    const { leased } = await this.#call(this.#store.stats(this.#queue));
    const now = this.#clock.monotonicMs();
    if (leased <= own) {
      this.#strayLeaseSince = undefined;
      return true;
    }
    this.#strayLeaseSince ??= now;
    return now - this.#strayLeaseSince > this.#options.leaseMs;
  }

  /** A lease may still be taken that nobody waits for. */
  get #mayStray(): boolean {
    return this.#hungLeases > 0 || this.#clock.monotonicMs() < this.#strayCallsUntil;
  }

  #giveBack({ token, jobs }: Lease): Promise<void> {
    const ids = jobs.map((job) => job.id);
    return this.#call(this.#store.release(token, ids));
  }
}
