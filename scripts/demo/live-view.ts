import { bar, chart, clip, count, flow, inColour, type Style, screen, seconds } from './ansi.js';
import type { Meter, Snapshot } from './meter.js';
import type { Span } from './scenario.js';
import { situation } from './situation.js';
import type { View } from './view.js';

/** The part of a terminal that is drawn on. */
export interface Terminal {
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

const paint = inColour;
/** Columns of the names and figures beside the charts. */
const MARGIN = 27;
const ROOMY_ROWS = 26;

const colourOf: Readonly<Record<string, Style>> = {
  up: 'green',
  recovering: 'cyan',
  degraded: 'yellow',
  down: 'red',
  closed: 'green',
  'half-open': 'cyan',
  open: 'red',
  isolated: 'yellow',
};

/** The whole terminal, redrawn at each snapshot: what happens now, where the jobs go, how the replay gets on. */
export class LiveView implements View {
  readonly #terminal: Terminal;
  readonly #meter: Pick<Meter, 'history'>;
  readonly #spans: readonly Span[];
  readonly #jobsPerSecond: number;
  readonly #events: string[] = [];
  #title = '';
  #isOn = false;

  constructor(
    terminal: Terminal,
    meter: Pick<Meter, 'history'>,
    spans: readonly Span[],
    jobsPerSecond: number,
  ) {
    this.#terminal = terminal;
    this.#meter = meter;
    this.#spans = spans;
    this.#jobsPerSecond = jobsPerSecond;
  }

  start(): void {
    this.#isOn = true;
    this.#terminal.write(screen.enter);
  }

  phase(title: string): void {
    this.#title = title;
  }

  event(elapsedMs: number, text: string): void {
    this.#events.push(`${paint('dim', seconds(elapsedMs).padStart(7))}  ${text}`);
  }

  draw(snapshot: Snapshot): void {
    if (!this.#isOn) return;
    // The last column stays free: a terminal may wrap as soon as it is filled.
    const width = Math.max(20, (this.#terminal.columns ?? 80) - 1);
    const rows = Math.max(4, this.#terminal.rows ?? 24);
    const lines = this.#lines(snapshot, width, rows).map((line) => clip(line, width));
    this.#terminal.write(screen.home + lines.join(screen.nextLine) + screen.clearRest);
  }

  stop(): void {
    if (!this.#isOn) return;
    this.#isOn = false;
    this.#terminal.write(screen.leave);
  }

  #lines(snapshot: Snapshot, width: number, rows: number): string[] {
    const { report, elapsedMs, worstMs } = snapshot;
    const clock = seconds(elapsedMs);
    const head = ` ResilientQueue  ${count(this.#jobsPerSecond)} jobs/s, ioredis with its default settings`;
    const { accepted, delivered, pending, rejected } = report.totals;
    const lines = [
      paint('dim', head.padEnd(width - clock.length - 1) + clock),
      '',
      ` ${paint('cyan', '▶')} ${paint('bold', this.#title)}`,
      `   ${situation(snapshot)}`,
      '',
      ...flow(
        [
          ` breaker ${lamp(report.breaker)}`,
          ` status ${lamp(report.status)}`,
          ` worst enqueue() ${paint('bold', `${count(worstMs)} ms`)}`,
        ],
        width,
      ),
      '',
      ...this.#charts(snapshot, width, rows),
      '',
      ` replay   ${replayLine(snapshot, width)}`,
      '',
      ...flow(
        [
          ` accepted ${paint('bold', count(accepted))} = laid down ${paint('green', count(delivered))}`,
          ` + in the backup ${paint(pending > 0 ? 'yellow' : 'dim', count(pending))}`,
          `   rejected ${paint(rejected > 0 ? 'red' : 'dim', count(rejected))}`,
        ],
        width,
      ),
      '',
    ];
    const room = rows - lines.length;
    return room > 0 ? [...lines, ...this.#events.slice(-room)] : lines.slice(0, rows);
  }

  #charts({ perSecond, report }: Snapshot, width: number, rows: number): string[] {
    const columns = Math.max(1, width - MARGIN - 1);
    const height = rows >= ROOMY_ROWS ? 2 : 1;
    const spanMs = this.#spans.at(-1)?.toMs ?? 1;
    const draw = (
      name: string,
      figure: string,
      style: Style,
      of: 'toRedis' | 'toBackup' | 'backlog',
      top: number,
    ) => {
      const values = this.#meter.history(of, spanMs, columns);
      const margin = ` ${name.padEnd(14)}${figure.padStart(MARGIN - 17)}  `;
      return chart(values, top || Math.max(1, ...values), height).map(
        (line, i) => (i === height - 1 ? margin : ' '.repeat(MARGIN)) + paint(style, line),
      );
    };
    const top = this.#jobsPerSecond * 1.1;
    return [
      ' '.repeat(MARGIN) + paint('dim', this.#timeLine(columns, spanMs)),
      ...draw('to Redis', `${count(perSecond.toRedis)}/s`, 'green', 'toRedis', top),
      ...draw('to the backup', `${count(perSecond.toBackup)}/s`, 'yellow', 'toBackup', top),
      ...draw('backlog', count(report.backup.pending), 'blue', 'backlog', 0),
    ];
  }

  #timeLine(columns: number, spanMs: number): string {
    return this.#spans
      .map(({ phase, fromMs, toMs }) => {
        const from = Math.round((fromMs / spanMs) * columns);
        const length = Math.round((toMs / spanMs) * columns) - from;
        return `│${phase.label}`.slice(0, length).padEnd(length);
      })
      .join('');
  }
}

function lamp(word: string): string {
  return paint(colourOf[word] ?? 'bold', `● ${word}`.padEnd(13));
}

function replayLine({ replay, report }: Snapshot, width: number): string {
  const barWidth = Math.max(8, Math.min(40, width - 62));
  if (!replay) {
    const waiting = report.backup.pending > 0 ? 'waits for Redis' : 'nothing to replay yet';
    return `${paint('dim', bar(0, barWidth))} ${paint('dim', waiting)}`;
  }
  const { replayed, total, perSecond, leftMs, tookMs } = replay;
  const isOver = tookMs !== undefined;
  const drawn = paint(isOver ? 'green' : 'cyan', bar(total === 0 ? 1 : replayed / total, barWidth));
  const time = isOver ? `in ${seconds(tookMs)}` : leftMs === undefined ? '' : `${seconds(leftMs)} left`;
  const share = isOver ? `${count(replayed)} jobs` : `${count(replayed)} of ${count(total)}`;
  return `${drawn} ${share}, ${count(perSecond)} jobs/s ${time}`;
}
