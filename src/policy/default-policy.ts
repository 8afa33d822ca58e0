import {
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  ExponentialBackoff,
  handleWhen,
  type RetryPolicy,
  retry,
} from 'cockatiel';
import { RedisFailure } from './outage.js';

/** What opens the breaker: any of cockatiel's (`ConsecutiveBreaker`, `SamplingBreaker`, `CountBreaker`), 3 or 4, or your own. */
export interface Breaker {
  state: unknown;
  success(state: number): void;
  /** True opens the breaker. */
  failure(state: number): boolean;
}

/** How long to wait before a retry: any of cockatiel's backoffs, 3 or 4. */
export interface Backoff {
  next(context: unknown): { readonly duration: number; next(context: unknown): unknown };
}

/** The breaker's state, in words. `half-open`: one canary is on its way. */
export type BreakerState = 'closed' | 'open' | 'half-open' | 'isolated';

/** A hand on the breaker: it stays open until every handle is disposed of. */
export interface IsolationHandle {
  dispose(): void;
}

const names: Readonly<Record<CircuitState, BreakerState>> = {
  [CircuitState.Closed]: 'closed',
  [CircuitState.Open]: 'open',
  [CircuitState.HalfOpen]: 'half-open',
  [CircuitState.Isolated]: 'isolated',
};

/** Jittered and short: a retry has to end inside the deadline. */
const defaultBackoff = () => new ExponentialBackoff({ initialDelay: 25, maxDelay: 100 });

/** The default breaker: opens after so many failures in a row. */
export const consecutiveFailures = (failures: number): Breaker => new ConsecutiveBreaker(failures);

/**
 * Retry and breaker around every way to Redis, from outside in: retry > breaker > attempt; the deadline is around it, in
 * the caller. Only the prober calls while the breaker is open, so it alone decides when to try.
 */
export class RedisPolicy {
  readonly #breaker: CircuitBreakerPolicy;
  readonly #retry: RetryPolicy;
  readonly #trippable: TrippableBreaker;
  /** Counts openings: an attempt that began before one says nothing about Redis after it. */
  #openings = 0;
  #lastFailure: RedisFailure | undefined;
  /** The breaker is about to be open again. */
  #isReopening = false;

