import { count, seconds } from './ansi.js';
import type { Snapshot } from './meter.js';
import type { View } from './view.js';

const EVERY_MS = 1000;

/** One line for each event, and one a second. */
export class PlainView implements View {
  readonly #print: (line: string) => void;
  #nextAtMs = EVERY_MS;

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  start(): void {}

  phase(title: string): void {
    this.#print(`\n${title}`);
  }

  event(elapsedMs: number, text: string): void {
    this.#print(`${seconds(elapsedMs).padStart(7)}  * ${text}`);
  }

  draw({ elapsedMs, perSecond, report, replay, worstMs }: Snapshot): void {
    if (elapsedMs < this.#nextAtMs) return;
    this.#nextAtMs += EVERY_MS;
    const parts = [
      `${report.status}, breaker ${report.breaker}`,
      `to Redis ${count(perSecond.toRedis)}/s`,
      `to the backup ${count(perSecond.toBackup)}/s`,
      `backlog ${count(report.backup.pending)}`,
      `worst ${count(worstMs)} ms`,
    ];
    if (replay?.tookMs === undefined && replay)
      parts.push(`replayed ${count(replay.replayed)} of ${count(replay.total)}`);
    this.#print(`${seconds(elapsedMs).padStart(7)}    ${parts.join(' | ')}`);
  }

  stop(): void {}
}
