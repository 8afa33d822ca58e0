import { isResilientQueueError, MemoryBackupStore, streamKey } from '../../src/index.js';
import { judge } from './model.js';
import type { Action, Place, Scenario } from './scenario.js';
import { type Call, QUEUE, SimulatedProcess } from './simulated-process.js';
import { SimulatedSite } from './simulated-site.js';
import type { Trace } from './trace.js';
import { VirtualClock } from './virtual-clock.js';
import { withVirtualGlobals } from './virtual-globals.js';

/** The most that a world may need to come to rest once all is well. */
const REST_WITHIN_MS = 600_000;
const LOOK_EVERY_MS = 250;

/** Lets a scenario happen and judges what came of it. */
export class World {
  readonly scenario: Scenario;
  readonly clock = new VirtualClock(() => this.#onStep());
  readonly site = new SimulatedSite(this.clock, streamKey(QUEUE));
  /** All that ever were, in the order of their starts. */
  readonly processes: SimulatedProcess[] = [];
  /** What was wrong while it ran. */
  readonly complaints: string[] = [];
  store = new MemoryBackupStore({ clock: this.clock });
  readonly #hasRollbacks: boolean;
  /** Calls that were made so far. */
  #calls = 0;
  /** Isolations and restarts that are still to end. */
  #open = 0;
  readonly #trace: Trace;

  constructor(scenario: Scenario, note: (line: string) => void = () => {}, isTracing = false) {
    this.scenario = scenario;
    this.#hasRollbacks = scenario.actions.some((action) => action.do === 'rollback');
    this.#trace = isTracing
      ? (tell) => note(`${String(this.clock.monotonicMs()).padStart(7)} ${tell()}`)
      : () => {};
  }

  /** Runs the scenario, heals everything, waits until nothing moves. Resolves with every promise that was broken. */
  run(): Promise<string[]> {
    return withVirtualGlobals(this.clock, this.scenario.seed, async () => {
      for (let place = 0; place < this.scenario.processes; place++) this.#start(place as Place);
      for (const action of this.scenario.actions) await this.#perform(action);
      this.#heal();
      await this.#rest();
      const verdict = [...this.complaints, ...(await judge(this))];
      for (const process of this.processes) if (process.isAlive) process.kill();
      return verdict;
    });
  }

  async #perform(action: Action): Promise<void> {
    if (action.do === 'wait') return this.clock.advance(action.ms);
    this.#trace(() => `— ${JSON.stringify(action)}`);
    const { site } = this;
    switch (action.do) {
      case 'stop server':
        return site.stop(action.ms);
      case 'refuse writes':
        site.redis.refusal = { ...site.redis.refusal, writes: action.text };
        return;
      case 'deny':
        site.redis.refusal = { ...site.redis.refusal, denied: action.commands };
        return;
      case 'restart server':
        site.restart();
        for (const process of this.processes) process.connection.cut();
        return;
      case 'snapshot':
        return site.snapshot();
      case 'rollback':
        site.rollBack(action.inFlight, action.strayMs);
        if (action.inFlight === 'dies') for (const process of this.processes) process.connection.cut();
        return;
      default: {
        const process = this.#at(action.by);
        if (process) this.#performBy(process, action);
      }
    }
  }

  #performBy(process: SimulatedProcess, action: Extract<Action, { readonly by: Place }>): void {
    switch (action.do) {
      case 'enqueue':
        for (const plan of action.jobs) {
          const id = plan.id === undefined ? this.#idOf(plan.again) : `caller-${plan.id}`;
          process.enqueue(this.#calls++, plan, id);
        }
        break;
      case 'network':
        process.connection.setVerdicts(action.verdicts);
        break;
      case 'store':
        process.store.setVerdicts(action.verdicts);
        break;
      case 'away':
        process.connection.goAway(action.ms, action.isQuiet);
        break;
      case 'crash':
        process.kill();
        this.#startLater(action.by, action.downMs);
        break;
      case 'close':
        void process.close(action.timeoutMs).then(() => {
          if (process.state !== 'closed') return;
          // A memory is gone with its process.
          if (this.scenario.durability === 'memory')
            this.store = new MemoryBackupStore({ clock: this.clock });
          this.#startLater(action.by, action.downMs);
        });
        break;
      case 'isolate': {
        const isolation = process.queue.isolate();
        this.#later(action.ms, () => isolation.dispose());
        break;
      }
      case 'replay':
        void process.queue.replay().catch(() => {});
        break;
      case 'check': {
        const startedAt = this.clock.now();
        void process.queue.check({ timeoutMs: action.timeoutMs }).then(() => {
          const tookMs = this.clock.now() - startedAt;
          if (tookMs > action.timeoutMs + 1) this.complaints.push(`check() took ${tookMs} ms`);
        });
        break;
      }
    }
  }

