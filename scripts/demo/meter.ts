import type { HealthReport, QueueStatus } from '@morningai/resilient-queue';

/** What had been counted at one moment. */
interface Sample {
  readonly atMs: number;
  readonly toRedis: number;
  readonly toBackup: number;
  readonly backlog: number;
}

/** A replay that is under way or, until the next one, over. */
export interface ReplayView {
  readonly replayed: number;
  readonly total: number;
  readonly perSecond: number;
  readonly leftMs: number | undefined;
  /** Undefined while it is under way. */
  readonly tookMs: number | undefined;
}

/** Everything that a view shows. */
export interface Snapshot {
  readonly elapsedMs: number;
  readonly perSecond: { readonly toRedis: number; readonly toBackup: number };
  readonly report: HealthReport;
  readonly replay: ReplayView | undefined;
  /** Calls of `enqueue()` that have not settled. */
  readonly waiting: number;
  readonly worstMs: number;
}

const WINDOW_MS = 1000;

/** Counts what goes where, from the queue's events and its callers' waits. */
export class Meter {
  readonly #queue: QueueStatus;
  readonly #startedAt = performance.now();
  readonly #samples: Sample[] = [{ atMs: 0, toRedis: 0, toBackup: 0, backlog: 0 }];
  #toRedis = 0;
  #toBackup = 0;
  #waiting = 0;
  #worstMs = 0;
  #replayBeganMs: number | undefined;
  #replayEnded: ReplayView | undefined;

  constructor(queue: QueueStatus) {
    this.#queue = queue;
    queue.on('enqueued', ({ ids }) => {
      this.#toRedis += ids.length;
    });
    queue.on('backed-up', ({ ids }) => {
      this.#toBackup += ids.length;
    });
    queue.on('replay', ({ phase, replayed }) => {
      if (phase === 'started') this.#replayBeganMs = this.elapsedMs;
      if (phase !== 'finished' || this.#replayBeganMs === undefined) return;
      const tookMs = this.elapsedMs - this.#replayBeganMs;
      const perSecond = (replayed / Math.max(1, tookMs)) * 1000;
      this.#replayBeganMs = undefined;
      if (replayed > 0)
        this.#replayEnded = { replayed, total: replayed, perSecond, leftMs: undefined, tookMs };
    });
  }

  get elapsedMs(): number {
    return performance.now() - this.#startedAt;
  }

  /** Times one call of `enqueue()`, however it settles. */
  async timed<T>(enqueue: Promise<T>): Promise<T> {
    const startedAt = performance.now();
    this.#waiting += 1;
    try {
      return await enqueue;
    } finally {
      this.#waiting -= 1;
      this.#worstMs = Math.max(this.#worstMs, performance.now() - startedAt);
    }
  }

  /** Notes the counts of this moment, and says how things are. */
  sample(): Snapshot {
    const report = this.#queue.health();
    const now: Sample = {
      atMs: this.elapsedMs,
      toRedis: this.#toRedis,
      toBackup: this.#toBackup,
      backlog: report.backup.pending,
    };
    const before = this.#samples.findLast(({ atMs }) => atMs <= now.atMs - WINDOW_MS) ?? this.#samples[0];
    this.#samples.push(now);
    return {
      elapsedMs: now.atMs,
      perSecond: { toRedis: rate(before, now, 'toRedis'), toBackup: rate(before, now, 'toBackup') },
      report,
      replay: this.#replay(report),
      waiting: this.#waiting,
      worstMs: this.#worstMs,
    };
  }

  /** The history of one figure, `columns` values over `spanMs`; as many as there has been time for. */
  history(figure: 'toRedis' | 'toBackup' | 'backlog', spanMs: number, columns: number): number[] {
    const columnMs = spanMs / columns;
    const values: number[] = [];
    const untilMs = Math.min(this.#samples.at(-1)?.atMs ?? 0, spanMs);
    let at = 0;
    for (let column = 0; column < columns && column * columnMs < untilMs; column++) {
      const from = this.#sampleAt(column * columnMs, at);
      at = this.#sampleAt(Math.min(untilMs, (column + 1) * columnMs), from);
      const [first, last] = [this.#samples[from] as Sample, this.#samples[Math.max(at, from + 1)]];
      if (last === undefined) break;
      values.push(figure === 'backlog' ? last.backlog : rate(first, last, figure));
    }
    return values;
  }

  /** The last sample at or before a time, looked for from the one with index `from` on. */
  #sampleAt(atMs: number, from: number): number {
    let index = from;
    while ((this.#samples[index + 1]?.atMs ?? Number.POSITIVE_INFINITY) <= atMs) index += 1;
    return index;
  }

  #replay({ replay }: HealthReport): ReplayView | undefined {
    if (!replay.active || this.#replayBeganMs === undefined) return this.#replayEnded;
    const { replayed, remaining } = replay;
    // The report's own rate is renewed once a second, and most replays here are over before that.
    const perSecond = (replayed / Math.max(1, this.elapsedMs - this.#replayBeganMs)) * 1000;
    const leftMs = replayed > 0 ? (remaining / perSecond) * 1000 : undefined;
    return { replayed, total: replayed + remaining, perSecond, leftMs, tookMs: undefined };
  }
}

function rate(from: Sample | undefined, to: Sample, figure: 'toRedis' | 'toBackup'): number {
  if (!from || to.atMs <= from.atMs) return 0;
  return ((to[figure] - from[figure]) / (to.atMs - from.atMs)) * 1000;
}
