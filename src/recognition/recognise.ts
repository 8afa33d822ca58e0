import { randomBytes } from 'node:crypto';
import type { JobRecord } from '../job/job-record.js';
import type { Argument, RedisConnection } from '../redis/redis-connection.js';
import { parseDeliveryId } from './delivery-id.js';
import type { EpochNotes } from './epoch-notes.js';
import type { QueueKeys } from './queue-keys.js';
import { IS_THERE, type RecognitionScripts } from './recognition-script.js';
import { runScript, scriptCommand, sendScript } from './script.js';

/** How a transport writes its jobs' own arguments for the scripts it made with `recognitionScripts()`. */
export interface Layout {
  /** The transport's key: KEYS[1]. */
  readonly key: string;
  /** Other keys that every job may need: the last of KEYS, in this order. @default none */
  readonly sharedKeys?: readonly string[] | undefined;
  /** A key of the job's own. Absent: jobs have none. */
  keyOf?(job: JobRecord): string;
  readonly scripts: RecognitionScripts;
  /** Whether the job needs the full form for another reason than a caller's id. */
  isFull(job: JobRecord): boolean;
  /**
   * Appends the job's own arguments: as many as the script was told for this form. The job's own key, if it has one, is
   * `KEYS[#KEYS - keyFromEnd]`: how many come before it differs from script to script.
   */
  write(args: Argument[], job: JobRecord, full: boolean, keyFromEnd: number): void;
}

/**
 * What became of one job: `delivered` (laid down now), `recognised` (this delivery had been laid down before), `duplicate`
 * (another delivery holds the caller's id), or refused with Redis's error.
 */
export type DeliveryOutcome = 'delivered' | 'recognised' | 'duplicate' | { readonly rejected: Error };

/** What became of a batch. */
export interface Delivery {
  /** One for each job, in order. */
  readonly outcomes: readonly DeliveryOutcome[];
  /** Whether the server still had the delivery that was named as witness; undefined when none was. */
  readonly witness: 'kept' | 'lost' | undefined;
}

/** Somebody else's reply, or none of ours: the client's connection is out of step, so this batch's fate is unknown. */
export class ReplyMismatchError extends Error {
  override readonly name = 'ReplyMismatchError';
  readonly code = 'RSQ_REPLY_MISMATCH';

  constructor() {
    super(
      'The reply does not belong to the batch that was sent: the client has lost step with its connection.',
    );
  }
}

const echoPrefix = randomBytes(6).toString('base64url');
let echoes = 0;

/** A batch's own id, to be found again in its reply. */
export function nextEcho(): string {
  echoes += 1;
  return `${echoPrefix}.${echoes}`;
}

/** What a delivery through recognition needs besides its jobs. */
export interface RecognitionContext {
  /** How long a caller's id stays marked, ms. */
  readonly callerMs: number;
  /** The delivery id that Redis should still know. */
  readonly witness: string | undefined;
  /** Which epochs need no note; undefined: all are noted. */
  readonly notes?: Pick<EpochNotes, 'isFresh' | 'noted'> | undefined;
}

/**
 * Delivers `jobs` through recognition, in one script. Rejects as the client does, and with a ReplyMismatchError when the reply is not
 * this batch's.
 */
export function recognise(
  connection: RedisConnection,
  keys: QueueKeys,
  layout: Layout,
  jobs: readonly JobRecord[],
  context: RecognitionContext,
): Promise<Delivery> {
  const echo = nextEcho();
  const command = usualCommand(keys, layout, jobs, context, echo);
  if (command === undefined) return recogniseAny(connection, keys, layout, jobs, context, echo);
  return sendScript(connection, layout.scripts.usual, command, (reply) =>
    readReply(reply, echo, jobs.length, context.witness !== undefined),
  );
}

/** The usual script's command, or undefined when these jobs need the general one. */
function usualCommand(
  keys: QueueKeys,
  layout: Layout,
  jobs: readonly JobRecord[],
  { witness, notes }: RecognitionContext,
  echo: string,
): Argument[] | undefined {
  const first = (jobs[0] as JobRecord).delivery;
  const dash = first.lastIndexOf('-');
  const epoch = first.slice(0, dash);
  if (!notes?.isFresh(epoch)) return undefined;
  const prefix = first.slice(0, dash + 1);
  if (witness !== undefined && !witness.startsWith(prefix)) return undefined;
  const more = moreKeys(layout, jobs);
  const command = scriptCommand(layout.scripts.usual, 2 + (more?.length ?? 0));
  const witnessSeq = (witness ?? first).slice(prefix.length);
  command.push(layout.key, keys.seen(epoch));
  if (more !== undefined) command.push(...more);
  command.push(echo, witnessSeq, prefix);
  let keyFromEnd = more?.length ?? 0;
  let countAt = -1;
  let count = 0;
  let nextSeq = -1;
  let runEnqueuedAt = -1;
  for (const job of jobs) {
    const { delivery, enqueuedAt } = job;
    if (job.id !== delivery || !delivery.startsWith(prefix) || layout.isFull(job)) return undefined;
    const seqText = delivery.slice(prefix.length);
    const seq = Number(seqText);
    // A run is cut as soon as anything but the payload and the next number differs.
    if (seq !== nextSeq || enqueuedAt !== runEnqueuedAt) {
      if (countAt >= 0) command[countAt] = String(count);
      countAt = command.length;
      count = 0;
      runEnqueuedAt = enqueuedAt;
      command.push('', seqText, String(enqueuedAt));
    }
    count += 1;
    nextSeq = seq + 1;
    keyFromEnd -= 1;
    layout.write(command, job, false, keyFromEnd);
  }
  command[countAt] = String(count);
  return command;
}

