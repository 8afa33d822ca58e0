/** Answers that came within this, ms, were not worth to sleep for: Redis is on this machine, or next to it. */
const SHORT_MS = 0.2;
/** Turns of the event loop for one wait, of 1 to 3 µs each where there is nothing else to do. */
const MAX_TURNS = 64;

/**
 * Keeps the event loop from going to sleep for an answer that is about to come. To be put to sleep and woken again takes longer
 * than the answer of a near Redis does: on a virtual machine 40 µs, of the processor, too. A caller that awaits each
 * `enqueue()` had to pay that every time.
 *
 * Nobody waits for it: in each turn, timers and whatever else has come are seen to. An answer that is not there after
 * {@link MAX_TURNS} is slept for, and so is every one while answers take longer than {@link SHORT_MS}.
 */
export class ShortWait {
  #turns = 0;
  #isAwake = false;

  /** An answer is awaited; the last one took `lastMs`. */
  begin(lastMs: number | undefined): void {
    if (lastMs === undefined || lastMs > SHORT_MS) return;
    this.#turns = MAX_TURNS;
    if (this.#isAwake) return;
    this.#isAwake = true;
    setImmediate(this.#turn);
  }

  /** It has come. */
  end(): void {
    this.#turns = 0;
  }

  readonly #turn = (): void => {
    this.#turns -= 1;
    this.#isAwake = this.#turns > 0;
    if (this.#isAwake) setImmediate(this.#turn);
  };
}
