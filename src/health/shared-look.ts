import type { Clock } from '../clock/clock.js';
import type { QueueSight, QueueWatch } from './queue-watch.js';

/** All queues, looked at together. */
export interface Look {
  readonly sights: readonly QueueSight[];
  /** Epoch ms. */
  readonly at: number;
  readonly ageMs: number;
}

interface Kept extends Omit<Look, 'ageMs'> {
  readonly seenAt: number;
}

/** Looks at all queues at once, for all who ask meanwhile and for `cacheMs` afterwards. */
export class SharedLook {
  readonly #watches: readonly QueueWatch[];
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #cacheMs: number;
  #kept: Kept | undefined;
  #looking: Promise<Kept> | undefined;

  constructor(
    watches: readonly QueueWatch[],
    options: { readonly clock: Clock; readonly timeoutMs: number; readonly cacheMs: number },
  ) {
    this.#watches = watches;
    this.#clock = options.clock;
    this.#timeoutMs = options.timeoutMs;
    this.#cacheMs = options.cacheMs;
  }

  /** Never rejects. */
  async look(): Promise<Look> {
    const { sights, at, seenAt } = this.#fresh() ?? (await this.#look());
    return { sights, at, ageMs: Math.round(this.#clock.monotonicMs() - seenAt) };
  }

  #fresh(): Kept | undefined {
    const kept = this.#kept;
    return kept && this.#clock.monotonicMs() - kept.seenAt < this.#cacheMs ? kept : undefined;
  }

  #look(): Promise<Kept> {
    this.#looking ??= this.#lookAtAll().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #lookAtAll(): Promise<Kept> {
    const looks = this.#watches.map((watch) => watch.look(this.#timeoutMs));
    // All that is said is as old as the first answer, which may wait long for the others'.
    await Promise.race(looks);
    const seen = { at: this.#clock.now(), seenAt: this.#clock.monotonicMs() };
    this.#kept = { sights: await Promise.all(looks), ...seen };
    return this.#kept;
  }
}