async function recogniseAny(
  connection: RedisConnection,
  keys: QueueKeys,
  layout: Layout,
  jobs: readonly JobRecord[],
  { callerMs, witness, notes }: RecognitionContext,
  echo: string,
): Promise<Delivery> {
  const epochs: string[] = [];
  const places = new Map<string, number>();
  const placeOf = (epoch: string): number => {
    let place = places.get(epoch);
    if (place === undefined) {
      place = epochs.push(epoch);
      places.set(epoch, place);
    }
    return place;
  };

  const more = moreKeys(layout, jobs);
  const runs: Argument[] = [];
  const markers: string[] = [];
  let keyFromEnd = more?.length ?? 0;
  let countAt = -1;
  let count = 0;
  let runEpoch = '';
  let nextSeq = -1;
  let runEnqueuedAt = -1;
  let runFull = false;
  for (const job of jobs) {
    const { epoch, seq } = parseDeliveryId(job.delivery);
    const callers = job.id !== job.delivery;
    const full = callers || layout.isFull(job);
    if (seq !== nextSeq || epoch !== runEpoch || job.enqueuedAt !== runEnqueuedAt || full !== runFull) {
      if (countAt >= 0) runs[countAt] = String(count);
      countAt = runs.length;
      count = 0;
      runEpoch = epoch;
      runEnqueuedAt = job.enqueuedAt;
      runFull = full;
      runs.push('', String(placeOf(epoch)), String(seq), String(job.enqueuedAt), full ? '1' : '0');
    }
    count += 1;
    nextSeq = seq + 1;
    keyFromEnd -= 1;
    layout.write(runs, job, full, keyFromEnd);
    if (full) runs.push(callers ? job.id : '');
    if (callers) markers.push(keys.marker(job.id));
  }
  runs[countAt] = String(count);

  const seen = witness === undefined ? undefined : parseDeliveryId(witness);
  const witnessPlace = seen === undefined ? 0 : placeOf(seen.epoch);
  const isNoted = notes !== undefined && epochs.every((epoch) => notes.isFresh(epoch));
  const reply = await runScript(
    connection,
    layout.scripts.general,
    [layout.key, keys.epochs, ...epochs.map(keys.seen), ...markers, ...(more ?? [])],
    [
      echo,
      String(epochs.length),
      String(witnessPlace),
      String(seen?.seq ?? 0),
      String(callerMs),
      isNoted ? '0' : '1',
      ...epochs,
      ...runs,
    ],
  );
  const delivery = readReply(reply, echo, jobs.length, seen !== undefined);
  // An epoch whose note was refused has laid nothing down.
  if (!isNoted && delivery.outcomes.some((outcome) => typeof outcome === 'string')) notes?.noted(epochs);
  return delivery;
}

/** The jobs' own keys, in their order, then those that they share: the end of KEYS in both scripts. */
function moreKeys(layout: Layout, jobs: readonly JobRecord[]): readonly string[] | undefined {
  if (layout.keyOf === undefined) return layout.sharedKeys;
  const keys: string[] = [];
  for (const job of jobs) keys.push(layout.keyOf(job));
  return layout.sharedKeys === undefined ? keys : [...keys, ...layout.sharedKeys];
}

/**
 * The usual script's short reply means that every job was laid down. Letters: `l` laid down, `r` recognised, `d` duplicate,
 * anything else refused, with its text further on.
 */
function readReply(reply: unknown, echo: string, jobs: number, hasWitness: boolean): Delivery {
  if (!Array.isArray(reply)) {
    const text = String(reply);
    if (!text.startsWith(echo) || text[echo.length] !== ':') throw new ReplyMismatchError();
    const outcomes = new Array<DeliveryOutcome>(jobs).fill('delivered');
    return { outcomes, witness: hasWitness ? verdictOf(text.slice(echo.length + 1)) : undefined };
  }
  if (String(reply[0]) !== echo) throw new ReplyMismatchError();
  const letters = String(reply[2]);
  if (letters.length !== jobs) throw new ReplyMismatchError();
  let refusal = 3;
  const outcomes: DeliveryOutcome[] = new Array(jobs);
  for (let i = 0; i < jobs; i++) {
    const letter = letters[i];
    if (letter === 'l') outcomes[i] = 'delivered';
    else if (letter === 'r') outcomes[i] = 'recognised';
    else if (letter === 'd') outcomes[i] = 'duplicate';
    else outcomes[i] = refusedFor(String(reply[refusal++]));
  }
  return { outcomes, witness: hasWitness ? verdictOf(String(reply[1])) : undefined };
}

function refusedFor(text: string): DeliveryOutcome {
  return text === IS_THERE ? 'duplicate' : { rejected: new RefusedByScript(text) };
}

/** Of the witness's bit, as far as the server told it. */
function verdictOf(bit: string): Delivery['witness'] {
  return bit === '1' ? 'kept' : bit === '0' ? 'lost' : undefined;
}

/** Redis's answer to one job inside a script; its message is the wire text, so it sorts like a reply of the client's. */
class RefusedByScript extends Error {
  override readonly name = 'ReplyError';
}
