interface Sample {
  readonly at: number;
  readonly pending: number;
}

const WINDOW_MS = 60_000;
/** Less tells more of a burst than of a rate; and no more often is a sample kept. */
const MIN_SPAN_MS = 1000;

/** How fast a backup fills, from how full it was each time somebody looked. */
export class FillRate {
  /** The last one is of the last look; those before are a second apart, however many looks there were. */
  #samples: Sample[] = [];

  /** `at`: ms of a clock that never jumps. */
  saw(pending: number, at: number): void {
    const last = this.#samples.at(-1);
    // A backlog that shrinks does not fill: what was before says nothing of what comes.
    if (last && pending < last.pending) this.#samples = [];
    const beforeLast = this.#samples.at(-2);
    if (beforeLast && at - beforeLast.at < MIN_SPAN_MS) this.#samples.pop();
    this.#samples.push({ at, pending });
    // Probes that come more seldom than the window is long still have the one before to compare with.
    while (this.#samples.length > 2 && at - (this.#samples[0] as Sample).at > WINDOW_MS)
      this.#samples.shift();
  }

  /** Whole seconds until `jobsLeft` more are there, 0 when none are left; undefined while it does not fill. */
  secondsUntilFull(jobsLeft: number): number | undefined {
    if (jobsLeft === 0) return 0;
    const [first] = this.#samples;
    const last = this.#samples.at(-1);
    if (!first || !last || last.at - first.at < MIN_SPAN_MS || last.pending <= first.pending)
      return undefined;
    const perMs = (last.pending - first.pending) / (last.at - first.at);
    return Math.floor(jobsLeft / perMs / 1000);
  }
}
