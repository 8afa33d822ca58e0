import { type JobRecord, roughBytes } from '../job/job-record.js';
import type { Delivery, DeliveryOutcome } from './recognise.js';

/** More than this pile up only where the server refuses to tell about them. */
const MAX_WITNESSES = 256;
/** One canary asks for so many deliveries without a witness, and then for one of each batch: twice as many at most. */
const MAX_UNWITNESSED = 4096;
/** The margin between the last moment at which a delivery is sent again and the one at which Redis may forget it. */
const HOUR_MS = 3_600_000;

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

/** A delivery that is in Redis as long as everything is that was executed before it. A batch carries it as its witness. */
export interface Witness {
  readonly delivery: string;
  /** Position of the batch that it was acknowledged with; later ones have higher ones. */
  readonly position: number;
  /** When it was acknowledged, monotonic ms. */
  readonly at: number;
  readonly generation: number;
  /** A batch carries it at this moment. */
  isCarried: boolean;
}

/** A delivery that will be a witness once it is certain that nobody sends its job again. */
export interface Heir {
  readonly delivery: string;
  readonly position: number;
  readonly at: number;
  readonly generation: number;
  /** Was there when this one was laid down. */
  readonly predecessor: Witness | undefined;
}

/** What a canary carries: all that must be there. */
export interface RollCall {
  /** In the order of `positions`; never empty. */
  readonly deliveries: readonly string[];
  /** Position of each, ascending. */
  readonly positions: readonly number[];
  /** Position of the last witness among them. 0: there is none. */
  readonly lastWitness: number;
  /** Position of the last batch. */
  readonly position: number;
  readonly generation: number;
  /** Monotonic ms. */
  readonly sentAt: number;
}

/** Jobs of which Redis may have lost some, in the order of their acknowledgement. */
export interface FrozenJobs {
  readonly batches: readonly AcknowledgedBatch[];
  /** How many. */
  readonly jobs: number;
  /** Whether jobs were acknowledged before these: the loss may reach further back. */
  readonly hasOlder: boolean;
  /** It does: what is missing is none of these. */
  readonly lostOlder: boolean;
  /** Which of them somebody has laid down again in the meantime. */
  readonly relaid: Relaid;
}

/** Jobs that were laid down again after a loss because a caller, or a replay, came with them: that they are there proves nothing. */
export class Relaid {
  readonly #lost: Set<string>;
  readonly #relaid = new Set<string>();

  constructor(lost: Set<string>) {
    this.#lost = lost;
  }

  /** Some are looked for. */
  get isOn(): boolean {
    return this.#lost.size > 0;
  }

