/** Which of a bundle's jobs; there are `count` of them, at most 256. */
export class IndexSet {
  readonly count: number;
  readonly #bits: Uint8Array;

  constructor(count: number, bits = new Uint8Array(Math.ceil(count / 8))) {
    this.count = count;
    this.#bits = bits;
  }

  /** Reads what {@link toBytes} wrote, somewhere in `bytes`. */
  static fromBytes(bytes: Uint8Array, at: number): IndexSet {
    const count = (bytes[at] as number) + 1;
    return new IndexSet(count, bytes.slice(at + 1, at + 1 + Math.ceil(count / 8)));
  }

  toBytes(): Uint8Array {
    return Uint8Array.of(this.count - 1, ...this.#bits);
  }

  get byteLength(): number {
    return 1 + this.#bits.length;
  }

  get size(): number {
    let size = 0;
    for (const byte of this.#bits) for (let rest = byte; rest > 0; rest &= rest - 1) size += 1;
    return size;
  }

  get isFull(): boolean {
    return this.size === this.count;
  }

  has(index: number): boolean {
    return ((this.#bits[index >> 3] ?? 0) & (1 << (index & 7))) !== 0;
  }

  add(index: number): void {
    this.#bits[index >> 3] = (this.#bits[index >> 3] as number) | (1 << (index & 7));
  }

  delete(index: number): void {
    this.#bits[index >> 3] = (this.#bits[index >> 3] as number) & ~(1 << (index & 7));
  }

  *[Symbol.iterator](): Generator<number> {
    for (let index = 0; index < this.count; index++) if (this.has(index)) yield index;
  }
}
