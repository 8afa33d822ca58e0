import { randomUUID } from 'node:crypto';
import { type Clock, systemClock } from '../clock/clock.js';
import type { JobRecord } from '../job/job-record.js';
import type {
  AppendOutcome,
  BackupAdmin,
  BackupStats,
  BackupStore,
  Lease,
  ParkedJob,
} from './backup-store.js';
import { neverSent } from './never-sent.js';
import { recordBytes } from './record-bytes.js';

/** A waiting job and who holds it. One object a job: a backlog may be a million of them. */
class Waiting {
  readonly job: JobRecord;
  readonly bytes: number;
  /** When it was first handed out; kept beside the job, because a copy of each would double a large backlog. */
  leasedAt: number | undefined = undefined;
  /** Undefined while nobody holds it. */
  lease: HeldLease | undefined = undefined;
  gone = false;

  constructor(job: JobRecord) {
    this.job = job;
    this.bytes = recordBytes(job);
  }

  /** The job, marked as attempted if it was handed out before. */
  get record(): JobRecord {
    if (this.leasedAt === undefined || this.job.lastAttemptAt !== undefined) return this.job;
    return { ...this.job, lastAttemptAt: this.leasedAt };
  }
}

interface HeldLease {
  readonly token: string;
  readonly backlog: Backlog;
  readonly startedAt: number;
  readonly endsAt: number;
  readonly jobs: Map<string, Waiting>;
}

/** One queue's jobs. */
class Backlog {
  /** In order; those gone are skipped, and cut off once they are half of it. */
  order: Waiting[] = [];
  /** Everything before it is gone. */
  head = 0;
  /** How many of `order` are gone. */
  gone = 0;
  readonly byId = new Map<string, Waiting>();
  readonly parked = new Map<string, ParkedJob>();
  leased = 0;
  unknown = 0;
  bytes = 0;
}

/**
 * Keeps jobs in this process's memory: they survive Redis, not the process. For a process that may not lose them, use a
 * durable store.
 */
export class MemoryBackupStore implements BackupStore {
  readonly durability = 'memory';
  readonly admin: BackupAdmin;
  readonly #clock: Clock;
  readonly #backlogs = new Map<string, Backlog>();
  readonly #leases = new Map<string, HeldLease>();
  #closed = false;