  laidDown(delivery: string): void {
    if (this.#lost.has(delivery)) this.#relaid.add(delivery);
  }

  has(delivery: string): boolean {
    return this.#relaid.has(delivery);
  }

  /** None are looked for any more. */
  end(): void {
    this.#lost.clear();
    this.#relaid.clear();
  }
}

/** Jobs that Redis acknowledged together. */
export interface AcknowledgedBatch {
  /** The delivery that was its witness, if it had one: while it is there, so is all that was acknowledged before. */
  readonly witness: string | undefined;
  readonly position: number;
  readonly jobs: readonly JobRecord[];
  readonly bytes: number;
  /** Monotonic ms. */
  readonly at: number;
}

/** It may get its witness later. */
type RememberedBatch = Omit<AcknowledgedBatch, 'witness'> & { witness: string | undefined };

/** A batch that has no witness. */
interface Unwitnessed {
  readonly position: number;
  readonly deliveries: readonly string[];
  /** When it was acknowledged, monotonic ms. */
  readonly at: number;
}

/**
 * Remembers the jobs that Redis acknowledged last, and finds out whether it still has them.
 *
 * 1. Redis loses what it executed last: if something is gone, all that came after it is gone, too. So one delivery of a batch
 *    that was laid down is a witness for all that was executed before it.
 * 2. Every batch carries the oldest witness, and the script reads its bit before it writes. If it is there and the batch is laid
 *    down, the batch's own witness stands for both from then on. Otherwise (no answer, nothing laid down) the next batch carries
 *    it. So when anything is gone, there is a witness that is gone, and it is asked for: no acknowledgement that comes after
 *    a loss can hide it.
 * 3. An attempt that had no answer may be executed at any time, also after a loss: it would lay the witness down again and
 *    hide what is missing. So only a job that was sent once is a witness, see {@link witnessAmong}, and one from a store only
 *    when the store will not give it out again ({@link Heir}). Of a batch that has none, such as one that was only recognised,
 *    a canary asks for each job, and for every witness.
 * 4. When all that a canary asked for is there, so is all that was acknowledged before it was sent. Of that, what was
 *    acknowledged `ms` before is forgotten: nothing leaves by age, in an outage say, that was not seen to be kept. Until then
 *    a job without a witness is asked for by every canary. Its place is unknown: lost and laid down again by a straggler, it
 *    lies behind witnesses that were acknowledged after it, and the next loss may take it alone.
 * 5. What is missing says that the server behind the connection has lost writes: all is handed out, and the window starts anew.
 *    Answers to what was sent before that say nothing new.
 * 6. After an outage of days Redis may have forgotten a delivery whose job it has: that proves nothing, and to send it again
 *    would double the job. So nothing is remembered for longer than Redis recognises it.
 */
export class LossWindow {
  readonly #options: LossWindowOptions;
  readonly #recognisedMs: number;
  #ring: RememberedBatch[] = [];
  #head = 0;
  #jobs = 0;
  #bytes = 0;
  #position = 0;
  #generation = 0;
  #hasOlder = false;
  /** What was missing last. */
  #lost = '';
  /** Those that no other stands for yet, oldest first. */
  #witnesses: Witness[] = [];
  /** Batches that have no witness, oldest first. No later one stands for them. */
  #unwitnessed: Unwitnessed[] = [];
  #unwitnessedJobs = 0;
  /** Of the last loss. */
  #relaid = new Relaid(new Set());

  /** `recognitionMs`: how long Redis recognises a delivery. */
  constructor(options: LossWindowOptions, recognitionMs: number) {
    this.#options = options;
    this.#recognisedMs = recognitionMs - HOUR_MS;
  }

  get isEmpty(): boolean {
    return this.#jobs === 0;
  }

  /** The witness for a batch that is about to be sent; undefined when there is none that is not under way already. */
  witness(now: number): Witness | undefined {
    this.#forgetUnrecognisable(now);
    for (const witness of this.#witnesses) {
      if (witness.isCarried) continue;
      witness.isCarried = true;
      return witness;
    }
    return undefined;
  }

  /** What carried `witness` has no answer. */
  unanswered(witness: Witness | undefined): void {
    if (witness) witness.isCarried = false;
  }

  /**
   * Takes in the answer to the batch that carried `witness`. `hasHeir`: the batch has a witness of its own. True: the server
   * has lost writes.
   */
  judge(witness: Witness | undefined, verdict: Delivery['witness'], hasHeir: boolean): boolean {
    if (witness === undefined) return false;
    witness.isCarried = false;
    if (witness.generation !== this.#generation) return false;
    if (verdict === 'lost') {
      this.#lost = witness.delivery;
      return true;
    }
    if (verdict === 'kept' && hasHeir) {
      const place = this.#witnesses.indexOf(witness);
      if (place !== -1) this.#witnesses.splice(place, 1);
    }
    return false;
  }

  /** What a canary that is about to be sent should ask for; undefined when there is nothing. */
  rollCall(now: number): RollCall | undefined {
    this.#forgetUnrecognisable(now);
    const asked = [
      ...this.#witnesses.map(({ delivery, position }) => ({ delivery, position })),
      ...this.#unwitnessed.flatMap(({ deliveries, position }) =>
        deliveries.map((delivery) => ({ delivery, position })),
      ),
    ].sort((one, other) => one.position - other.position);
    if (asked.length === 0) return undefined;
    return {
      deliveries: asked.map(({ delivery }) => delivery),
      positions: asked.map(({ position }) => position),
      lastWitness: this.#witnesses.at(-1)?.position ?? 0,
      position: this.#position,
      generation: this.#generation,
      sentAt: now,
    };
  }

