import type { Argument, ConnectionHints, RedisConnection } from '../../src/index.js';
import type { Reply } from './commands.js';
import type { RefusalText, Verdict } from './scenario.js';
import type { Era, SimulatedSite } from './simulated-site.js';
import type { Trace } from './trace.js';
import type { VirtualClock } from './virtual-clock.js';

const ANSWERED: Verdict = { kind: 'answered', afterMs: 1 };
/** What node-redis and ioredis call a command's timeout of their own. */
const CLIENT_TIMEOUT_MS = 300;

interface Waiting {
  resolve(reply: unknown): void;
  reject(error: Error): void;
}

/** A process's client, with everything in between that can go wrong on the way to the server and back. */
export class SimulatedConnection implements RedisConnection {
  readonly client = {};
  isReady = true;
  readonly #site: SimulatedSite;
  readonly #clock: VirtualClock;
  readonly #process: number;
  readonly #trace: Trace;
  readonly #hints = new Set<ConnectionHints>();
  readonly #waiting = new Set<Waiting>();
  #verdicts: readonly Verdict[] = [];
  #turn = 0;
  #absences = 0;
  #isDead = false;
  #lastReply: Reply = 'PONG';
  /** Commands that may still be executed. */
  #underway = 0;
  #sent = 0;

  constructor(site: SimulatedSite, clock: VirtualClock, process: number, trace: Trace) {
    this.#site = site;
    this.#clock = clock;
    this.#process = process;
    this.#trace = trace;
  }

  get isIdle(): boolean {
    return this.#underway === 0;
  }

  get isAway(): boolean {
    return this.#absences > 0;
  }

  send(args: readonly Argument[]): Promise<unknown> {
    const number = ++this.#sent;
    return new Promise((resolve, reject) => {
      if (this.#isDead) return;
      const verdict = this.isReady ? this.#nextVerdict() : undefined;
      this.#trace(() => `sends #${number} ${brief(args)}: ${verdict ? JSON.stringify(verdict) : 'away'}`);
      if (verdict === undefined) {
        reject(clientError('ECONNREFUSED'));
        return;
      }
      const waiting: Waiting = {
        resolve: (reply) => this.#end(waiting, number, () => resolve(reply), reply),
        reject: (error) => this.#end(waiting, number, () => reject(error), error.message),
      };
      this.#waiting.add(waiting);
      this.#follow(verdict, args, waiting, number);
    });
  }

  listen(hints: ConnectionHints): () => void {
    this.#hints.add(hints);
    return () => this.#hints.delete(hints);
  }

  destroy(): void {
    throw new Error("Nobody destroys a caller's client");
  }

  setVerdicts(verdicts: readonly Verdict[]): void {
    this.#verdicts = verdicts;
    this.#turn = 0;
  }

  /** The client loses its connection, and has one again after `ms`. */
  goAway(ms: number, isQuiet: boolean): void {
    this.#absences += 1;
    this.isReady = false;
    if (!isQuiet) for (const hints of this.#hints) hints.down();
    this.cut();
    this.#clock.setTimeout(() => {
      this.#absences -= 1;
      if (this.#absences > 0 || this.#isDead) return;
      this.isReady = true;
      if (!isQuiet) for (const hints of this.#hints) hints.up();
    }, ms);
  }

  /** What waits for an answer gets none. */
  cut(): void {
    for (const waiting of [...this.#waiting]) waiting.reject(clientError('ECONNRESET'));
  }

  /** The process is dead: it hears nothing any more, but what it sent is on its way. */
  kill(): void {
    this.#isDead = true;
    this.isReady = false;
    this.#waiting.clear();
    this.#hints.clear();
  }

  #nextVerdict(): Verdict {
    const { length } = this.#verdicts;
    return length === 0 ? ANSWERED : (this.#verdicts[this.#turn++ % length] as Verdict);
  }

  #follow(verdict: Verdict, args: readonly Argument[], waiting: Waiting, number: number): void {
    const { era } = this.#site;
    const timeout = () =>
      this.#clock.setTimeout(() => waiting.reject(new Error('Command timed out')), CLIENT_TIMEOUT_MS);
    const cut = () => waiting.reject(clientError('ECONNRESET'));
    switch (verdict.kind) {
      case 'answered':
        this.#execute(
          verdict.afterMs,
          args,
          era,
          number,
          (reply) => this.#answer(waiting, reply),
          waiting.reject,
        );
        break;
      case 'reply lost':
        if (verdict.rejects === 'timeout') timeout();
        this.#execute(verdict.afterMs, args, era, number, verdict.rejects === 'cut' ? cut : () => {});
        break;
      case 'sent twice':
        this.#execute(verdict.afterMs, args, era, number, () => {
          const answer = (reply: Reply) => this.#answer(waiting, reply);
          for (const hints of this.#hints) hints.down();
          for (const hints of this.#hints) hints.up();
          this.#execute(verdict.againMs, args, this.#site.era, number, answer, waiting.reject);
        });
        break;
      case 'refused':
        this.#clock.setTimeout(() => waiting.reject(clientError(verdict.error)), verdict.afterMs);
        break;
      case 'swallowed':
        break;
      case 'late': {
        if (verdict.ends === 'timeout') timeout();
        if (verdict.ends === 'cut') this.#clock.setTimeout(cut, 1);
        const answer =
          verdict.ends === 'answered' ? (reply: Reply) => this.#answer(waiting, reply) : () => {};
        this.#execute(verdict.afterMs, args, era, number, answer);
        break;
      }
      case 'garbled': {
        const other = this.#lastReply;
        if (verdict.isExecuted)
          this.#execute(verdict.afterMs, args, era, number, () => waiting.resolve(other));
        else this.#clock.setTimeout(() => waiting.resolve(other), verdict.afterMs);
        break;
      }
    }
  }

  /** The server gets to it after `afterMs`, and answers at once. */
  #execute(
    afterMs: number,
    args: readonly Argument[],
    era: Era,
    number: number,
    answer: (reply: Reply) => void,
    refuse: (error: Error) => void = () => {},
  ): void {
    this.#underway += 1;
    this.#clock.setTimeout(() => {
      this.#site.whenRunning(() => {
        this.#underway -= 1;
        try {
          const executed = this.#site.execute(args, era, this.#process);
          this.#trace(
            () => `#${number} is executed: ${executed ? JSON.stringify(executed.reply) : 'by nobody'}`,
          );
          if (executed) answer(executed.reply);
        } catch (error) {
          this.#trace(() => `#${number} is executed: ${error}`);
          refuse(error as Error);
        }
      });
    }, afterMs);
  }

  #answer(waiting: Waiting, reply: Reply): void {
    this.#lastReply = reply;
    waiting.resolve(reply);
  }

  #end(waiting: Waiting, number: number, settle: () => void, told: unknown): void {
    if (!this.#waiting.delete(waiting)) return;
    this.#trace(() => `#${number} settles: ${JSON.stringify(told)}`);
    settle();
  }
}

function clientError(text: RefusalText | 'ECONNRESET'): Error {
  if (text === 'ECONNREFUSED') return Object.assign(new Error('connect ECONNREFUSED'), { code: text });
  if (text === 'ECONNRESET') return Object.assign(new Error('read ECONNRESET'), { code: text });
  return new Error(text);
}

function brief(args: readonly Argument[]): string {
  const [command, , count, ...rest] = args.map(String);
  return `${command} ${rest.slice(Number(count)).join(' ')}`;
}
