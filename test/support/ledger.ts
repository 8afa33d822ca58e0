/** What of a receipt the ledger looks at. */
export interface SettledJob {
  readonly id: string;
  readonly outcome: string;
}

/** Numbers of jobs, unless said otherwise. A job enqueued again under its id is still one job. */
export interface LedgerSummary {
  /** At least one call resolved: the job must stand in the queue. */
  readonly accepted: number;
  /** Accepted jobs by what a call for them resolved with; a job of several calls can be in several. */
  readonly enqueued: number;
  readonly backedUp: number;
  readonly duplicates: number;
  /** Stand in the queue, once or more. */
  readonly delivered: number;
  /** Accepted but not delivered. */
  readonly lost: number;
  readonly lostIds: readonly string[];
  /** Delivered more than once. */
  readonly doubled: number;
  readonly doubledIds: readonly string[];
  /** Delivered although no call was accepted, is in flight, or was rejected with a fate that allows it. */
  readonly ghosts: number;
  readonly ghostIds: readonly string[];
  /** Every call was rejected. Rejections that name no job count as one each. */
  readonly rejected: number;
  /** Calls in flight. */
  readonly unsettled: number;
  /** The slowest settled call, and the one that 99 of 100 were faster than. */
  readonly worstMs: number;
  readonly p99Ms: number;
  /** Rejected calls by `code`, else by the error's name; and receipts that named another job than the call did. */
  readonly errors: Readonly<Record<string, number>>;
}

class Job {
  inFlight = 0;
  enqueued = false;
  backedUp = false;
  duplicate = false;
  accepted = false;
  rejected = false;
  /** A rejection said `unknown` (or `delivered`): to find the job in the queue is no surprise. */
  mayBeDelivered = false;
}

/** Holds what callers were told against what stands in the queue. */
export class Ledger {
  readonly #jobs = new Map<string, Job>();
  readonly #durationsMs: number[] = [];
  readonly #errors = new Map<string, number>();
  #copies = new Map<string, number>();
  #unsettled = 0;
  #namelessRejections = 0;

  /** Calls in flight. */
  get unsettled(): number {
    return this.#unsettled;
  }

  /**
   * Notes a call and how it settles; never rejects. Without an `id` the job is known by its receipt's, or by the `jobId`
   * of its error.
   */
  async track(id: string | undefined, enqueue: Promise<SettledJob>): Promise<void> {
    const startedAt = performance.now();
    const job = id === undefined ? undefined : this.#job(id);
    this.#unsettled++;
    if (job) job.inFlight++;
    try {
      const receipt = await enqueue;
      this.#accept(job ?? this.#job(receipt.id), receipt.outcome);
      if (id !== undefined && receipt.id !== id) this.#count('receipt of another job');
    } catch (error) {
      this.#reject(job, error);
    } finally {
      this.#durationsMs.push(performance.now() - startedAt);
      this.#unsettled--;
      if (job) job.inFlight--;
    }
  }

  /**
   * The `id` of every copy that stands in the queue now. Replaces what was said before: with several streams, pass all
   * their ids in one call.
   */
  delivered(ids: Iterable<string>): void {
    const copies = new Map<string, number>();
    for (const id of ids) copies.set(id, (copies.get(id) ?? 0) + 1);
    this.#copies = copies;
  }

  /** Compares. Ghosts are sure only when nothing is unsettled: a call in flight may not know its job's id yet. */
  summary(): LedgerSummary {
    const counts = {
      accepted: 0,
      enqueued: 0,
      backedUp: 0,
      duplicates: 0,
      rejected: this.#namelessRejections,
    };
    const lostIds: string[] = [];
    const doubledIds: string[] = [];
    const ghostIds: string[] = [];
    for (const [id, job] of this.#jobs) {
      if (job.accepted) counts.accepted++;
      if (job.enqueued) counts.enqueued++;
      if (job.backedUp) counts.backedUp++;
      if (job.duplicate) counts.duplicates++;
      if (job.rejected && !job.accepted && job.inFlight === 0) counts.rejected++;
      if (job.accepted && !this.#copies.has(id)) lostIds.push(id);
    }
    for (const [id, copies] of this.#copies) {
      const job = this.#jobs.get(id);
      if (copies > 1) doubledIds.push(id);
      if (!job || !(job.accepted || job.mayBeDelivered || job.inFlight > 0)) ghostIds.push(id);
    }
    const sortedMs = Float64Array.from(this.#durationsMs).sort();
    return {
      ...counts,
      delivered: this.#copies.size,
      lost: lostIds.length,
      lostIds,
      doubled: doubledIds.length,
      doubledIds,
      ghosts: ghostIds.length,
      ghostIds,
      unsettled: this.#unsettled,
      worstMs: sortedMs.at(-1) ?? 0,
      p99Ms: sortedMs[Math.ceil(sortedMs.length * 0.99) - 1] ?? 0,
      errors: Object.fromEntries(this.#errors),
    };
  }

  /** A compact table, for logs and failed assertions. */
  toString(): string {
    const { lostIds, doubledIds, ghostIds, errors, worstMs, p99Ms, ...counts } = this.summary();
    const examples = { lost: lostIds, doubled: doubledIds, ghosts: ghostIds };
    const rows: [string, string][] = Object.entries(counts).map(([name, count]) => {
      const ids = name in examples ? examples[name as keyof typeof examples].slice(0, 3) : [];
      return [
        name,
        ids.length > 0 ? `${count}  (${ids.join(', ')}${count > ids.length ? ', …' : ''})` : `${count}`,
      ];
    });
    rows.push(['p99', `${p99Ms.toFixed(1)} ms`], ['worst', `${worstMs.toFixed(1)} ms`]);
    for (const [code, count] of Object.entries(errors)) rows.push([`error ${code}`, `${count}`]);
    const width = Math.max(...rows.map(([name]) => name.length));
    return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n');
  }

  #job(id: string): Job {
    let job = this.#jobs.get(id);
    if (!job) {
      job = new Job();
      this.#jobs.set(id, job);
    }
    return job;
  }

  #accept(job: Job, outcome: string): void {
    job.accepted = true;
    if (outcome === 'enqueued') job.enqueued = true;
    else if (outcome === 'backed-up') job.backedUp = true;
    else if (outcome === 'duplicate') job.duplicate = true;
    else this.#count(`outcome ${outcome}`);
  }

  #reject(tracked: Job | undefined, error: unknown): void {
    const { code, name, fate, jobId } = (error ?? {}) as Partial<
      Record<'code' | 'name' | 'fate' | 'jobId', unknown>
    >;
    this.#count(String(code ?? name ?? error));
    const job = tracked ?? (typeof jobId === 'string' ? this.#job(jobId) : undefined);
    if (!job) {
      this.#namelessRejections++;
      return;
    }
    job.rejected = true;
    if (fate === 'unknown' || fate === 'delivered') job.mayBeDelivered = true;
  }

  #count(error: string): void {
    this.#errors.set(error, (this.#errors.get(error) ?? 0) + 1);
  }
}
