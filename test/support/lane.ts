/** Bytes, or the end of them. */
export type Piece = Buffer | 'end';

interface Travelling {
  readonly piece: Piece;
  readonly dueAt: number;
}

/** A lane under latency and load is never empty, so what has arrived is cut off now and then. */
const COMPACT_AFTER = 1_024;

/** One direction of a proxied connection: hands pieces on in order, each after its delay, none while it is held. */
export class Lane {
  readonly #arrive: (piece: Piece) => void;
  readonly #isHeld: () => boolean;
  #travelling: Travelling[] = [];
  #next = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(arrive: (piece: Piece) => void, isHeld: () => boolean) {
    this.#arrive = arrive;
    this.#isHeld = isHeld;
  }

  send(piece: Piece, delayMs = 0): void {
    this.#travelling.push({ piece, dueAt: performance.now() + delayMs });
    this.release();
  }

  /** Hands on what is due, unless the lane is held. Nothing overtakes, also when the delay has become smaller. */
  release(): void {
    clearTimeout(this.#timer);
    while (!this.#isHeld()) {
      const head = this.#travelling[this.#next];
      if (!head) {
        this.clear();
        return;
      }
      const waitMs = head.dueAt - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.release(), Math.ceil(waitMs));
        return;
      }
      this.#next++; // before arrive(), which may send, release or clear
      if (this.#next === COMPACT_AFTER) this.#next -= this.#travelling.splice(0, COMPACT_AFTER).length;
      this.#arrive(head.piece);
    }
  }

  /** Loses everything on its way. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#travelling = [];
    this.#next = 0;
  }
}