  constructor(options: {
    readonly breaker: Breaker;
    readonly retryAttempts: number;
    readonly backoff: Backoff | undefined;
    /** Ours, and never throws: a listener that did would change what cockatiel returns. */
    readonly onState: (state: BreakerState) => void;
  }) {
    this.#trippable = new TrippableBreaker(options.breaker);
    const countsAsFailure = (error: unknown) =>
      error instanceof RedisFailure && (error.treatment === 'outage' || error.treatment === 'gap');
    this.#breaker = circuitBreaker(handleWhen(countsAsFailure), {
      breaker: this.#trippable,
      // Whenever the prober likes. Not 0: cockatiel compares wall-clock times, and would refuse every probe for as long as the
      // machine's clock has been set back.
      halfOpenAfter: Number.NEGATIVE_INFINITY,
    });
    this.#breaker.onStateChange((state) => {
      if (state !== CircuitState.Closed) this.#openings += 1;
      options.onState(names[state]);
    });
    const isWorthARetry = (error: unknown) =>
      error instanceof RedisFailure && (error.treatment === 'outage' || error.treatment === 'redirect');
    const backoff = (options.backoff as ExponentialBackoff<unknown> | undefined) ?? defaultBackoff();
    this.#retry = retry(handleWhen(isWorthARetry), { maxAttempts: options.retryAttempts, backoff });
  }

  get state(): BreakerState {
    return this.#isReopening ? 'open' : names[this.#breaker.state];
  }

  get isClosed(): boolean {
    return this.#breaker.state === CircuitState.Closed && !this.#isReopening;
  }

  /** The last failure that the breaker was told of. */
  get lastFailure(): RedisFailure | undefined {
    return this.#lastFailure;
  }

  /**
   * Runs `attempt`, again after an outage's failure as often as the retry option says. Rejects with the attempt's
   * {@link RedisFailure}, or with {@link CircuitOpenError} without running it.
   */
  execute<T>(attempt: () => Promise<T>, options: { readonly retry: boolean }): Promise<T> {
    const first = this.#once(attempt);
    // Retry's layer is put around it only when there is something to retry: nearly every attempt is the only one.
    return options.retry ? first.catch((error: unknown) => this.#again(attempt, error)) : first;
  }

  /** Runs `canary` as the breaker's test, and closes it on success. Only one at a time, and not while isolated. */
  async probe(canary: () => Promise<void>): Promise<void> {
    await this.#breaker.execute(async () => {
      try {
        await canary();
      } catch (error) {
        if (error instanceof RedisFailure) this.#lastFailure = error;
        throw error;
      }
    });
  }

  isolate(): IsolationHandle {
    return this.#breaker.isolate();
  }

  /** Opens the breaker again, just closed, because of the last failure: the outage goes on. */
  reopen(): void {
    const failure = this.#lastFailure;
    if (!failure || !this.isClosed) return;
    // It takes a few turns of the queue of promises: who comes meanwhile does not find it closed, and ends nothing by succeeding.
    this.#isReopening = true;
    this.#trippable.tripOnFailure();
    const opening = this.#breaker.execute(() => Promise.reject(failure.as('outage')));
    opening
      .catch(() => {})
      .finally(() => {
        this.#isReopening = false;
      });
  }

  #once<T>(attempt: () => Promise<T>): Promise<T> {
    // cockatiel would let this call wait for the probe's end, and make it the probe of an open breaker.
    if (!this.isClosed) return Promise.reject(new CircuitOpenError());
    const openings = this.#openings;
    // A closed breaker of cockatiel's does no more on success than to tell its strategy, so that is all that is done here.
    return attempt().then(
      (value) => {
        if (this.#openings === openings) this.#trippable.success(CircuitState.Closed);
        return value;
      },
      (error: unknown) => this.#failed(error, openings),
    );
  }

  async #failed(error: unknown, openings: number): Promise<never> {
    // One that began before the breaker opened says nothing about Redis after it.
    if (!(error instanceof RedisFailure) || this.#openings !== openings) throw error;
    this.#lastFailure = error;
    // A gap that was not ridden out is an outage by itself: nobody else should wait for it.
    if (error.treatment === 'gap') this.#trippable.tripOnFailure();
    return this.#breaker.execute(() => Promise.reject(error));
  }

  /** Goes on after a first failure. A broken circuit is never retried. */
  async #again<T>(attempt: () => Promise<T>, failure: unknown): Promise<T> {
    if (!this.isClosed) throw failure;
    let isFirst = true;
    return this.#retry.execute(() => {
      if (!isFirst) return this.#once(attempt);
      isFirst = false;
      return Promise.reject(failure);
    });
  }
}

/** The breaker is open: nothing was sent. */
export class CircuitOpenError extends Error {
  override readonly name = 'CircuitOpenError';

  constructor() {
    super('The circuit breaker is open.');
  }
}

/** The user's breaker, with one more reason to open. */
class TrippableBreaker implements Breaker {
  readonly #inner: Breaker;
  #isTripped = false;

  constructor(inner: Breaker) {
    this.#inner = inner;
  }

  get state(): unknown {
    return this.#inner.state;
  }

  set state(value: unknown) {
    this.#inner.state = value;
  }

  tripOnFailure(): void {
    this.#isTripped = true;
  }

  success(state: number): void {
    this.#isTripped = false;
    this.#inner.success(state);
  }

  failure(state: number): boolean {
    const opens = this.#inner.failure(state);
    if (!this.#isTripped) return opens;
    this.#isTripped = false;
    return true;
  }
}
