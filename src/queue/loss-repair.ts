import { append } from '../backup/append.js';
import { appendBatches } from '../backup/append-batches.js';
import type { AppendOutcome } from '../backup/backup-store.js';
import { boundedCall, SilentStoreError } from '../backup/bounded-call.js';
import { pause } from '../clock/clock.js';
import { scrubbed } from '../errors/scrub.js';
import type { JobRecord } from '../job/job-record.js';
import type { RedisPolicy } from '../policy/default-policy.js';
import { LossWatch } from '../policy/loss-watch.js';
import type { RedisGateway } from '../policy/redis-gateway.js';
import type { LossWindow, LossWindowOptions } from '../recognition/loss-window.js';
import { Redeliverer, type RedeliveryResult } from '../replay/redeliverer.js';
import type { ResolvedOptions } from './options.js';

/** What the queue is told of the jobs that Redis lost. */
export interface LossListener {
  onRedelivered(count: number): void;
  onExpired(jobs: readonly JobRecord[]): void;
  /** The store is asked to keep jobs that count as delivered so far: `onBackedUp` or `onUnsure` follows. */
  onBackingUp(jobs: readonly JobRecord[]): void;
  /** Returns those that it did not take after all. */
  onBackedUp(jobs: readonly JobRecord[], outcomes: readonly AppendOutcome[]): readonly JobRecord[];
  /** The store did not say whether it took them. */
  onUnsure(jobs: readonly JobRecord[]): void;
  /** The store did not say that it took them, and nobody will try again. */
  onLost(jobs: readonly JobRecord[]): void;
  onStoreError(error: Error): void;
  onEnd(result: RedeliveryResult): void;
}

/** Finds out that Redis lost what it had acknowledged, and makes it good: lays it down again, or keeps it in the backup. */
export class LossRepair {
  readonly #name: string;
  readonly #options: ResolvedOptions;
  readonly #window: LossWindow;
  readonly #onLoss: LossWindowOptions['onLoss'];
  readonly #policy: RedisPolicy;
  readonly #watch: LossWatch;
  readonly #redeliverer: Redeliverer;
  readonly #listener: LossListener;

  constructor(
    name: string,
    options: ResolvedOptions,
    window: LossWindow,
    lossWindow: LossWindowOptions,
    recognitionMs: number,
    gateway: RedisGateway,
    policy: RedisPolicy,
    askRedis: () => Promise<void>,
    listener: LossListener,
  ) {
    this.#name = name;
    this.#options = options;
    this.#window = window;
    this.#onLoss = lossWindow.onLoss;
    this.#policy = policy;
    this.#listener = listener;
    this.#watch = new LossWatch(window, lossWindow.ms, options.clock, async () => {
      // While it cannot be asked, the prober knows when to.
      if (gateway.isReady && policy.state !== 'open') await askRedis();
    });
    this.#redeliverer = new Redeliverer(
      gateway,
      policy,
      options.clock,
      {
        onRedelivered: (count) => listener.onRedelivered(count),
        onExpired: (jobs) => listener.onExpired(jobs),
        onSetAside: (jobs) => this.#backUp(jobs),
        onEnd: (result) => this.#tell(result),
      },
      { ...options, recognitionMs },
    );
  }

  start(): void {
    this.#watch.start();
  }

  /** Asks Redis now whether it still has everything. */
  look(): Promise<void> {
    return this.#watch.look();
  }

  /** Redis has lost writes that it had acknowledged. */
  onLoss(): void {
    const frozen = this.#window.freeze();
    if (this.#onLoss === 'redeliver') {
      this.#redeliverer.redeliver(frozen);
    } else {
      const { jobs, hasOlder, relaid } = frozen;
      relaid.end();
      this.#tell({ remembered: jobs, redelivered: 0, recognised: 0, windowExceeded: hasOlder });
    }
  }

  /** A job has left the store, and is not to be backed up again. Returns whether it would have been. */
  forget(job: JobRecord): boolean {
    return this.#redeliverer.forget(job);
  }

  /** Ends at `endsAt` (monotonic ms). What is still to be laid down again then goes to the backup. */
  async end(endsAt: number): Promise<void> {
    const { clock } = this.#options;
    this.#watch.stop();
    if (this.#policy.isClosed) {
      const done = new AbortController();
      const leftMs = Math.max(0, endsAt - clock.monotonicMs());
      const time = pause(clock, leftMs, { background: false, signal: done.signal });
      // For the last time: nobody will remember these jobs from now on.
      const repaired = this.look().then(() => this.#redeliverer.done);
      await Promise.race([repaired, time]);
      done.abort();
    }
    const perhapsLost = await this.#redeliverer.stop();
    if (perhapsLost.length === 0) return;
    const lost = await this.#backUp(perhapsLost);
    if (lost.length > 0) this.#listener.onLost(lost);
  }

  /** Jobs that Redis had, may have lost, and does not take back now, wait in the backup. Resolves with those that do not. */
  async #backUp(jobs: readonly JobRecord[]): Promise<readonly JobRecord[]> {
    const { backup, clock, backupDeadlineMs } = this.#options;
    const failed: JobRecord[] = [];
    let isSilent = false;
    for (const batch of appendBatches(jobs)) {
      if (isSilent) {
        // Each call would cost the whole deadline, and pile up on a store that hangs.
        failed.push(...batch);
        continue;
      }
      try {
        this.#listener.onBackingUp(batch);
        const outcomes = await boundedCall(clock, backupDeadlineMs, append(backup, this.#name, batch));
        failed.push(...this.#listener.onBackedUp(batch, outcomes));
      } catch (error) {
        isSilent = error instanceof SilentStoreError;
        this.#listener.onStoreError(scrubbed(error));
        this.#listener.onUnsure(batch);
        failed.push(...batch);
      }
    }
    return failed;
  }

  #tell(result: RedeliveryResult): void {
    // All of it is still there: a primary that had been demoted said that it was not.
    const isFalseAlarm = result.recognised === result.remembered && !result.windowExceeded;
    if (isFalseAlarm && this.#onLoss !== 'report') return;
    this.#listener.onEnd(result);
  }
}
