import type { DroppedEvent } from '../health/queue-events.js';
import type { QueueRecognition } from '../health/queue-status.js';
import type { ParkReason } from '../replay/triage.js';

/** The version of {@link LedgerLine} that this release writes, in each line's `v`. */
export const LEDGER_VERSION = 1;

/** What every line has. New fields, and lines of new events, may appear in minor releases: a reader skips what it does not know. */
interface AnyLine {
  readonly v: number;
  /** When it happened, by the clock of the process that wrote it; epoch ms. */
  readonly at: number;
  readonly queue: string;
}

/** A job was accepted: its `enqueue()` resolved so. */
export interface AcceptedLine extends AnyLine {
  readonly event: 'enqueued' | 'backed-up';
  readonly id: string;
}

/** A call was answered `duplicate`: a job of this id was there already, accepted by whomever. */
export interface DuplicateLine extends AnyLine {
  readonly event: 'duplicate';
  readonly id: string;
}

/** A job was set aside: it waits for a person. */
export interface ParkedLine extends AnyLine {
  readonly event: 'parked';
  readonly id: string;
  readonly reason: ParkReason;
}

/** A job was given up. */
export interface DroppedLine extends AnyLine {
  readonly event: 'dropped';
  readonly id: string;
  readonly reason: DroppedEvent['reason'];
}

/** Redis had lost what it had acknowledged; `redelivered` jobs were laid down again, and may have run before. */
export interface DataLossLine extends AnyLine {
  readonly event: 'redis-data-loss';
  readonly redelivered: number;
}

/** A writer began, or went on in a new file. */
export interface OpenedLine extends AnyLine {
  readonly event: 'opened';
  /** The same in all lines of one writer. */
  readonly writer: string;
  /** What is left behind of the queue's jobs, and for how long; where the writer knew it. */
  readonly recognition?: QueueRecognition | undefined;
}

/** A writer ended with everything written. One that was killed has no such line: its last lines may be missing. */
export interface ClosedLine extends AnyLine {
  readonly event: 'closed';
  readonly writer: string;
  /** The queue went on taking jobs, and no other ledger of it was being written. */
  readonly isQueueOpen?: true | undefined;
}

/** So many lines of this writer could not be written: the disk was full for too long, say. */
export interface MissingLine extends AnyLine {
  readonly event: 'missing';
  readonly writer: string;
  readonly count: number;
}

/** One line of a ledger: JSON, closed by a line feed. No line has a payload, a job's name or an address in it. */
export type LedgerLine =
  | AcceptedLine
  | DuplicateLine
  | ParkedLine
  | DroppedLine
  | DataLossLine
  | OpenedLine
  | ClosedLine
  | MissingLine;

/**
 * What a line says; undefined for one that is torn (its writer was killed, or the disk was full), that is no JSON object, or of
 * an event that is not known. Throws for one of a later version, whose jobs would be in no count. Also takes what a store's
 * export has: a `JobRecord` is a job that was backed up, a `ParkedJob` one that was parked.
 */
export function readLedgerLine(text: string): LedgerLine | undefined {
  let line: unknown;
  try {
    line = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(line)) return undefined;
  if (line.v === LEDGER_VERSION && typeof line.queue === 'string' && isInstant(line.at)) {
    return hasItsFields(line) ? (line as unknown as LedgerLine) : undefined;
  }
  if (Number(line.v) > LEDGER_VERSION && typeof line.queue === 'string' && typeof line.event === 'string') {
    throw new Error(
      `The ledger has lines of version ${Number(line.v)}: verify it with the release that wrote them.`,
    );
  }
  return lineOfExport(line);
}

function hasItsFields(line: Readonly<Record<string, unknown>>): boolean {
  const { event, id, writer, count, redelivered, recognition } = line;
  switch (event) {
    case 'enqueued':
    case 'backed-up':
    case 'duplicate':
    case 'parked':
    case 'dropped':
      return typeof id === 'string';
    case 'opened':
      return typeof writer === 'string' && (recognition === undefined || isRecognition(recognition));
    case 'closed':
      return typeof writer === 'string';
    case 'missing':
      return typeof writer === 'string' && typeof count === 'number';
    default:
      return event === 'redis-data-loss' && typeof redelivered === 'number';
  }
}

function lineOfExport(line: Readonly<Record<string, unknown>>): LedgerLine | undefined {
  const isParked = isObject(line.job) && isInstant(line.parkedAt);
  const job = (isParked ? line.job : line) as Readonly<Record<string, unknown>>;
  const { queue, id, delivery, enqueuedAt } = job;
  if (typeof queue !== 'string' || typeof id !== 'string') return undefined;
  if (typeof delivery !== 'string' || !isInstant(enqueuedAt)) return undefined;
  const common = { v: LEDGER_VERSION, queue, id };
  // Its reason may have Redis's words behind it.
  if (isParked) return { ...common, event: 'parked', at: line.parkedAt as number, reason: 'rejected' };
  return { ...common, event: 'backed-up', at: enqueuedAt };
}

function isRecognition(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { transport, generatedMs, callerMs } = value;
  return typeof transport === 'string' && typeof generatedMs === 'number' && typeof callerMs === 'number';
}

/** 0 stands for "never" in the book. */
function isInstant(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
