import type { BackupStore } from '../backup/backup-store.js';
import type { StoreCall } from '../backup/bounded-call.js';
import type { Clock } from '../clock/clock.js';
import type { JobRecord } from '../job/job-record.js';
import type { TakenLease } from './lease-taker.js';
import type { ParkReason } from './triage.js';

/** What became of jobs that waited in the backup. */
export interface Counts {
  /** Laid down. */
  readonly replayed: number;
  /** Found to be laid down already. */
  readonly recognised: number;
  readonly parked: number;
  readonly dropped: number;
}

/** What the settler tells, once about each job. */
export interface SettledListener {
  /** Delivered and gone from the backup. */
  onDelivered(jobs: readonly JobRecord[], recognised: number): void;
  onParked(job: JobRecord, reason: ParkReason, text: string | undefined): void;
  onDropped(job: JobRecord, reason: 'expired'): void;
  /** A job of which one of these was told has left the store, or is parked in it. */
  onSetAside(job: JobRecord): void;
}

/** Up to this share of its time a lease surely holds: the store has another clock. */
const SURELY_HELD = 0.9;

/**
 * Tells the store what became of leased jobs, and counts each once, also when the store does not answer: it may have done what
 * it was asked for, or may do so later, or the job comes with another lease.
 *
 * - Delivered jobs count when the store has taken the acknowledgement, or is seen to have no jobs any more.
 * - Expired and parked ones count before it is told: when its answer is lost, it never shows them again.
 */
export class Settler {
  readonly #store: BackupStore;
  readonly #call: StoreCall;
  readonly #clock: Clock;
  readonly #leaseMs: number;
  readonly #listener: SettledListener;
  readonly #onGone: (job: JobRecord) => void;
  readonly #counts = { replayed: 0, recognised: 0, parked: 0, dropped: 0 };
  /** Delivered, but the store did not say that it took the acknowledgement; by delivery id. */
  readonly #unconfirmed = new Set<string>();
  /** Told and counted, but the store did not say that it took it; by job id. */
  readonly #told = new Map<string, { readonly job: JobRecord; readonly parkedFor: string | undefined }>();
  /** Of the leases that are worked off, by token. Monotonic ms. */
  readonly #leasedAt = new Map<string, number>();

  /** `onGone` is called for each job that will not come again. */
  constructor(
    store: BackupStore,
    call: StoreCall,
    clock: Clock,
    leaseMs: number,
    listener: SettledListener,
    onGone: (job: JobRecord) => void,
  ) {
    this.#store = store;
    this.#call = call;
    this.#clock = clock;
    this.#leaseMs = leaseMs;
    this.#listener = listener;
    this.#onGone = onGone;
  }

  get counts(): Counts {
    return this.#counts;
  }

  /** A lease is worked off from now on. */
  begin({ token, since }: TakenLease): void {
    this.#leasedAt.set(token, since);
  }

  end(token: string): void {
    this.#leasedAt.delete(token);
  }

  /** So much of the lease has passed, 1 being all. */
  age(token: string): number {
    return (this.#clock.monotonicMs() - (this.#leasedAt.get(token) ?? 0)) / this.#leaseMs;
  }

  /** It is in its queue; only the store did not say that it heard of it. */
  isUnconfirmed(job: JobRecord): boolean {
    return this.#unconfirmed.has(job.delivery);
  }

  /** Settles a job that comes although it was told that it is parked or dropped. Resolves with whether it was one. */
  async settleAgain(token: string, job: JobRecord): Promise<boolean> {
    const told = this.#told.get(job.id);
    if (!told) return false;
    if (!isSame(told.job, job)) {
      // A caller came again with the id, which the store can have only once.
      this.#told.delete(job.id);
      return false;
    }
    await this.#setAside(token, job, told.parkedFor);
    return true;
  }

  /** They are in their queue, whatever becomes of the acknowledgement. */
  delivered(jobs: readonly JobRecord[]): void {
    for (const { delivery } of jobs) this.#unconfirmed.add(delivery);
  }

  /**
   * Tells the store that these are delivered, and counts them when it has heard it. Resolves with whether it surely gives them
   * out no more.
   */
  async acknowledge(token: string, jobs: readonly JobRecord[], recognised: number): Promise<boolean> {
    this.delivered(jobs);
    await this.#call(this.#store.acknowledge(token, idsOf(jobs)));
    // When the lease has ended, somebody else may have the jobs, and count them.
    if (this.#mayHaveEnded(token)) return false;
    for (const job of jobs) {
      this.#unconfirmed.delete(job.delivery);
      this.#onGone(job);
    }
    this.#counts.recognised += recognised;
    this.#counts.replayed += jobs.length - recognised;
    this.#listener.onDelivered(jobs, recognised);
    return true;
  }

  async drop(token: string, job: JobRecord, reason: 'expired'): Promise<void> {
    this.#counts.dropped += 1;
    this.#onGone(job);
    this.#listener.onDropped(job, reason);
    await this.#setAside(token, job, undefined);
  }

  async park(token: string, job: JobRecord, reason: ParkReason, text: string | undefined): Promise<void> {
    this.#counts.parked += 1;
    this.#onGone(job);
    this.#listener.onParked(job, reason, text);
    await this.#setAside(token, job, text === undefined ? reason : `${reason}: ${text}`);
  }

  /** Back to the store, at their old place. */
  release(token: string, jobs: readonly JobRecord[]): Promise<void> {
    return this.#call(this.#store.release(token, idsOf(jobs)));
  }

  /** It was told that the job of this id is parked or dropped, and the store may still hold it. */
  isGivenUp(id: string): boolean {
    return this.#told.has(id);
  }

  /** The store took a job: another of its id, that was given up, is gone. */
  appended(job: JobRecord): void {
    const told = this.#told.get(job.id);
    if (told && !isSame(told.job, job)) this.#told.delete(job.id);
  }

  /** What became of a job before, of which the store was told and did not answer. */
  fateOf(job: JobRecord): 'delivered' | 'set-aside' | undefined {
    if (this.isUnconfirmed(job)) return 'delivered';
    const told = this.#told.get(job.id);
    return told && isSame(told.job, job) ? 'set-aside' : undefined;
  }

  /** The store holds no job that waits: what it was told of those it had has come true. Returns how many were delivered. */
  storeIsEmpty(): number {
    const confirmed = this.#unconfirmed.size;
    this.#counts.replayed += confirmed;
    this.#unconfirmed.clear();
    this.#told.clear();
    return confirmed;
  }

  #mayHaveEnded(token: string): boolean {
    return this.age(token) > SURELY_HELD;
  }

  /** Parks the job in the store; without a reason, it goes for good. */
  async #setAside(token: string, job: JobRecord, parkedFor: string | undefined): Promise<void> {
    this.#told.set(job.id, { job, parkedFor });
    if (parkedFor === undefined) await this.#call(this.#store.acknowledge(token, [job.id]));
    else await this.#call(this.#store.park(token, [job.id], parkedFor));
    // An outdated token changes nothing, which the store need not say.
    if (this.#mayHaveEnded(token)) return;
    this.#told.delete(job.id);
    this.#listener.onSetAside(job);
  }
}

/** A caller may come again with an id, or with a delivery that it was given: then it is another job. */
function isSame(job: JobRecord, { delivery, enqueuedAt }: JobRecord): boolean {
  return job.delivery === delivery && job.enqueuedAt === enqueuedAt;
}

function idsOf(jobs: readonly JobRecord[]): string[] {
  return jobs.map((job) => job.id);
}