  /** Takes in what a canary found; `verdicts` are undefined where the server does not tell. True: it has lost writes. */
  judgeAll(rollCall: RollCall | undefined, verdicts: readonly Delivery['witness'][]): boolean {
    if (rollCall?.generation !== this.#generation) return false;
    const { positions, lastWitness, position, sentAt } = rollCall;
    const lost = verdicts.indexOf('lost');
    if (lost !== -1) {
      this.#lost = rollCall.deliveries[lost] as string;
      return true;
    }
    if (positions.some((_, i) => verdicts[i] !== 'kept')) return false;
    // All was there at once, so from now on the last witness stands for those before it.
    this.#witnesses = this.#witnesses.filter((witness) => witness.position >= lastWitness);
    const forgetTo = sentAt - this.#options.ms;
    for (
      let first = this.#ring[this.#head];
      first !== undefined && first.position <= position && first.at <= forgetTo;
      first = this.#ring[this.#head]
    ) {
      this.#forgetFirst(first);
    }
    // What the window has no room for is still asked for: that it is missing has to be said.
    this.#unwitnessed = this.#unwitnessed.filter((batch) => batch.position > position || batch.at > forgetTo);
    this.#unwitnessedJobs = this.#unwitnessed.reduce((sum, { deliveries }) => sum + deliveries.length, 0);
    return false;
  }

  /** Redis acknowledged a batch. `heir` says which of it is its witness; -1: none. */
  acknowledged(
    jobs: readonly JobRecord[],
    outcomes: readonly DeliveryOutcome[],
    now: number,
    heir: number,
  ): void {
    const known = laidDown(jobs, outcomes);
    if (known.length === 0) return;
    this.answeredLate(jobs, outcomes);
    this.#position += 1;
    const witness = heir === -1 ? undefined : (jobs[heir] as JobRecord).delivery;
    if (witness !== undefined) this.#addWitness(witness, now);
    let bytes = 0;
    let from = known.length;
    for (; from > 0 && known.length - from < this.#options.jobs; from--) {
      const size = roughBytes(known[from - 1] as JobRecord);
      if (bytes + size > this.#options.bytes) break;
      bytes += size;
    }
    if (from > 0) this.#hasOlder = true;
    const kept = from > 0 ? known.slice(from) : known;
    // Also those that it has no room for: that they are missing has to be said.
    if (heir === -1) this.#addUnwitnessed(known, now);
    if (kept.length === 0) return;
    this.#ring.push({ witness, position: this.#position, jobs: kept, bytes, at: now });
    this.#jobs += kept.length;
    this.#bytes += bytes;
    while (this.#jobs > this.#options.jobs || this.#bytes > this.#options.bytes) {
      this.#forgetFirst(this.#ring[this.#head] as AcknowledgedBatch);
    }
  }

  /** Of the batch acknowledged last, which had no witness: `delivery` will be one. The batch carried `witness`, and this was said of it. */
  heir(delivery: string, now: number, witness: Witness | undefined, verdict: Delivery['witness']): Heir {
    const predecessor = verdict === 'kept' ? witness : undefined;
    return { delivery, position: this.#position, at: now, generation: this.#generation, predecessor };
  }

  /** Nobody will send the job of `heir` again: from now on it stands for its batch, and for its predecessor. */
  inherit({ delivery, position, at, generation, predecessor }: Heir): void {
    if (generation !== this.#generation) return;
    this.#witnesses = this.#witnesses.filter((witness) => witness !== predecessor);
    let place = this.#witnesses.length;
    while (place > 0 && (this.#witnesses[place - 1] as Witness).position > position) place -= 1;
    this.#witnesses.splice(place, 0, { delivery, position, at, generation, isCarried: false });
    if (this.#witnesses.length > MAX_WITNESSES) this.#witnesses.shift();
    for (let i = this.#ring.length - 1; i >= this.#head; i--) {
      const remembered = this.#ring[i] as RememberedBatch;
      if (remembered.position === position) remembered.witness = delivery;
      if (remembered.position <= position) break;
    }
    const batch = this.#unwitnessed.find((unwitnessed) => unwitnessed.position === position);
    if (batch === undefined) return;
    this.#unwitnessed = this.#unwitnessed.filter((unwitnessed) => unwitnessed !== batch);
    this.#unwitnessedJobs -= batch.deliveries.length;
  }

  /** An answer came too late to be an acknowledgement. What it laid down may have been lost before, and proves nothing about that. */
  answeredLate(jobs: readonly JobRecord[], outcomes: readonly DeliveryOutcome[]): void {
    if (!this.#relaid.isOn) return;
    jobs.forEach(({ delivery }, i) => {
      if (outcomes[i] === 'delivered') this.#relaid.laidDown(delivery);
    });
  }

  /** Hands out all that is remembered, and starts anew. */
  freeze(): FrozenJobs {
    // One that was recognised later has been acknowledged twice.
    const seen = new Set<string>();
    const isNew = ({ delivery }: JobRecord) => seen.size < seen.add(delivery).size;
    const batches = this.#ring
      .slice(this.#head)
      .map((batch) => ({ ...batch, jobs: batch.jobs.filter(isNew) }));
    const lostOlder = !batches.some(({ jobs }) => jobs.some(({ delivery }) => delivery === this.#lost));
    const jobs = seen.size;
    this.#relaid = new Relaid(seen);
    this.#generation += 1;
    this.#ring = [];
    this.#head = 0;
    this.#jobs = 0;
    this.#bytes = 0;
    this.#witnesses = [];
    this.#unwitnessed = [];
    this.#unwitnessedJobs = 0;
    return { batches, jobs, hasOlder: this.#hasOlder, lostOlder, relaid: this.#relaid };
  }

  #addWitness(delivery: string, at: number): void {
    const generation = this.#generation;
    this.#witnesses.push({ delivery, position: this.#position, at, generation, isCarried: false });
    if (this.#witnesses.length > MAX_WITNESSES) this.#witnesses.shift();
  }

  #addUnwitnessed(jobs: readonly JobRecord[], at: number): void {
    // Beyond the limit one of them stands for all: they were most likely executed together.
    const asked = this.#unwitnessedJobs + jobs.length > MAX_UNWITNESSED ? jobs.slice(-1) : jobs;
    const deliveries = asked.map(({ delivery }) => delivery);
    this.#unwitnessed.push({ position: this.#position, deliveries, at });
    this.#unwitnessedJobs += deliveries.length;
    if (this.#unwitnessedJobs > 2 * MAX_UNWITNESSED) this.#forgetUnwitnessed();
  }

  #forgetUnwitnessed(): void {
    this.#unwitnessedJobs -= this.#unwitnessed.shift()?.deliveries.length ?? 0;
  }

  #forgetUnrecognisable(now: number): void {
    const oldest = now - this.#recognisedMs;
    while ((this.#witnesses[0]?.at ?? now) < oldest) this.#witnesses.shift();
    while ((this.#unwitnessed[0]?.at ?? now) < oldest) this.#forgetUnwitnessed();
    for (let first = this.#ring[this.#head]; first && first.at < oldest; first = this.#ring[this.#head]) {
      this.#forgetFirst(first);
    }
  }

  #forgetFirst({ jobs, bytes }: AcknowledgedBatch): void {
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

/**
 * Which job of a batch may be its witness: the last that was laid down and of which no other attempt may still be executed;
 * -1: none.
 */
export function witnessAmong(jobs: readonly JobRecord[], outcomes: readonly DeliveryOutcome[]): number {
  for (let i = jobs.length - 1; i >= 0; i--) {
    const { fate, lastAttemptAt } = jobs[i] as JobRecord;
    if (outcomes[i] === 'delivered' && fate !== 'unknown' && lastAttemptAt === undefined) return i;
  }
  return -1;
}

/** The jobs that Redis has by this answer. Another delivery's job of the same id is not ours to lay down again. */
function laidDown(jobs: readonly JobRecord[], outcomes: readonly DeliveryOutcome[]): readonly JobRecord[] {
  const isLaidDown = (outcome: DeliveryOutcome | undefined) =>
    outcome === 'delivered' || outcome === 'recognised';
  return outcomes.every(isLaidDown) ? jobs : jobs.filter((_, i) => isLaidDown(outcomes[i]));
}
