/** How often progress is told. */
export const PROGRESS_EVERY_MS = 1000;
const RATE_EVERY_MS = 250;
/** How much of the rate is of the last quarter of a second. */
const NEWEST_SHARE = 0.4;

/** How many jobs a replay has moved, and how fast it is at present. Times in monotonic ms. */
export class ProgressMeter {
  #movedBefore = 0;
  #toldAt = 0;
  #rate = { at: 0, moved: 0, perSecond: 0 };

  /** A replay begins, when so many jobs have been moved in all. */
  begin(moved: number, now: number): void {
    this.#movedBefore = moved;
    this.#toldAt = now;
    this.#rate = { at: now, moved, perSecond: 0 };
  }

  get perSecond(): number {
    return this.#rate.perSecond;
  }

  /** Since the replay began. */
  since(moved: number): number {
    return moved - this.#movedBefore;
  }

  /** Returns whether progress is to be told now. */
  isDue(moved: number, now: number): boolean {
    const elapsedMs = now - this.#rate.at;
    if (elapsedMs >= RATE_EVERY_MS) {
      const latest = ((moved - this.#rate.moved) / elapsedMs) * 1000;
      const known = this.#rate.perSecond;
      const perSecond = known === 0 ? latest : known * (1 - NEWEST_SHARE) + latest * NEWEST_SHARE;
      this.#rate = { at: now, moved, perSecond };
    }
    if (now - this.#toldAt < PROGRESS_EVERY_MS) return false;
    this.#toldAt = now;
    return true;
  }
}
