import type {
  AppendOutcome,
  BackupDurability,
  BackupStats,
  BackupStore,
  JobRecord,
  Lease,
} from '../../src/index.js';
import type { StoreVerdict } from './scenario.js';
import type { Trace } from './trace.js';
import type { VirtualClock } from './virtual-clock.js';

/** A process's view of the one store that outlives it, with everything that can go wrong in between. */
export class SimulatedStore implements BackupStore {
  readonly durability: BackupDurability;
  readonly #inner: BackupStore;
  readonly #clock: VirtualClock;
  readonly #trace: Trace;
  #verdicts: readonly StoreVerdict[] = [];
  #turn = 0;
  #isDead = false;
  /** Calls that may still take effect. */
  #underway = 0;
  #calls = 0;

  constructor(inner: BackupStore, durability: BackupDurability, clock: VirtualClock, trace: Trace) {
    this.#inner = inner;
    this.durability = durability;
    this.#clock = clock;
    this.#trace = trace;
  }

  get isIdle(): boolean {
    return this.#underway === 0;
  }

  setVerdicts(verdicts: readonly StoreVerdict[]): void {
    this.#verdicts = verdicts;
    this.#turn = 0;
  }

  /** The process is dead: it hears nothing any more, but what it asked for is under way. */
  kill(): void {
    this.#isDead = true;
  }

  append(queue: string, jobs: readonly JobRecord[]): Promise<readonly AppendOutcome[]> {
    return this.#call(`append ${jobs.map(({ id, fate }) => `${id} (${fate})`)}`, () =>
      this.#inner.append(queue, jobs),
    );
  }

  lease(queue: string, limit: number, leaseMs: number): Promise<Lease | undefined> {
    return this.#call('lease', () => this.#inner.lease(queue, limit, leaseMs));
  }

  acknowledge(token: string, ids: readonly string[]): Promise<void> {
    return this.#call(`acknowledge ${ids}`, () => this.#inner.acknowledge(token, ids));
  }

  release(token: string, ids: readonly string[]): Promise<void> {
    return this.#call(`release ${ids}`, () => this.#inner.release(token, ids));
  }

  park(token: string, ids: readonly string[], reason: string): Promise<void> {
    return this.#call(`park ${ids}: ${reason}`, () => this.#inner.park(token, ids, reason));
  }

  stats(queue: string): Promise<BackupStats> {
    return this.#call('stats', () => this.#inner.stats(queue));
  }

  async close(): Promise<void> {
    this.#trace(() => 'the store is closed');
  }

  #call<T>(what: string, run: () => Promise<T>): Promise<T> {
    const number = ++this.#calls;
    return new Promise((resolve, reject) => {
      if (this.#isDead) return;
      const { length } = this.#verdicts;
      const verdict = length === 0 ? undefined : this.#verdicts[this.#turn++ % length];
      if (what !== 'stats' || verdict) {
        this.#trace(() => `store call ${number}: ${what}: ${verdict ? JSON.stringify(verdict) : 'answered'}`);
      }
      // The store does it at the instant it is asked to, or later, but all at once.
      const takeEffect = async () => {
        const outcome = await run();
        if (what !== 'stats') this.#trace(() => `store call ${number} takes effect: ${brief(outcome)}`);
        return outcome;
      };
      const tell = (settle: () => void) => {
        if (!this.#isDead) settle();
      };
      if (verdict === undefined) {
        takeEffect().then(
          (outcome) => tell(() => resolve(outcome)),
          (error) => tell(() => reject(error)),
        );
        return;
      }
      this.#follow(
        verdict,
        takeEffect,
        (outcome) => tell(() => resolve(outcome)),
        (error) => tell(() => reject(error)),
      );
    });
  }

  #follow<T>(
    verdict: StoreVerdict,
    takeEffect: () => Promise<T>,
    resolve: (outcome: T) => void,
    reject: (error: Error) => void,
  ): void {
    switch (verdict.kind) {
      case 'answered':
        this.#after(verdict.afterMs, () => void takeEffect().then(resolve, reject));
        break;
      case 'failed':
        this.#after(verdict.afterMs, () => reject(new Error('The disk is full')));
        break;
      case 'unsure':
        this.#after(verdict.afterMs, () => {
          const unsure = Object.assign(new Error('The connection to the store was lost'), {
            fate: 'unknown',
          });
          if (verdict.tookEffect) void takeEffect().then(() => reject(unsure), reject);
          else reject(unsure);
        });
        break;
      case 'slow':
        this.#after(verdict.effectMs, () => {
          const done = takeEffect();
          done.catch(() => {});
          if (verdict.answers) this.#after(verdict.afterMs, () => void done.then(resolve, reject));
        });
        break;
      case 'silent':
        break;
    }
  }

  #after(ms: number, then: () => void): void {
    this.#underway += 1;
    this.#clock.setTimeout(() => {
      this.#underway -= 1;
      then();
    }, ms);
  }
}

function brief(outcome: unknown): string {
  if (typeof outcome !== 'object' || outcome === null || !('jobs' in outcome))
    return JSON.stringify(outcome) ?? '';
  return `a lease of ${(outcome as Lease).jobs.map((job) => job.id)}`;
}
