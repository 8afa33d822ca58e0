import { type JobRecord, roughBytes } from '../job/job-record.js';
import type { Delivery, DeliveryOutcome } from './recognise.js';

const MAX_UNSEEN = 1024;

/** How much of what Redis acknowledged is remembered, in case it loses it. */
export interface LossWindowOptions {
  /** For how long, ms. */
  readonly ms: number;
  /** How many jobs at most. */
  readonly jobs: number;
  /** How much text of theirs at most, bytes. */
  readonly bytes: number;
  /** `redeliver`: lay them down again; `report`: only say so. */
  readonly onLoss: 'redeliver' | 'report';
}

/** A delivery that the server must still know when the batch that carries it is executed. */
export interface Witness {
  readonly delivery: string;
  /** Position of the batch that it was acknowledged with; later ones have higher ones. */
  readonly position: number;
  /** Whether it has not been seen yet. */
  readonly isFirst: boolean;
  readonly generation: number;
  /** Monotonic ms. */
  readonly sentAt: number;
}

/** Jobs of which Redis may have lost some, in the order of their acknowledgement. */
export interface FrozenJobs {
  readonly batches: readonly (readonly JobRecord[])[];
  /** How many. */
  readonly jobs: number;
  /** Whether jobs were acknowledged before these: the loss may reach further back. */
  readonly hasOlder: boolean;
}

interface Acknowledged {
  readonly position: number;
  readonly jobs: readonly JobRecord[];
  readonly bytes: number;
  readonly at: number;
}

/**
 * Remembers the jobs that Redis acknowledged last, and finds out whether it still has them.
 *
 * 1. One delivery of each acknowledged batch becomes a witness. Every batch and canary carries one, oldest first, and the
 *    script reads its bit before it writes anything.
 * 2. Batches overlap, so the newest witness alone would not do: an acknowledgement that comes after a loss could move past
 *    the hole. Each is therefore seen once by something that was sent after its acknowledgement.
 * 3. A bit that is there vouches for all that was executed before it. What was acknowledged `ms` before then is forgotten:
 *    nothing leaves by age, in an outage say, that was not seen to be kept.
 * 4. A bit that is missing means that the server behind the connection has lost writes: the window is frozen and handed out,
 *    and starts anew. Answers to what was sent before that say nothing new.
 */
export class LossWindow {
  readonly #options: LossWindowOptions;
  #ring: Acknowledged[] = [];
  #head = 0;
  #jobs = 0;
  #bytes = 0;
  #position = 0;
  #generation = 0;
  #hasOlder = false;
  /** Deliveries that nothing has vouched for yet, oldest first. */
  #unseen: { readonly delivery: string; readonly position: number }[] = [];
  #lastSeen: { readonly delivery: string; readonly position: number } | undefined;
  #verdicts = 0;

  constructor(options: LossWindowOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#jobs === 0;
  }

  /** Counts the answers about witnesses: while it grows, nobody need ask for one. */
  get verdicts(): number {
    return this.#verdicts;
  }

  /** The witness for what is about to be sent; undefined when nothing has been acknowledged yet. */
  witness(now: number): Witness | undefined {
    const unseen = this.#unseen.shift();
    const mark = unseen ?? this.#lastSeen;
    if (mark === undefined) return undefined;
    const { delivery, position } = mark;
    return { delivery, position, isFirst: unseen !== undefined, generation: this.#generation, sentAt: now };
  }

  /** What carried `witness` has no answer. */
  unanswered(witness: Witness | undefined): void {
    if (witness?.isFirst && witness.generation === this.#generation) this.#unseen.unshift(witness);
  }

  /** Takes in what the server said of `witness`. True: it has lost writes. */
  judge(witness: Witness | undefined, verdict: Delivery['witness']): boolean {
    if (witness === undefined || witness.generation !== this.#generation) return false;
    if (verdict === undefined) {
      this.unanswered(witness);
      return false;
    }
    this.#verdicts += 1;
    if (verdict === 'lost') return true;
    if (witness.position >= (this.#lastSeen?.position ?? 0)) this.#lastSeen = witness;
    const oldest = witness.sentAt - this.#options.ms;
    for (;;) {
      const first = this.#ring[this.#head];
      if (first === undefined || first.position > witness.position || first.at > oldest) break;
      this.#forgetFirst(first);
    }
    return false;
  }

  /** Redis acknowledged a batch. */
  acknowledged(jobs: readonly JobRecord[], outcomes: readonly DeliveryOutcome[], now: number): void {
    let kept = laidDown(jobs, outcomes);
    const last = kept[kept.length - 1];
    if (last === undefined) return;
    this.#position += 1;
    // One that was laid down just now vouches for more than one that was recognised: it is the last that was executed.
    const newest = outcomes.lastIndexOf('delivered');
    const delivery = (newest === -1 ? last : (jobs[newest] as JobRecord)).delivery;
    this.#unseen.push({ delivery, position: this.#position });
    // They pile up only where the server refuses to tell about them.
    if (this.#unseen.length > MAX_UNSEEN) this.#unseen.shift();
    if (kept.length > this.#options.jobs) {
      kept = kept.slice(-this.#options.jobs);
      this.#hasOlder = true;
    }
    let bytes = 0;
    for (const job of kept) bytes += roughBytes(job);
    this.#ring.push({ position: this.#position, jobs: kept, bytes, at: now });
    this.#jobs += kept.length;
    this.#bytes += bytes;
    while (this.#jobs > this.#options.jobs || this.#bytes > this.#options.bytes) {
      this.#forgetFirst(this.#ring[this.#head] as Acknowledged);
    }
  }

  /** Hands out all that is remembered, and starts anew. */
  freeze(): FrozenJobs {
    const batches = this.#ring.slice(this.#head).map(({ jobs }) => jobs);
    const frozen = { batches, jobs: this.#jobs, hasOlder: this.#hasOlder };
    this.#generation += 1;
    this.#ring = [];
    this.#head = 0;
    this.#jobs = 0;
    this.#bytes = 0;
    this.#unseen = [];
    this.#lastSeen = undefined;
    return frozen;
  }

  #forgetFirst({ jobs, bytes }: Acknowledged): void {
    this.#hasOlder = true;
    this.#jobs -= jobs.length;
    this.#bytes -= bytes;
    this.#ring[this.#head++] = undefined as never;
    if (this.#head > 1024 && this.#head * 2 > this.#ring.length) {
      this.#ring = this.#ring.slice(this.#head);
      this.#head = 0;
    }
  }
}

/** The jobs that Redis has by this answer. Another delivery's job of the same id is not ours to lay down again. */
function laidDown(jobs: readonly JobRecord[], outcomes: readonly DeliveryOutcome[]): readonly JobRecord[] {
  const isLaidDown = (outcome: DeliveryOutcome | undefined) =>
    outcome === 'delivered' || outcome === 'recognised';
  return outcomes.every(isLaidDown) ? jobs : jobs.filter((_, i) => isLaidDown(outcomes[i]));
}
