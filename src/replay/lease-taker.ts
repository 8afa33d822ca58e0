import type { BackupStore, Lease } from '../backup/backup-store.js';
import type { StoreCall } from '../backup/bounded-call.js';
import type { Clock } from '../clock/clock.js';

interface LeaseTakerOptions {
  /** Jobs of a lease at most. */
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
  /** Until when a call may take effect that a predecessor made before it died. Monotonic ms. */
  #strayCallsUntil = 0;

  constructor(store: BackupStore, queue: string, call: StoreCall, clock: Clock, options: LeaseTakerOptions) {
    this.#store = store;
    this.#queue = queue;
    this.#call = call;
    this.#clock = clock;
    this.#options = options;
    if (!options.ordered) return;
    this.#strayLeaseSince = clock.monotonicMs();
    this.#strayCallsUntil = this.#strayLeaseSince + options.leaseMs;
  }

  /** Jobs that nobody else holds; undefined when there are none. */
  async take(): Promise<Lease | undefined> {
    const { batchSize, leaseMs } = this.#options;
    const leasing = this.#store.lease(this.#queue, batchSize, leaseMs);
    try {
      return await this.#call(leasing);
    } catch (error) {
      this.#hungLeases += 1;
      void leasing
        .then((late) => late && this.#giveBack(late))
        .catch(() => {})
        .finally(() => {
          this.#hungLeases -= 1;
        });
      throw error;
    }
  }

  /** The store has failed: what it was asked for may be done all the same. */
  storeFailed(): void {
    this.#strayLeaseSince = this.#clock.monotonicMs();
  }

  /**
   * In order: resolves with whether nobody holds jobs but the caller, so many of them. A stray lease is waited for, at most as
   * long as it can hold.
   */
  async isAlone(own: number): Promise<boolean> {
    if (!this.#options.ordered) return true;
    if (this.#strayLeaseSince === undefined && !this.mayStray) return true;
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
  get mayStray(): boolean {
    return this.#hungLeases > 0 || this.#clock.monotonicMs() < this.#strayCallsUntil;
  }

  #giveBack({ token, jobs }: Lease): Promise<void> {
    const ids = jobs.map((job) => job.id);
    return this.#call(this.#store.release(token, ids));
  }
}