  constructor(options: { /** @default the machine's clock */ readonly clock?: Clock } = {}) {
    this.#clock = options.clock ?? systemClock;
    this.admin = {
      queues: async () => [...this.#backlogs.keys()],
      list: async (queue, state, { limit, cursor }) => this.#list(queue, state, limit, Number(cursor ?? 0)),
      unpark: async (queue, ids, { asNew = false } = {}) => this.#unpark(queue, ids, asNew),
      remove: async (queue, ids, { state } = {}) => this.#remove(queue, ids, state),
    };
  }

  async append(queue: string, jobs: readonly JobRecord[]): Promise<readonly AppendOutcome[]> {
    this.#checkOpen();
    const backlog = this.#backlog(queue);
    return jobs.map((job) => {
      if (backlog.byId.has(job.id)) return 'present';
      const outcome = backlog.parked.delete(job.id) ? 'replaced' : 'added';
      this.#add(backlog, job);
      return outcome;
    });
  }

  async lease(queue: string, limit: number, leaseMs: number): Promise<Lease | undefined> {
    this.#checkOpen();
    const backlog = this.#backlogs.get(queue);
    if (!backlog || backlog.byId.size === 0) return undefined;
    const now = this.#clock.now();
    const held: HeldLease = {
      token: randomUUID(),
      backlog,
      startedAt: now,
      endsAt: now + leaseMs,
      jobs: new Map(),
    };
    const jobs: JobRecord[] = [];
    for (let i = backlog.head; i < backlog.order.length && jobs.length < limit; i++) {
      const waiting = backlog.order[i] as Waiting;
      if (waiting.gone || (waiting.lease && isHeld(waiting.lease, now))) continue;
      if (waiting.lease) this.#forget(waiting.lease, waiting);
      else backlog.leased += 1;
      waiting.lease = held;
      held.jobs.set(waiting.job.id, waiting);
      jobs.push(waiting.record);
      waiting.leasedAt ??= now;
    }
    if (jobs.length === 0) return undefined;
    this.#leases.set(held.token, held);
    return { token: held.token, jobs };
  }

  async acknowledge(token: string, ids: readonly string[]): Promise<void> {
    this.#checkOpen();
    this.#settle(token, ids, (backlog, waiting) => this.#drop(backlog, waiting));
  }

  async release(token: string, ids: readonly string[]): Promise<void> {
    this.#checkOpen();
    this.#settle(token, ids, (backlog, waiting) => {
      waiting.lease = undefined;
      backlog.leased -= 1;
    });
  }

  async park(token: string, ids: readonly string[], reason: string): Promise<void> {
    this.#checkOpen();
    const parkedAt = this.#clock.now();
    this.#settle(token, ids, (backlog, waiting) => {
      this.#drop(backlog, waiting);
      backlog.parked.set(waiting.job.id, { job: waiting.record, reason, parkedAt });
    });
  }

  async stats(queue: string): Promise<BackupStats> {
    const backlog = this.#backlogs.get(queue);
    if (!backlog) return { pending: 0, leased: 0, unknown: 0, parked: 0, bytes: 0 };
    skipGone(backlog);
    const oldest = backlog.order[backlog.head];
    return {
      pending: backlog.byId.size,
      leased: this.#leased(backlog),
      unknown: backlog.unknown,
      parked: backlog.parked.size,
      bytes: backlog.bytes,
      ...(oldest && { oldestAt: oldest.job.enqueuedAt }),
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#backlogs.clear();
    this.#leases.clear();
  }

  /** Under a lease that holds: ended ones stand until somebody else takes their jobs. */
  #leased(backlog: Backlog): number {
    if (backlog.leased === 0) return 0;
    const now = this.#clock.now();
    let leased = 0;
    for (const lease of this.#leases.values()) {
      if (lease.backlog === backlog && isHeld(lease, now)) leased += lease.jobs.size;
    }
    return leased;
  }

  #checkOpen(): void {
    if (this.#closed) throw new Error('MemoryBackupStore is closed.');
  }

  #backlog(queue: string): Backlog {
    let backlog = this.#backlogs.get(queue);
    if (!backlog) {
      backlog = new Backlog();
      this.#backlogs.set(queue, backlog);
    }
    return backlog;
  }

  #add(backlog: Backlog, job: JobRecord): void {
    const waiting = new Waiting(job);
    backlog.byId.set(job.id, waiting);
    backlog.order.push(waiting);
    backlog.bytes += waiting.bytes;
    if (job.fate === 'unknown') backlog.unknown += 1;
  }

  #drop(backlog: Backlog, waiting: Waiting): void {
    waiting.gone = true;
    backlog.gone += 1;
    backlog.byId.delete(waiting.job.id);
    backlog.bytes -= waiting.bytes;
    if (waiting.job.fate === 'unknown') backlog.unknown -= 1;
    if (waiting.lease) backlog.leased -= 1;
    waiting.lease = undefined;
    skipGone(backlog);
  }

  #settle(token: string, ids: readonly string[], settle: (backlog: Backlog, waiting: Waiting) => void): void {
    const held = this.#leases.get(token);
    if (!held) return;
    for (const id of ids) {
      const waiting = held.jobs.get(id);
      if (!waiting) continue;
      this.#forget(held, waiting);
      if (!waiting.gone) settle(held.backlog, waiting);
    }
  }

  /** The job is no longer held under this lease. */
  #forget(held: HeldLease, waiting: Waiting): void {
    held.jobs.delete(waiting.job.id);
    if (held.jobs.size === 0) this.#leases.delete(held.token);
  }

  #list(queue: string, state: 'pending' | 'parked', limit: number, from: number) {
    const backlog = this.#backlogs.get(queue);
    const all: readonly (JobRecord | ParkedJob)[] = !backlog
      ? []
      : state === 'parked'
        ? [...backlog.parked.values()]
        : backlog.order.filter((waiting) => !waiting.gone).map((waiting) => waiting.record);
    const jobs = all.slice(from, from + limit);
    return from + limit < all.length ? { jobs, cursor: String(from + limit) } : { jobs };
  }

  #unpark(queue: string, ids: readonly string[], asNew: boolean): number {
    const backlog = this.#backlogs.get(queue);
    let count = 0;
    for (const id of ids) {
      const parked = backlog?.parked.get(id);
      if (!backlog || !parked) continue;
      backlog.parked.delete(id);
      this.#add(backlog, asNew ? neverSent(parked.job) : parked.job);
      count += 1;
    }
    return count;
  }

  #remove(queue: string, ids: readonly string[], state: 'pending' | 'parked' | undefined): number {
    const backlog = this.#backlogs.get(queue);
    let count = 0;
    for (const id of ids) {
      if (!backlog) break;
      const waiting = state === 'parked' ? undefined : backlog.byId.get(id);
      if (waiting) this.#drop(backlog, waiting);
      if (waiting || (state !== 'pending' && backlog.parked.delete(id))) count += 1;
    }
    return count;
  }
}

function isHeld(lease: HeldLease, now: number): boolean {
  // A clock that was set back would make a lease last for ever: before its start counts as after its end.
  return now < lease.endsAt && now >= lease.startedAt;
}

/** Moves the head past what is gone, and gives the memory back once that is half of all. */
function skipGone(backlog: Backlog): void {
  while (backlog.head < backlog.order.length && (backlog.order[backlog.head] as Waiting).gone)
    backlog.head += 1;
  if (backlog.gone > 1024 && backlog.gone * 2 > backlog.order.length) {
    backlog.order = backlog.order.filter((waiting) => !waiting.gone);
    backlog.head = 0;
    backlog.gone = 0;
  }
}
