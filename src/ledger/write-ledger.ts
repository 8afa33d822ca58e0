import { randomBytes } from 'node:crypto';
import { type Clock, systemClock } from '../clock/clock.js';
import type { Listener, QueueEvents } from '../health/queue-events.js';
import type { QueueStatus } from '../health/queue-status.js';
import { AppendFile } from './append-file.js';
import { LEDGER_VERSION, type LedgerLine } from './ledger-line.js';
import { LineBuffer, type WrittenLines } from './line-buffer.js';

/** Options of {@link writeLedger}. */
export interface LedgerOptions {
  /**
   * Told when the file cannot be written, once until it can again. It never reaches the queue.
   * @default a process warning
   */
  readonly onError?: ((error: Error) => void) | undefined;
  /**
   * The most that waits in memory to be written, bytes, at least 64 KiB. What comes when it is full is missing from the file, which
   * then says how many lines there were. @default 16 MiB
   */
  readonly maxBufferedBytes?: number | undefined;
  /** Whose `now()` each line has: the queue's, if that has one of its own. @default the machine's clock */
  readonly clock?: Pick<Clock, 'now'> | undefined;
}

/** A ledger that is being written. */
export interface LedgerWriter extends AsyncDisposable {
  /**
   * Listens no more, writes what is left and flushes it to the disk. Close the queue first (of two `await using`, the one that was
   * declared last goes first): what it tells while it closes belongs in the ledger. A ledger that is closed while its queue goes on
   * says so, and proves nothing any more, unless another one of the queue is being written. Never rejects: what could not be written is `missing`, and `onError` was told why.
   */
  close(): Promise<WrittenLines>;
}

/** How many ledgers of a queue are being written. */
const writers = new WeakMap<QueueStatus, number>();

const DEFAULT_BUFFER_BYTES = 16 * 1024 * 1024;
const LEAST_BUFFER_BYTES = 64 * 1024;

/**
 * Writes down, in the file at `path`, each job that `queue` accepts, and each that it parks or drops: a line of JSON for each
 * ({@link LedgerLine}). `verify()` holds it against Redis and the backup afterwards. A process that only replays a shared backup
 * needs one, too: it is the one that drops what has expired.
 *
 * - A line is on its way before the caller hears that his job was accepted, and is written at once. A process that is killed all the
 *   same loses the lines of its last moments (milliseconds, on a disk that keeps up), and a machine that crashes those that its
 *   kernel had not flushed. Their jobs are not lost, only not in the ledger.
 * - A `duplicate` has a line, too: the call before may have rejected with fate `unknown`, and then the job has no other.
 * - Listening changes nothing for the queue: what cannot be written waits in memory, up to a limit, and is tried again.
 * - The file is made with mode 0600 and only ever appended to, also by several processes at once (on a disk of this machine), and
 *   after a rename a new one is made. It grows by about 100 bytes a job.
 *
 * @throws where the file cannot be opened or is none (a folder, a pipe, a device), and TypeError or RangeError for a bad option.
 */
export function writeLedger(queue: QueueStatus, path: string, options: LedgerOptions = {}): LedgerWriter {
  const { onError, maxBufferedBytes, clock } = resolve(options);
  const writer = randomBytes(6).toString('hex');
  const opened = () => write({ event: 'opened', writer, recognition: queue.recognition });
  const lines = new LineBuffer(new AppendFile(path, opened), { maxBufferedBytes, onError }, (count) =>
    write({ event: 'missing', writer, count }),
  );
  const write = (line: Rest): string =>
    `${JSON.stringify({ v: LEDGER_VERSION, at: clock.now(), queue: queue.name, ...line })}\n`;
  const each = (event: 'enqueued' | 'backed-up' | 'duplicate') => {
    const rest = `,"queue":${JSON.stringify(queue.name)},"event":"${event}","id":`;
    return ({ ids }: { readonly ids: readonly string[] }) => {
      const start = `{"v":${LEDGER_VERSION},"at":${clock.now()}${rest}`;
      for (const id of ids) lines.add(`${start}${JSON.stringify(id)}}\n`);
    };
  };

  const listeners: { readonly [Name in keyof QueueEvents]?: Listener<Name> } = {
    enqueued: each('enqueued'),
    'backed-up': each('backed-up'),
    duplicate: each('duplicate'),
    parked: ({ id, reason }) => lines.add(write({ event: 'parked', id, reason })),
    dropped: ({ id, reason }) => lines.add(write({ event: 'dropped', id, reason })),
    'redis-data-loss': ({ redelivered }) => lines.note(write({ event: 'redis-data-loss', redelivered })),
  };
  const names = Object.keys(listeners) as (keyof typeof listeners)[];
  lines.note(opened());
  for (const name of names) queue.on(name, listeners[name] as Listener<typeof name>);

  writers.set(queue, (writers.get(queue) ?? 0) + 1);

  let closing: Promise<WrittenLines> | undefined;
  const close = () => {
    if (closing) return closing;
    for (const name of names) queue.off(name, listeners[name] as Listener<typeof name>);
    const others = (writers.get(queue) ?? 1) - 1;
    writers.set(queue, others);
    const isQueueOpen = others === 0 && mayTakeJobs(queue);
    closing = lines.close(write({ event: 'closed', writer, ...(isQueueOpen && { isQueueOpen }) }));
    return closing;
  };
  return { close, [Symbol.asyncDispose]: async () => void (await close()) };
}

/** Of somebody else's queue nothing may be known; that must not keep a ledger from its end. */
function mayTakeJobs(queue: QueueStatus): boolean {
  try {
    const { phase } = queue.health();
    return phase === 'open' || phase === 'closing';
  } catch {
    return false;
  }
}

/** A line without what all have. */
type Rest = LedgerLine extends infer Line
  ? Line extends LedgerLine
    ? Omit<Line, 'v' | 'at' | 'queue'>
    : never
  : never;

function resolve(options: LedgerOptions): {
  readonly onError: (error: Error) => void;
  readonly maxBufferedBytes: number;
  readonly clock: Pick<Clock, 'now'>;
} {
  const { onError = warn, maxBufferedBytes = DEFAULT_BUFFER_BYTES, clock = systemClock, ...others } = options;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) {
    throw new TypeError(
      `Unknown option "${unknown}" of writeLedger(); there are onError, maxBufferedBytes and clock.`,
    );
  }
  if (typeof onError !== 'function') {
    throw new TypeError(`Option "onError" of writeLedger() must be a function, got a ${typeof onError}.`);
  }
  if (typeof clock?.now !== 'function') {
    throw new TypeError('Option "clock" of writeLedger() must have a method now().');
  }
  if (!Number.isInteger(maxBufferedBytes) || maxBufferedBytes < LEAST_BUFFER_BYTES) {
    throw new RangeError(
      `Option "maxBufferedBytes" of writeLedger() must be a whole number from ${LEAST_BUFFER_BYTES}, got ${String(maxBufferedBytes)}.`,
    );
  }
  return { onError, maxBufferedBytes, clock };
}

function warn(error: Error): void {
  process.emitWarning(`The ledger cannot be written: ${error.message}`, 'ResilientQueueWarning');
}