  /** Who is at work there; one that closes takes no orders. */
  #at(place: Place): SimulatedProcess | undefined {
    return this.processes.findLast((process) => process.place === place && process.state === 'running');
  }

  #start(place: Place): void {
    const number = this.processes.length;
    this.#trace(() => `process ${number} starts`);
    const { scenario, site, store, clock } = this;
    this.processes.push(new SimulatedProcess(number, place, scenario, site, store, clock, this.#trace));
  }

  #startLater(place: Place, ms: number): void {
    this.#later(ms, () => this.#start(place));
  }

  #later(ms: number, then: () => void): void {
    this.#open += 1;
    this.clock.setTimeout(() => {
      this.#open -= 1;
      then();
    }, ms);
  }

  /**
   * The id that so many calls ago was told to its caller. Where Redis loses writes, only one whose fate was unknown: an accepted
   * job that is given back lays down itself what its loss would be found by.
   */
  #idOf(again: number | undefined): string | undefined {
    if (again === undefined) return undefined;
    const known = this.processes
      .flatMap((process) => process.calls)
      .filter(({ id, outcome }) => id !== undefined && (!this.#hasRollbacks || isUnknown(outcome)))
      .sort((a, b) => a.number - b.number);
    return known.at(-1 - again)?.id;
  }

  #heal(): void {
    this.#trace(() => '— all is well from now on');
    this.site.redis.refusal = {};
    for (const process of this.processes) {
      process.connection.setVerdicts([]);
      process.store.setVerdicts([]);
    }
  }

  /** Waits until nothing has moved for as long as a queue may take to look at anything. */
  async #rest(): Promise<void> {
    const { options } = this.scenario;
    const windowMs = options.lossWindow === false ? 0 : (options.lossWindow?.ms ?? 30_000);
    const looksMs = this.#hasRollbacks ? 10 * Math.max(1000, windowMs / 3) : 0;
    // A look at the store may be under way that will not be answered.
    const pollMs = (options.replay?.pollMs ?? 5000) + (options.backupDeadlineMs ?? 5000);
    const quietMs = 2 * pollMs + looksMs;
    const giveUpAt = this.clock.now() + REST_WITHIN_MS;
    for (let quiet = 0; quiet < quietMs; ) {
      await this.clock.advance(LOOK_EVERY_MS);
      const restless = this.#restless();
      quiet = restless === undefined ? quiet + LOOK_EVERY_MS : 0;
      if (this.clock.now() > giveUpAt) {
        this.complaints.push(`${restless} ${REST_WITHIN_MS} ms after all was well`);
        return;
      }
    }
  }

  /** What still moves. */
  #restless(): string | undefined {
    if (this.#open > 0) return 'something was still to end';
    for (const { number, state, connection, store, calls, queue } of this.processes) {
      if (!connection.isIdle) return `commands of process ${number} were on their way`;
      if (!store.isIdle) return `calls of the store by process ${number} were under way`;
      if (state === 'closing') return `process ${number} was closing`;
      if (state !== 'running') continue;
      if (connection.isAway) return `process ${number} had no connection`;
      if (calls.some((call) => call.settledAt === undefined)) return `calls of process ${number} were open`;
      const { status, replay } = queue.health();
      if (status !== 'up') return `process ${number} was ${status}: ${JSON.stringify(queue.health())}`;
      if (replay.active) return `process ${number} was replaying`;
    }
    return undefined;
  }

  /** With a store of its own, a queue's books balance at every moment. */
  #onStep(): void {
    if (this.scenario.processes > 1 || this.complaints.length > 0) return;
    for (const { number, isAlive, queue } of this.processes) {
      if (!isAlive) continue;
      const { accepted, inherited, delivered, pending, parked, dropped } = queue.health().totals;
      if (accepted + inherited === delivered + pending + parked + dropped) continue;
      const figures = JSON.stringify({ accepted, inherited, delivered, pending, parked, dropped });
      this.complaints.push(`The books of process ${number} do not balance: ${figures}`);
      this.#trace(() => `THE BOOKS DO NOT BALANCE: ${figures}`);
    }
  }
}

function isUnknown(outcome: Call['outcome']): boolean {
  return isResilientQueueError(outcome) && outcome.fate === 'unknown';
}
