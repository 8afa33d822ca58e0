import { type Clock, pause, type Timer } from '../clock/clock.js';
import type { RedisPolicy } from './default-policy.js';
import { RedisFailure } from './outage.js';
import type { RedisGateway } from './redis-gateway.js';

/** Probes in a row without any answer after which only a new client may help. */
const SILENT_PROBES = 2;
/** How long a client may be without a connection before it is replaced, where a factory can. */
const RECONNECT_MS = 15_000;
/** How often a connection that is away is looked at. */
const LOOK_EVERY_MS = 20;

/** The failure of a connection that stayed away. */
export function stayedAway(): RedisFailure {
  const row = { kind: 'disconnected', treatment: 'gap', fate: 'not-delivered' } as const;
  return new RedisFailure(row, 'The client has no connection to Redis.');
}

/** Resolves with whether the client is connected, as soon as it is, at the latest after `timeoutMs`. */
export async function untilReady(
  gateway: RedisGateway,
  clock: Clock,
  timeoutMs: number,
  goOn: () => boolean,
  background: boolean,
): Promise<boolean> {
  const end = clock.monotonicMs() + timeoutMs;
  while (!gateway.isReady) {
    const left = end - clock.monotonicMs();
    if (left <= 0 || !goOn()) return false;
    await pause(clock, Math.min(LOOK_EVERY_MS, left), { background });
  }
  return true;
}

/**
 * Finds out when Redis is back, and, without traffic, that it is gone.
 *
 * 1. The breaker opens: the first canary goes after `probeAfterMs`, the next ones each time twice as late, up to
 *    `probeMaxMs`, with jitter. One at a time.
 * 2. A hint (the client's `ready`, a late reply) sends one at once.
 * 3. A canary that Redis takes closes the breaker.
 * 4. A client that stays silent is replaced, where a factory can make another.
 * 5. A connection that is lost and not back within the deadline opens the breaker, also when nobody enqueues.
 */
export class Prober {
  readonly #gateway: RedisGateway;
  readonly #policy: RedisPolicy;
  readonly #clock: Clock;
  readonly #options: {
    readonly attemptTimeoutMs: number;
    readonly deadlineMs: number;
    readonly probeAfterMs: number;
    readonly probeMaxMs: number;
  };
  readonly #replaceClient: (() => void) | undefined;
  #timer: Timer | undefined;
  #delayMs: number;
  #probing: Promise<void> | undefined;
  #hinted = false;
  #silent = 0;
  #awaySince: number | undefined;
  #isWatching = false;
  #isStopped = false;

  constructor(
    gateway: RedisGateway,
    policy: RedisPolicy,
    clock: Clock,
    options: {
      readonly attemptTimeoutMs: number;
      readonly deadlineMs: number;
      readonly probeAfterMs: number;
      readonly probeMaxMs: number;
    },
    replaceClient: (() => void) | undefined,
  ) {
    this.#gateway = gateway;
    this.#policy = policy;
    this.#clock = clock;
    this.#options = options;
    this.#replaceClient = replaceClient;
    this.#delayMs = options.probeAfterMs;
  }

  /** The breaker changed its state. */
  onState(): void {
    if (this.#policy.state === 'open') {
      if (!this.#probing) this.#schedule();
    } else if (this.#policy.state !== 'half-open') {
      this.#clearTimer();
      this.#delayMs = this.#options.probeAfterMs;
      this.#hinted = false;
    }
  }

  /** Something says that Redis may be back. */
  hint(): void {
    if (this.#isStopped) return;
    if (this.#policy.state === 'open') {
      this.#delayMs = this.#options.probeAfterMs;
      void this.probe();
    } else if (this.#probing) {
      this.#hinted = true;
    }
  }

  /** The client lost its connection, or never had one. */
  watch(): void {
    if (this.#isWatching || this.#isStopped || !this.#policy.isClosed) return;
    this.#isWatching = true;
    const goOn = () => !this.#isStopped && this.#policy.isClosed;
    void untilReady(this.#gateway, this.#clock, this.#options.deadlineMs, goOn, true)
      .then(async (isBack) => {
        if (isBack || !goOn()) return;
        const away = this.#gateway.failed(stayedAway());
        await this.#policy.execute(() => Promise.reject(away), { retry: false });
      })
      .catch(() => {})
      .finally(() => {
        this.#isWatching = false;
      });
  }

  /** Sends a canary now, or joins the one that is on its way. Resolves when it has ended, either way. */
  probe(): Promise<void> {
    this.#probing ??= this.#probe().finally(() => {
      this.#probing = undefined;
      if (this.#isStopped) return;
      if (this.#policy.state === 'open') this.#schedule();
    });
    return this.#probing;
  }

  stop(): void {
    this.#isStopped = true;
    this.#clearTimer();
  }

  async #probe(): Promise<void> {
    this.#clearTimer();
    this.#hinted = false;
    const canary = async () => {
      if (!this.#gateway.isReady) throw this.#gateway.failed(stayedAway());
      await this.#gateway.probe(this.#options.attemptTimeoutMs, () => this.hint());
    };
    try {
      // A gap is no outage before `watch()` says so, however often somebody asks meanwhile: the breaker hears nothing of it.
      if (this.#isPatient && !(await this.#isReadySoon())) throw this.#gateway.failed(stayedAway());
      // Isolated by hand, the breaker stays as it is, but whether Redis works is still worth knowing.
      await (this.#policy.state === 'isolated' ? canary() : this.#policy.probe(canary));
      this.#silent = 0;
      this.#awaySince = undefined;
    } catch (error) {
      if (error instanceof RedisFailure) this.#considerReplacing(error);
    }
  }

  /** No outage is known of. */
  get #isPatient(): boolean {
    return !this.#isStopped && (this.#policy.isClosed || this.#policy.state === 'isolated');
  }

  /** Waits for a connection that is just being made, or made again after a cut. */
  #isReadySoon(): Promise<boolean> {
    if (!this.#gateway.isReady) this.watch();
    const goOn = () => this.#isPatient;
    return untilReady(this.#gateway, this.#clock, this.#options.attemptTimeoutMs, goOn, true);
  }

  #considerReplacing(failure: RedisFailure): void {
    const now = this.#clock.monotonicMs();
    this.#awaySince ??= now;
    const isSilent = failure.kind === 'timeout' || failure.kind === 'protocol';
    this.#silent = isSilent ? this.#silent + 1 : 0;
    const isDead = this.#silent >= SILENT_PROBES;
    const isLost = failure.treatment === 'gap' && now - this.#awaySince >= RECONNECT_MS;
    // The factory failed so far.
    const isMissing = this.#gateway.connection.client === undefined;
    if (!isDead && !isLost && !isMissing) return;
    this.#silent = 0;
    this.#awaySince = now;
    this.#replaceClient?.();
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#isStopped) return;
    // Jitter keeps a fleet from probing in step. A hint during the last probe shortens the wait.
    const delayMs = this.#hinted ? 0 : this.#delayMs * (0.75 + Math.random() * 0.5);
    this.#hinted = false;
    this.#delayMs = Math.min(this.#delayMs * 2, this.#options.probeMaxMs);
    this.#timer = this.#clock.setTimeout(
      () => {
        this.#timer = undefined;
        void this.probe();
      },
      Math.min(delayMs, this.#options.probeMaxMs),
      true,
    );
  }

  #clearTimer(): void {
    if (this.#timer === undefined) return;
    this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
