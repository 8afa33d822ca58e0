import { isDeliveryId, parseDeliveryId } from '../recognition/delivery-id.js';
import { CLOCKS_MS } from './clocks.js';
import { JobPage, KNOWN } from './job-page.js';
import type { AcceptedLine, DroppedLine, LedgerLine, ParkedLine } from './ledger-line.js';

/** Where a job stands in the book. */
export interface BookedJob {
  readonly id: string;
  readonly page: JobPage;
  readonly index: number;
  /** Its epoch; undefined for a job with an id of its caller's. */
  readonly epoch: string | undefined;
}

/** All jobs of one queue that ledgers tell of, and what is found out about each. */
export class JobBook {
  /** Jobs whose id is their delivery's, by epoch: a job is its number in it. */
  readonly epochs = new Map<string, JobPage>();
  readonly #callers = new JobPage();
  readonly #callersIds: string[] = [];
  readonly #indexes = new Map<string, number>();
  /** When jobs were accepted, of those that were more than once. */
  readonly #acceptances = new Map<string, Set<number>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Notes what a line says of a job. `onlyKnown`: of no job that is not in the book. */
  enter(line: LedgerLine, onlyKnown: boolean): void {
    // A superseded job gave way to another of its id, which is what counts.
    if (!('id' in line) || ('reason' in line && line.reason === 'superseded')) return;
    const job = onlyKnown ? this.find(line.id) : this.#open(line.id);
    if (!job) return;
    const { page, index } = job;
    if (line.event === 'duplicate') {
      // It tells nothing of when the job was laid down, so nothing of how long it is known.
      page.set(index, KNOWN.duplicate);
    } else if (isAccepted(line)) {
      this.#noteAcceptance(job, line.at);
      // Files are read one after the other, whenever their lines were written.
      if (line.at < page.acceptedAt(index)) return;
      page.accepted(index, line.at);
      if (line.event === 'backed-up') page.set(index, KNOWN.backedUp);
      else page.unset(index, KNOWN.backedUp);
    } else {
      if (line.at < page.toldAt(index)) return;
      page.told(index, line.at);
      page.unset(index, KNOWN.toldParked | KNOWN.toldDropped | KNOWN.toldLost);
      page.set(index, toldBy(line));
    }
  }

  /** For a new look into the queue. */
  forgetPlaces(): void {
    for (const page of [...this.epochs.values(), this.#callers]) page.forgetPlaces();
  }

  /**
   * Since when Redis may remember the job, which it does for `windowMs`: accepted once more meanwhile, by the backup, it is a
   * duplicate when it is replayed, and not remembered for longer.
   */
  knownSince({ id, page, index }: BookedJob, windowMs: number): number {
    let since = page.acceptedAt(index);
    const times = [...(this.#acceptances.get(id) ?? [])].sort((one, other) => other - one);
    for (const at of times) {
      if (since - at < windowMs + CLOCKS_MS) since = at;
    }
    return since;
  }

  find(id: string): BookedJob | undefined {
    if (isDeliveryId(id)) {
      const { epoch, seq } = parseDeliveryId(id);
      const page = this.epochs.get(epoch);
      return page && isBooked(page, seq) ? { id, page, index: seq, epoch } : undefined;
    }
    const index = this.#indexes.get(id);
    return index === undefined ? undefined : { id, page: this.#callers, index, epoch: undefined };
  }

  *jobs(): Generator<BookedJob> {
    for (const epoch of this.epochs.keys()) yield* this.jobsOf(epoch);
    yield* this.callersJobs();
  }

  *jobsOf(epoch: string): Generator<BookedJob> {
    const page = this.epochs.get(epoch);
    if (!page) return;
    for (let index = 0; index < page.size; index++) {
      if (isBooked(page, index)) yield { id: `${epoch}-${index}`, page, index, epoch };
    }
  }

  *callersJobs(): Generator<BookedJob> {
    for (const [index, id] of this.#callersIds.entries()) {
      yield { id, page: this.#callers, index, epoch: undefined };
    }
  }

  #noteAcceptance({ id, page, index }: BookedJob, at: number): void {
    const last = page.acceptedAt(index);
    if (last === 0 || last === at) return;
    const times = this.#acceptances.get(id) ?? new Set([last]);
    this.#acceptances.set(id, times.add(at));
  }

  #open(id: string): BookedJob {
    const found = this.find(id);
    if (found) return found;
    this.#size += 1;
    if (isDeliveryId(id)) {
      const { epoch, seq } = parseDeliveryId(id);
      const page = this.epochs.get(epoch) ?? new JobPage();
      this.epochs.set(epoch, page);
      return { id, page, index: seq, epoch };
    }
    const index = this.#callersIds.push(id) - 1;
    this.#indexes.set(id, index);
    return { id, page: this.#callers, index, epoch: undefined };
  }
}

function isAccepted(line: AcceptedLine | ParkedLine | DroppedLine): line is AcceptedLine {
  return line.event === 'enqueued' || line.event === 'backed-up';
}

function toldBy(line: ParkedLine | DroppedLine): number {
  if (line.event === 'parked') return KNOWN.toldParked;
  return line.reason === 'expired' ? KNOWN.toldDropped : KNOWN.toldLost;
}

function isBooked(page: JobPage, index: number): boolean {
  return page.acceptedAt(index) > 0 || page.toldAt(index) > 0 || page.is(index, KNOWN.duplicate);
}
