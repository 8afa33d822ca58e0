import type { Argument } from '../../src/index.js';
import type { Reply } from './commands.js';
import { type Entry, Keyspace } from './keyspace.js';
import { SimulatedRedis } from './simulated-redis.js';
import type { VirtualClock } from './virtual-clock.js';

/** A server as those know it who sent something to it: what becomes of that after a rollback. */
export interface Era {
  /** `dies`: never executed; `strays`: executed on what the demoted server holds. */
  after: 'dies' | 'moves' | { readonly strays: Keyspace } | undefined;
}

/** An entry that was laid down, wherever. */
export interface Laid {
  /** The number of the call that its job came from. */
  readonly call: number;
  readonly at: number;
  /** The process that sent it. */
  readonly by: number;
}

/** A loss of writes. */
export interface Rollback {
  /** From when on everybody talks to the server that lost them. */
  readonly at: number;
  /** Calls whose jobs were laid down before, and are not there after. */
  readonly lost: ReadonlySet<number>;
}

/** Where the Redis server is: it stops and resumes, is replaced by another, and comes back with less than it had. */
export class SimulatedSite {
  readonly redis: SimulatedRedis;
  readonly laid: Laid[] = [];
  readonly rollbacks: Rollback[] = [];
  readonly #clock: VirtualClock;
  readonly #streamKey: string;
  #era: Era = { after: undefined };
  #snapshot: Keyspace | undefined;
  #stops = 0;
  /** Waits for the server to resume. */
  #held: (() => void)[] = [];

  constructor(clock: VirtualClock, streamKey: string) {
    this.#clock = clock;
    this.#streamKey = streamKey;
    this.redis = new SimulatedRedis(() => clock.now());
  }

  /** What those talk to who send something now. */
  get era(): Era {
    return this.#era;
  }

  /** Calls `arrived` when the server looks at what reaches it now. */
  whenRunning(arrived: () => void): void {
    if (this.#stops === 0) arrived();
    else this.#held.push(arrived);
  }

  /** Executes what process `by` sent in `era`. Undefined: nobody will. Throws the server's error replies. */
  execute(args: readonly Argument[], era: Era, by: number): { readonly reply: Reply } | undefined {
    if (era.after === 'dies') return undefined;
    const isAstray = typeof era.after === 'object';
    const keyspace = typeof era.after === 'object' ? era.after.strays : this.redis.keyspace;
    const before = this.#entries(keyspace).length;
    try {
      return { reply: this.redis.execute(args, keyspace) };
    } finally {
      const calls = this.#entries(keyspace).slice(before).map(callOf);
      for (const call of calls) this.laid.push({ call, at: this.#clock.now(), by });
      // Laid down where it is lost already.
      if (isAstray && calls.length > 0) this.rollbacks.push({ at: this.#clock.now(), lost: new Set(calls) });
    }
  }

  stop(ms: number): void {
    this.#stops += 1;
    this.#clock.setTimeout(() => this.#resume(), ms);
  }

  /** With all its data; what is on its way dies. */
  restart(): void {
    this.redis.forgetScripts();
    this.#begin('dies');
  }

  snapshot(): void {
    this.#snapshot = this.redis.keyspace.copy();
  }

  rollBack(inFlight: 'dies' | 'moves' | 'strays', strayMs: number): void {
    const next = this.#snapshot?.copy() ?? new Keyspace();
    const switchOver = () => {
      const old = this.redis.keyspace;
      const kept = new Set(this.#entries(next).map(callOf));
      const calls = this.#entries(old).map(callOf);
      this.rollbacks.push({
        at: this.#clock.now(),
        lost: new Set(calls.filter((call) => !kept.has(call))),
      });
      this.redis.keyspace = next;
      this.redis.forgetScripts();
      this.#begin(inFlight === 'strays' ? { strays: old } : inFlight);
    };
    // Until then everybody still talks to the old one.
    if (inFlight === 'strays' && strayMs > 0) this.#clock.setTimeout(switchOver, strayMs);
    else switchOver();
  }

  #begin(after: Era['after']): void {
    this.#era.after = after;
    this.#era = { after: undefined };
  }

  #entries(keyspace: Keyspace): readonly Entry[] {
    return keyspace.read(this.#streamKey, 'stream', this.#clock.now())?.entries ?? [];
  }

  #resume(): void {
    this.#stops -= 1;
    if (this.#stops > 0) return;
    for (const arrived of this.#held.splice(0)) arrived();
  }
}

/** The number of the call that an entry's job came from: it is its payload. */
export function callOf({ fields }: Entry): number {
  return Number(fields[fields.indexOf('payload') + 1]);
}
