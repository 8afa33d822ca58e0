/** What is known of a job: bits of a number, since there may be millions of jobs. */
export const KNOWN = {
  /** It went to the backup when it was accepted last. */
  backedUp: 1,
  toldParked: 2,
  /** Its expiry passed. */
  toldDropped: 4,
  /** Given up, and not because it was to be. */
  toldLost: 8,
  pending: 16,
  parked: 32,
  /** Redis has it, or knows that it was laid down. */
  delivered: 64,
  doubled: 128,
  /** Redis may have forgotten by now that it was laid down. */
  forgettable: 256,
  /** Redis evicts, so that it may have forgotten sooner, or lost the queue itself. */
  evictable: 512,
  /** A call for it was answered `duplicate`. */
  duplicate: 1024,
  /** It stands in line without its fields, which Redis may have evicted. */
  hollow: 2048,
} as const;

const FIRST_SIZE = 64;

/** Jobs by number, in 26 bytes each. */
export class JobPage {
  size = 0;
  #known = new Uint16Array(FIRST_SIZE);
  #acceptedAt = new Float64Array(FIRST_SIZE);
  #toldAt = new Float64Array(FIRST_SIZE);
  #stoodAt = new Float64Array(FIRST_SIZE);

  is(index: number, what: number): boolean {
    return ((this.#known[index] ?? 0) & what) !== 0;
  }

  /** `index` is below {@link size}, or this is the first that is said of it. */
  set(index: number, what: number): void {
    this.#hold(index);
    this.#known[index] = (this.#known[index] ?? 0) | what;
  }

  unset(index: number, what: number): void {
    this.#known[index] = (this.#known[index] ?? 0) & ~what;
  }

  /** Epoch ms; 0: never. */
  acceptedAt(index: number): number {
    return this.#acceptedAt[index] ?? 0;
  }

  accepted(index: number, at: number): void {
    this.#hold(index);
    this.#acceptedAt[index] = at;
  }

  /** When it was told last that it was parked or given up. */
  toldAt(index: number): number {
    return this.#toldAt[index] ?? 0;
  }

  told(index: number, at: number): void {
    this.#hold(index);
    this.#toldAt[index] = at;
  }

  /** When the last entry of it that was found in this look was laid down; in a list, 1. */
  stoodAt(index: number): number {
    return this.#stoodAt[index] ?? 0;
  }

  stood(index: number, at: number): void {
    this.#hold(index);
    this.#stoodAt[index] = at;
  }

  /** For a new look. */
  forgetPlaces(): void {
    // Not filled: where nobody writes to it, a new one takes no memory.
    this.#stoodAt = new Float64Array(this.#stoodAt.length);
  }

  #hold(index: number): void {
    if (index >= this.#known.length) this.#grow(index + 1);
    if (index >= this.size) this.size = index + 1;
  }

  #grow(least: number): void {
    const size = Math.max(least, 2 * this.#known.length);
    this.#known = grown(this.#known, new Uint16Array(size));
    this.#acceptedAt = grown(this.#acceptedAt, new Float64Array(size));
    this.#toldAt = grown(this.#toldAt, new Float64Array(size));
    this.#stoodAt = grown(this.#stoodAt, new Float64Array(size));
  }
}

function grown<Numbers extends Uint16Array | Float64Array>(old: Numbers, larger: Numbers): Numbers {
  larger.set(old);
  return larger;
}
